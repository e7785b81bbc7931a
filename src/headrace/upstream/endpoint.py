"""One origin as the client needs it: where to connect and what to call it."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from weakref import WeakValueDictionary

from headrace.errors import HeadraceError
from headrace.http.origin_url import parse_origin_url


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An origin server. `authority` is its name as in a Host field; `prefix` precedes paths.

    `tls` is None for plain HTTP; `sni` is the name for TLS where it is not `host`. Endpoints that
    compare equal share kept-alive connections.
    """

    host: str
    port: int
    authority: bytes
    prefix: bytes
    tls: ssl.SSLContext | None
    sni: str | None = None

    @classmethod
    def from_url(cls, url: str, tls: ssl.SSLContext | None, sni: str | None = None) -> Endpoint:
        """Read `http(s)://host[:port][/prefix]`. Raises HeadraceError on anything else."""
        try:
            where = parse_origin_url(url)
        except ValueError as error:
            raise HeadraceError(f"origin {url!r}: {error}") from None
        return cls(
            host=where.host,
            port=where.port,
            authority=where.authority.encode("ascii"),
            prefix=where.prefix.encode("ascii"),
            tls=tls if where.scheme == "https" else None,
            sni=sni,
        )


_contexts: WeakValueDictionary[tuple[object, ...], ssl.SSLContext] = WeakValueDictionary()


def origin_context(
    ca_file: str | None, *, verify: bool, shown: tuple[str, str] | None = None
) -> ssl.SSLContext:
    """Return a TLS context for origins: the system's authorities, or `ca_file`'s alone. `shown` are
    the files of a certificate to show to those that ask for one, and of its key.

    The same one for the same files, while it is in use: authorities take a megabyte, and a reload
    that changes nothing shall leave connections, which belong to a context, as they are.
    """
    defaults = ssl.get_default_verify_paths()
    files = (ca_file,) if ca_file is not None else (defaults.cafile, defaults.capath)
    key = (verify, shown is None, *(_state_of(name) for name in (*files, *(shown or ())) if name))
    context = _contexts.get(key)
    if context is None:
        context = ssl.create_default_context(cafile=ca_file)
        # Python before 3.11.4 sets it: whoever is in between could cut a body where he likes.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        context.set_alpn_protocols(["http/1.1"])
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if shown is not None:
            context.load_cert_chain(*shown, password="")  # without one OpenSSL would ask for it
        _contexts[key] = context
    return context


def _state_of(name: str) -> tuple[object, ...]:
    """Read a file as it is now; raises OSError when it is not there."""
    found = os.stat(name)
    return (name, found.st_ino, found.st_size, found.st_mtime_ns)
