"""Caching rules of a service or path, as values. The configuration's model has the same names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

UNREACHABLE_S = 60.0
NEGATIVE_S: Mapping[int, float] = MappingProxyType({404: 1.0, 410: 10.0})


@dataclass(frozen=True, slots=True)
class CacheRules:
    """What an operator decides about caching; everything else is the RFCs'.

    Names of fields, cookies and codings are bytes, field names and codings in lower case. Times
    are seconds.
    """

    targeted: tuple[bytes, ...] = (b"headrace-cache-control", b"cdn-cache-control")
    heuristic_fraction: float = 0.1
    heuristic_max_s: float = 86400.0
    default_lifetime_s: float | None = None
    force_lifetime_s: float | None = None
    negative_s: Mapping[int, float] = field(default_factory=lambda: NEGATIVE_S)
    error_max_s: float = 10.0
    honour_request_directives: bool = True
    stale_while_revalidate_s: float = 0.0
    stale_if_error_s: float = 0.0
    stale_if_unreachable_s: float = UNREACHABLE_S
    store_set_cookie: bool = False
    store_post_answers: bool = False
    bypass_on_cookie: tuple[bytes, ...] = ()
    cookie_in_request: str = "ignore"
    accept_encodings: tuple[bytes, ...] = (b"br", b"gzip")
    languages: tuple[bytes, ...] = ()
    media_types: tuple[bytes, ...] = ()
    shared: bool = True
    max_object_bytes: int | None = None
    slice_bytes: int | None = None
