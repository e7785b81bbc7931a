"""Request targets: one canonical form, safe to put into a path and a key, and stable.

The input is a scheme's choice, a Host and a target.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from headrace.cache.key import KeyRules, cache_key
from headrace.http.message import Headers, Request
from headrace.http.target import BadTarget, normalise_target
from tests.fuzz.inputs import Bytes

WORDS = (
    b"/../", b"/./", b"%2e", b"%2F", b"%5c", b"%00", b"//", b"?", b"#", b";", b"http://",
    b"https://", b":80", b"[::1]", b"@", b"&", b"=", b"CMCD=", b"v=", b"*", b"..",
)  # fmt: skip

RULES = (
    KeyRules(), KeyRules(sort=False), KeyRules(query="drop"), KeyRules(host=False),
    KeyRules(keep=frozenset((b"v",))), KeyRules(drop=frozenset((b"v",))),
)  # fmt: skip
_SAFE = re.compile(rb"/(?:[!$&-;=@-Z_a-z~\[\]]|%[0-9A-Fa-f]{2})*")


def check(data: bytes) -> None:
    """Normalise, and look at what came out."""
    source = Bytes(data)
    scheme = source.choice((b"http", b"https"))
    host = source.piece(40) if source.flag() else None
    target = source.rest()
    try:
        authority, path, query = normalise_target(target, host, scheme)
    except BadTarget as error:
        assert 400 <= error.status < 500
        return
    assert not re.search(rb"[\x00-\x20/\\@?#A-Z]", authority), authority
    if path == b"*":
        return
    assert _SAFE.fullmatch(path), path
    assert not {b".", b".."} & set(path.split(b"/")), path
    decoded = unquote_to_bytes(path)
    assert not re.search(rb"[\x00-\x1f\x7f\\]", decoded), decoded
    assert query is None or not re.search(rb"[\x00-\x20\x7f#]", query), query
    again = path if query is None else path + b"?" + query
    assert normalise_target(again, authority or None, scheme) == (authority, path, query)
    keys = set()
    for rules in RULES:
        request = Request(b"GET", target, scheme, authority, path, query, (1, 1), Headers())
        key = cache_key("s", request, rules)
        assert key.startswith(b"s\n" + (authority if rules.host else b"") + path)
        assert key.count(b"\n") == 1, key
        keys.add(key)
