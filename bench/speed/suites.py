"""Which TLS 1.3 suite a client offers: one only, so that all servers encrypt alike.

Servers choose for themselves among what is offered, and not all choose the same.
"""

from __future__ import annotations

import _ssl
import ctypes
import os
import ssl
from functools import cache
from pathlib import Path

from bench.speed.load import WrongAnswer

AES_128 = "TLS_AES_128_GCM_SHA256"
AES_256 = "TLS_AES_256_GCM_SHA384"


class NoSuite(WrongAnswer):
    """This Python's libssl cannot be told which suite to offer."""


@cache
def offering(suite: str) -> ssl.SSLContext:
    """A context that trusts everybody and offers this suite. Raises NoSuite."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if hasattr(context, "set_ciphersuites"):  # from Python 3.15 on
        context.set_ciphersuites(suite)
        return context
    # Python's object begins with a pointer to OpenSSL's. Whoever uses the context checks the
    # outcome by `check`.
    try:
        library = ctypes.CDLL(_ssl.__file__)
        choose = library.SSL_CTX_set_ciphersuites
    except (AttributeError, OSError) as error:
        raise NoSuite(str(error)) from error
    choose.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    choose.restype = ctypes.c_int
    inner = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
    if choose(inner, suite.encode()) != 1:
        raise NoSuite(f"libssl knows no {suite}")
    return context


def check(tls: ssl.SSLObject | ssl.SSLSocket, suite: str) -> None:
    """Raises NoSuite when another suite was agreed on."""
    agreed = tls.cipher()
    if agreed is None or agreed[0] != suite:
        raise NoSuite(f"{agreed} was agreed on, where {suite} was offered")


def environment(suite: str, directory: Path) -> dict[str, str]:
    """For programs that use OpenSSL and have no switch for it; writes a file."""
    path = directory / f"{suite}.cnf"
    path.write_text(
        "openssl_conf = all\n[all]\nssl_conf = tls\n[tls]\nsystem_default = default\n"
        f"[default]\nCiphersuites = {suite}\n"
    )
    return os.environ | {"OPENSSL_CONF": str(path)}
