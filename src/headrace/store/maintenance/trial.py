"""Tries whether the disk takes a slice and a change of the index, and leaves neither behind."""

from __future__ import annotations

import os

from headrace.store.errors import StoreError
from headrace.store.files import open_file, remove
from headrace.store.layout import PAGE_BYTES
from headrace.store.refusals import Cause, cause_of
from headrace.store.store import Store

MOST_BYTES = 16 * 1024 * 1024


def try_disk(store: Store) -> Cause | None:
    """Return why the disk takes nothing; None: it took room for a slice, a page of it and a
    transaction. Waits for the disk: not on an event loop.
    """
    path = store.spares.new_name()  # what is left there is removed by the orphan sweep
    try:
        fd = open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            os.posix_fallocate(fd, 0, min(store.settings.slice_bytes, MOST_BYTES))
            os.pwrite(fd, bytes(PAGE_BYTES), 0)
            os.fdatasync(fd)
        finally:
            os.close(fd)
            remove(path)
        with store.transaction():
            pass
    except (StoreError, OSError) as error:
        return cause_of(error) or Cause.FAILS
    return None
