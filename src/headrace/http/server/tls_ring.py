"""Memory that OpenSSL writes to, and that is sent from where it lies.

What OpenSSL writes into `ssl.MemoryBIO` is zeroed first and copied out at the end: 5 to 9 % of the
processor time of a TLS delivery. Here OpenSSL gets one half of a pair of BIOs (`BIO_s_bio`), a ring
of fixed size, and the other half says where in the ring the bytes lie.

Python's `ssl` still does everything that is TLS: handshakes, reading, writing, errors. All that is
taken from OpenSSL directly are calls for BIOs, which are the same since version 1.1, and one
private thing is read: the pointer to its SSL in CPython's object. `new_ring` checks in memory of
its own that it is where it should be, and that OpenSSL's bytes come out; else there is no ring.

What must hold: **a view of the ring is used before OpenSSL is called again, and never kept.** Rings
are never freed, so that no view and no connection outlives one.
"""

from __future__ import annotations

import contextlib
import ctypes
import ssl
import sys
from functools import cache

from headrace.http.server.tls_native import NativeTls, is_native

WINDOWS_ARE_COPIED = (
    "this Python's OpenSSL is linked into it, or not as it has to be: what is sent over TLS is "
    "copied once more, which takes 5 to 9 % more processor time"
)
# OpenSSL makes a sixth more of it at worst: a client may ask for records of 512 bytes.
RING_BYTES = 704 * 1024
MOST_HEAD_BYTES = 64 * 1024  # before a window of 512 KiB
_POINTER_BYTES = ctypes.sizeof(ctypes.c_void_p)


class Ring:
    """OpenSSL's bytes in a ring, with what is used here of `ssl.MemoryBIO`.

    One serves all connections of a thread: it is empty between any two calls of OpenSSL.
    """

    __slots__ = ("_base", "_begin", "_far", "_into", "_library", "_memory", "_near", "_pending")

    def __init__(self, library: ctypes.PyDLL) -> None:
        """Raises MemoryError."""
        self._library = library
        self._near, self._far = ctypes.c_void_p(), ctypes.c_void_p()
        self._begin = ctypes.c_void_p()
        self._into = ctypes.byref(self._begin)
        near, far = ctypes.byref(self._near), ctypes.byref(self._far)
        made = library.BIO_new_bio_pair(near, RING_BYTES, far, 1)
        if made != 1 or library.BIO_nwrite0(self._near, self._into) != RING_BYTES:
            raise MemoryError("OpenSSL makes no pair of BIOs")
        assert self._begin.value is not None
        self._base = self._begin.value
        self._pending = library.BIO_ctrl_pending
        ring = (ctypes.c_char * RING_BYTES).from_address(self._base)
        self._memory = memoryview(ring).cast("B").toreadonly()

    @property
    def pending(self) -> int:
        """How many bytes OpenSSL has written that were not taken out."""
        return self._pending(self._far)  # type: ignore[no-any-return]

    def read(self, size_bytes: int = RING_BYTES) -> memoryview:
        """Take out what OpenSSL has written, without a copy: see what must hold.

        Raises MemoryError.
        """
        size: int = self._library.BIO_nread(self._far, self._into, size_bytes)
        if size <= 0:
            return self._memory[:0]
        assert self._begin.value is not None
        begin = self._begin.value - self._base
        if begin + size == RING_BYTES and self.pending:
            raise MemoryError("the ring has come round")  # never, as it is emptied each time
        return self._memory[begin : begin + size]

    def clear(self) -> None:
        """Forget what OpenSSL has written, without a view of it."""
        while self._library.BIO_nread(self._far, self._into, RING_BYTES) > 0:
            pass

    def attach(self, tls: NativeTls) -> None:
        """Have OpenSSL write what this connection sends here from now on."""
        native = _native(tls)
        self._library.BIO_up_ref(self._near)  # SSL_set0_wbio takes one over
        self._library.SSL_set0_wbio(native, self._near)

    def is_attached(self, tls: NativeTls) -> bool:
        """Return whether OpenSSL writes here what this connection sends."""
        found: int | None = self._library.SSL_get_wbio(_native(tls))
        return found == self._near.value


def new_ring() -> Ring | None:
    """Return a ring; None where this Python or its OpenSSL is not as it has to be."""
    library = _library() if is_native() else None
    if library is None:
        return None
    try:
        ring = Ring(library)
        return ring if _proved(library, ring) else None
    except MemoryError:
        return None


def _native(tls: NativeTls) -> ctypes.c_void_p:
    """Return the SSL: the second pointer in CPython's object (see `_is_as_known`)."""
    at = id(tls) + object.__basicsize__ + _POINTER_BYTES
    return ctypes.c_void_p.from_address(at)


def _is_as_known(tls: NativeTls | None, context: ssl.SSLContext) -> bool:
    """Return whether CPython's object begins with no socket, the SSL, and the context.

    Nothing is followed to find that out: the first and the third pointer are known beforehand.
    """
    head = object.__basicsize__
    if type(tls).__basicsize__ < head + 3 * _POINTER_BYTES:
        return False
    pointers = (ctypes.c_void_p * 3).from_address(id(tls) + head)
    return pointers[0] is None and pointers[1] is not None and pointers[2] == id(context)


def _proved(library: ctypes.PyDLL, ring: Ring) -> bool:
    """Return whether a hello that OpenSSL writes comes out of the ring, and nowhere else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outgoing = ssl.MemoryBIO()
    owner = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="a.test")
    tls: NativeTls | None = getattr(owner, "_sslobj", None)
    if tls is None or not _is_as_known(tls, context):
        return False
    own = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    if library.SSL_get_SSL_CTX(_native(tls)) != own.value or ring.is_attached(tls):
        return False
    ring.attach(tls)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    size = ring.pending
    hello = bytes(ring.read())
    whole = len(hello) == size > 9 and size == 5 + int.from_bytes(hello[3:5], "big")
    sound = whole and hello[0] == 22 and hello[5] == 1 and b"a.test" in hello
    return sound and not ring.pending and not outgoing.pending and ring.is_attached(tls)


@cache
def _library() -> ctypes.PyDLL | None:
    """Return the OpenSSL that Python's `ssl` calls; None where it is hidden or another one."""
    if sys.implementation.name != "cpython":
        return None
    pointer, number, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
    calls = {
        "BIO_new_bio_pair": (number, (pointer, size, pointer, size)),
        "BIO_nwrite0": (number, (pointer, pointer)),
        "BIO_nread": (number, (pointer, pointer, number)),
        "BIO_ctrl_pending": (size, (pointer,)),
        "BIO_up_ref": (number, (pointer,)),
        "SSL_set0_wbio": (None, (pointer, pointer)),
        "SSL_get_wbio": (pointer, (pointer,)),
        "SSL_get_SSL_CTX": (pointer, (pointer,)),
        "OpenSSL_version_num": (ctypes.c_ulong, ()),
    }
    try:
        import _ssl

        # What is looked up through `_ssl` is what it is linked to. None of these calls waits, so
        # none gives up the interpreter's lock.
        library = ctypes.PyDLL(_ssl.__file__)
        for name, (result, arguments) in calls.items():
            call = getattr(library, name)
            call.restype, call.argtypes = result, arguments
        same: bool = library.OpenSSL_version_num() == ssl.OPENSSL_VERSION_NUMBER
    except (ImportError, AttributeError, OSError):
        return None
    return library if same else None
