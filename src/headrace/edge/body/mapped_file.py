"""Body files mapped into memory, and the knowledge of which of their pages are there.

A mapped page that is not in memory would block the whole loop when `send` touches it. `mincore`
tells for a few microseconds per megabyte; what is missing is read by a thread first.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import time
from collections.abc import Callable

from headrace.errors import HeadraceError
from headrace.http.server.send_queue import BodyDamaged, read_body
from headrace.store import lend

PAGE_BYTES = mmap.PAGESIZE
LOAD_BYTES = 256 * 1024
TRUST_S = 2.0

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
_libc.mincore.restype = ctypes.c_int
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_libc.madvise.restype = ctypes.c_int
_MADV_POPULATE_READ = 22  # Linux 5.14


class BodyError(HeadraceError):
    """A body file is shorter than the index says, or cannot be mapped."""


class _PyBuffer(ctypes.Structure):
    """CPython's Py_buffer, to learn where a read-only mapping lies."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


def _address_of(mapping: mmap.mmap) -> int:
    buffer = _PyBuffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(mapping), ctypes.byref(buffer), 0)
    address = buffer.buf
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))
    assert address is not None
    return int(address)


def read_at_once(fd: int, into: bytearray, offset: int) -> int:
    """Read what is in memory already. Raises BlockingIOError where that is nothing, and OSError.

    File systems that cannot tell (tmpfs, whose files are in memory anyway) are read plainly.
    """
    try:
        return os.preadv(fd, [into], offset, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
    return os.preadv(fd, [into], offset)


OnDamage = Callable[[str], None]


class MappedBody:
    """Part of a file, mapped read-only: `size_bytes` from `offset`, as `view`.

    Nobody writes to the file. Takes over `fd` and closes it with itself. Implements
    `http.server.send_queue.Residency`, whose offsets count from the body's first byte.
    """

    __slots__ = (
        "_address", "_lent", "_mapping", "_on_damage", "_populated", "_trusted_until", "fd",
        "offset", "size_bytes", "view",
    )  # fmt: skip

    def __init__(
        self,
        fd: int,
        offset: int,
        size_bytes: int,
        *,
        resident: bool = False,
        mapping: mmap.mmap | None = None,
        on_damage: OnDamage | None = None,
    ) -> None:
        """`on_damage` is called once, when the file turns out to be broken. `mapping` is one of the
        file from its start to the body's end, when there is one already.

        Raises BodyError (and closes `fd`) when the file is too short or cannot be mapped.
        """
        self.fd = fd
        self.offset = offset
        self.size_bytes = size_bytes
        self._populated = self._lent = False
        self._on_damage = on_damage
        self._trusted_until = time.monotonic() + TRUST_S if resident else 0.0
        try:
            if os.fstat(fd).st_size < offset + size_bytes:
                raise BodyError("a body file is shorter than it should be")
            if mapping is None:
                mapping = mmap.mmap(fd, offset + size_bytes, prot=mmap.PROT_READ)
        except (OSError, ValueError) as error:
            os.close(fd)
            self.fd = -1
            raise BodyError(f"a body file cannot be mapped: {error}") from error
        except BodyError:
            os.close(fd)
            self.fd = -1
            raise
        self._mapping = mapping
        self._address = _address_of(mapping)
        self.view = memoryview(self._mapping)[offset : offset + size_bytes]

    def lend(self, *, crowded: bool) -> bool:
        """Have the file never be written over; False when that cannot be noted on it."""
        del crowded
        if not self._lent:
            self._lent = lend(self.fd)
        return self._lent

    def resident(self, offset: int, size_bytes: int) -> bool:
        """Return whether these bytes are in memory. A body found whole is trusted for two
        seconds.
        """
        now = time.monotonic()
        return now < self._trusted_until or self.look(now) or self._in_core(offset, size_bytes)

    def look(self, now: float) -> bool:
        """Return whether the whole body is in memory; renews the trust in it. `now` is monotonic
        time.

        Who does this between answers spares the next client the wait for it. A file that was cut
        short is found out: the rest of its last page would be sent as zeros.
        """
        if self.is_cut_short():
            self.damaged("a body file is shorter than it was")
            return False
        if self._in_core(0, self.size_bytes):
            self._trusted_until = now + TRUST_S
            if not self._populated:
                # What is sent from the file touches no page of the mapping, and `mincore` takes
                # thirty times as long for those that it lacks.
                self._populated = True
                self._populate(0, self.size_bytes)
            return True
        self._populated = False
        self._trusted_until = 0.0
        return False

    def is_cut_short(self) -> bool:
        """Return whether the file is shorter than the body now."""
        return os.fstat(self.fd).st_size < self.offset + self.size_bytes

    def damaged(self, problem: str) -> None:
        """Trust the file no more, and report it once."""
        self._trusted_until = 0.0
        told, self._on_damage = self._on_damage, None
        if told is not None:
            told(problem)

    def copy(self) -> bytes:
        """Return the whole body, read from its file if that need not wait for the disk. Raises
        BodyDamaged, BlockingIOError.
        """
        body = bytearray(self.size_bytes)
        try:
            read = read_at_once(self.fd, body, self.offset)
        except BlockingIOError:
            raise
        except OSError as error:
            raise BodyDamaged(f"a body file cannot be read: {error.strerror}") from error
        if read < self.size_bytes:
            read_body(self, 0, memoryview(body))
        return bytes(body)

    def _in_core(self, offset: int, size_bytes: int) -> bool:
        start = (self.offset + offset) // PAGE_BYTES
        end = -(-(self.offset + offset + size_bytes) // PAGE_BYTES)
        pages = bytearray(end - start)
        vector = (ctypes.c_char * len(pages)).from_buffer(pages)
        failed = _libc.mincore(
            self._address + start * PAGE_BYTES, (end - start) * PAGE_BYTES, ctypes.addressof(vector)
        )
        # Where the kernel will not tell (a system call filter), sending must continue all the same.
        return bool(failed) or b"\x00" not in pages

    def load(self, offset: int, size_bytes: int) -> None:
        """Bring these bytes into memory. Blocks, without the interpreter's lock. Raises OSError.

        The kernel maps the pages as well, and nothing is copied: reading them instead took the
        processor from the loop for so long that hits waited.
        """
        at = self.offset + offset
        end = at + size_bytes
        os.posix_fadvise(self.fd, at, size_bytes, os.POSIX_FADV_WILLNEED)
        failure = self._populate(offset, size_bytes)
        if not failure:
            return
        if failure != errno.EINVAL:
            raise OSError(failure, "a body file cannot be brought into memory")
        self._read(at, end)

    def _populate(self, offset: int, size_bytes: int) -> int:
        """Have the kernel map these bytes' pages; 0, or the error's number."""
        at = self.offset + offset
        first = at - at % PAGE_BYTES
        address, length = self._address + first, at + size_bytes - first
        return ctypes.get_errno() if _libc.madvise(address, length, _MADV_POPULATE_READ) else 0

    def _read(self, at: int, end: int) -> None:
        """Read the file from `at` to `end`, for kernels that cannot populate a mapping."""
        scratch = bytearray(min(LOAD_BYTES, end - at))
        while at < end:
            read = os.preadv(self.fd, [memoryview(scratch)[: end - at]], at)
            if not read:
                raise OSError(errno.EIO, "a body file ended early")
            at += read

    def __del__(self) -> None:
        # Views in flight keep the mapping alive; only the descriptor is ours to close.
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
