"""What a process has used so far, as Linux reports it under /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """Processor seconds (user and system) and resident bytes, mapped files included."""

    cpu_s: float
    resident_bytes: int


def process_use(pid: int) -> ProcessUse | None:
    """Return the use of one process; None when there is no such process (any more)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in parentheses, and may hold blanks itself.
    fields = text.rpartition(")")[2].split()
    user_ticks, system_ticks, resident_pages = int(fields[11]), int(fields[12]), int(fields[21])
    return ProcessUse((user_ticks + system_ticks) / _TICKS_PER_S, resident_pages * _PAGE_BYTES)
