"""A description that was compiled, mapped into the memory of a process."""

from __future__ import annotations

import mmap

from headrace.topology.snapshot import NetworkSnapshot, decode


def mapped(descriptor: int) -> NetworkSnapshot:
    """Return the description in a sealed file, mapped. Raises HeadraceError or OSError."""
    return decode(memoryview(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)))
