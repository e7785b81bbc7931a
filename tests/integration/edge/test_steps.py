"""How many steps of Python an answer takes, and a connection for one answer: without a clock.

Beside the system calls (`test_syscalls`) this is the hot path's other half. What was recorded is in
`steps.json`; `python -m tests.integration.edge.record_steps` records it again where less or, for a
reason, more is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.origin import Origin
from tests.integration.edge.counting import WITHOUT_MEMORY, Counting, counting_edge

KINDS = (
    "plain hit", "tls hit", "miss", "range", "plain visit", "full visit", "resumed visit",
)  # fmt: skip


@pytest.fixture(scope="module")
def counting(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    directory: Path = tmp_path_factory.mktemp("steps")
    with counting_edge(origin, directory) as found:
        yield found


def test_a_small_hit_that_is_not_in_memory_takes_no_more_steps_than_recorded(
    origin: Origin, tmp_path: Path
) -> None:
    with counting_edge(origin, tmp_path, WITHOUT_MEMORY) as counting:
        grown = counting.more_than_recorded("stored hit")
    assert not grown, f"a hit from the store takes more {'; '.join(grown)}"


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_takes_no_more_steps_than_recorded(counting: Counting, kind: str) -> None:
    grown = counting.more_than_recorded(kind)
    assert not grown, (
        f"a {kind} takes more {'; '.join(grown)}; where that is right, record it again: "
        "python -m tests.integration.edge.record_steps"
    )


def test_what_is_counted_grows_with_what_is_done(counting: Counting) -> None:
    """It is the worker that is counted: a hit takes some steps, and a miss more of them."""
    hit, miss = counting.steps("plain hit"), counting.steps("miss")
    assert min(hit.lines, hit.calls, hit.c_calls) >= 1
    assert miss.lines > hit.lines
    assert miss.exceeds(hit, 1.1)
