"""Each memory of what strangers send stays within its bound, as the process is measured.

What a memory counts is an estimate of what its objects take: the process must not grow by much
more than the bound, however large the entries are.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.harness.filling import FILLINGS, MIB

BESIDES_BYTES = 8 * MIB  # what the interpreter keeps for its next objects
ESTIMATED_WITHIN = 1.4


@pytest.mark.parametrize("memory", FILLINGS)
def test_a_memory_filled_with_the_largest_stays_within_its_bound(memory: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.harness.filling", memory],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    held_bytes, bound_bytes, grown_bytes = (int(word) for word in done.stdout.split())
    assert held_bytes <= bound_bytes
    assert grown_bytes <= bound_bytes * ESTIMATED_WITHIN + BESIDES_BYTES
