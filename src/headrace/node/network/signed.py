"""Documents that nodes of a network hand each other over HTTP, signed with its secret. Pure.

Who asks brings a word that nobody used before, its nonce, and proves that it knows the secret; the
answer is signed for this question. So an answer is never older than its question, and no clock has
a part in it: an old answer does not fit a new question.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets as randomness
from collections.abc import Sequence
from typing import Final

ASK_FIELD: Final = "Headrace-Ask"
ANSWER_FIELD: Final = "Headrace-Answer"
_NONCE_BYTES = 16
_ASK = re.compile(rb"([0-9a-f]{32}) ([0-9a-f]{64})")
_ANSWER = re.compile(rb"[0-9a-f]{64}")

Secrets = Sequence[bytes]
"""The first signs, each is accepted."""


def new_nonce() -> str:
    """Return a word that nobody has used."""
    return randomness.token_hex(_NONCE_BYTES)


def ask_value(secrets: Secrets, target: str, nonce: str) -> str:
    """Return the field with which `target` (path and query) is asked for."""
    return f"{nonce} {_mac(secrets[0], b'ask', target.encode(), nonce.encode())}"


def asked_nonce(secrets: Secrets, target: bytes, value: bytes | None) -> bytes | None:
    """Return the nonce of a question of somebody who knows a secret; None for anybody else."""
    found = _ASK.fullmatch(value or b"")
    if found is None:
        return None
    nonce, mac = found.groups()
    for secret in secrets:
        if hmac.compare_digest(_mac(secret, b"ask", target, nonce).encode(), mac):
            return nonce
    return None


def digest_of(body: bytes) -> bytes:
    """Return what stands for a body in its signature, made once for many who ask."""
    return hashlib.sha256(body).hexdigest().encode()


def answer_value(secrets: Secrets, target: bytes, nonce: bytes, digest: bytes) -> bytes:
    """Return the field that goes with an answer whose body has this digest."""
    return _mac(secrets[0], b"answer", target, nonce, digest).encode()


def answers(secrets: Secrets, target: str, nonce: str, value: str, body: bytes) -> bool:
    """Return whether a body is what somebody who knows a secret answered to this question."""
    said = value.encode("utf-8", "surrogateescape")
    if not _ANSWER.fullmatch(said):
        return False
    digest = digest_of(body)
    return any(
        hmac.compare_digest(
            _mac(secret, b"answer", target.encode(), nonce.encode(), digest).encode(), said
        )
        for secret in secrets
    )


def _mac(secret: bytes, kind: bytes, *said: bytes) -> str:
    """Sign words of which none can have a line's end."""
    return hmac.new(secret, b"\n".join((b"headrace-document", kind, *said)), "sha256").hexdigest()
