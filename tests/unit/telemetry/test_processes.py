"""Reading what a process has used."""

from __future__ import annotations

import os

from headrace.telemetry.processes import process_use


def test_this_process_has_used_memory() -> None:
    use = process_use(os.getpid())
    assert use is not None
    assert use.resident_bytes > 0


def test_a_process_that_is_not_there_has_used_nothing_known() -> None:
    assert process_use(2**30) is None
