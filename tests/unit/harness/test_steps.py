"""When an answer takes more steps than recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.steps import FILE_BYTES, Steps, counted, of_each
from tests.integration.edge.counting import OTHER_PYTHON, TOLERANCE, recorded
from tests.integration.edge.test_steps import KINDS

ALLOWED = Steps(100.0, 10.0, 50.0)


@pytest.mark.parametrize(
    ("found", "grown"),
    [
        (Steps(110.0, 11.0, 55.0), []), (Steps(111.0, 10.0, 50.0), ["lines"]),
        (Steps(1.0, 12.0, 60.0), ["calls", "C calls"]), (Steps(0.0, 0.0, 0.0), []),
    ],
)  # fmt: skip
def test_a_tenth_more_is_allowed_and_always_one_step(found: Steps, grown: list[str]) -> None:
    assert [each.split(":")[0] for each in found.exceeds(ALLOWED, TOLERANCE)] == grown


def test_the_least_of_some_batches_counts(tmp_path: Path) -> None:
    """A worker that does something else meanwhile, in the first batch."""
    file = tmp_path / "steps"
    file.write_bytes(bytes(FILE_BYTES))

    def do(number: int) -> None:
        lines, calls, c_calls = counted(file)
        noise = 1000 if number == 0 else 0
        written = (lines + 10 + noise, calls + 2, c_calls + 3)
        file.write_bytes(b"".join(each.to_bytes(8, "little") for each in written))

    assert of_each(file, do, batches=3, each=4) == Steps(10.0, 2.0, 3.0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_recorded_and_others_than_known_pythons_have_more_room(kind: str) -> None:
    known, times = recorded(kind, (3, 11))
    assert times == TOLERANCE
    assert known.lines > 0
    assert recorded(kind, (4, 0))[1] == OTHER_PYTHON
