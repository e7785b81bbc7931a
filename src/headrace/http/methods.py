"""Which methods there are, and what may be done with a request by its method alone. Pure."""

from __future__ import annotations

from typing import Final

# Ask for a representation (RFC 9110 sections 9.3.1 and 9.3.2): what a cache answers.
GET_OR_HEAD: Final = (b"GET", b"HEAD")
# Change nothing at the origin (RFC 9110 section 9.2.1).
SAFE: Final = frozenset((*GET_OR_HEAD, b"OPTIONS", b"TRACE"))
# Mean the same when they come twice (RFC 9110 section 9.2.2): may be sent again unasked.
IDEMPOTENT: Final = SAFE | {b"PUT", b"DELETE"}
# What a service takes unless it says otherwise.
USUAL: Final = (*GET_OR_HEAD, b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")
# Refused with 405 where they are not served; all others are unknown, and refused with 501.
KNOWN: Final = frozenset((*USUAL, b"TRACE"))
