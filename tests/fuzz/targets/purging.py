"""What the admin API is asked: purges, listings, cursors, tokens; refused by a problem or done.

The input is a kind of question and its text. A purge of a prefix covers every URL that begins so;
a purge never reaches another service than those that it names.
"""

from __future__ import annotations

import json

from headrace.cache.key import KeyRules, UnusableUrl, keys_for_url
from headrace.edge.admin.objects import place_of
from headrace.edge.admin.purging import Directory, ServiceKeys, plan_purge
from headrace.edge.admin.requests import ListRequest, PurgeRequest, UrlRequest
from headrace.http.target import BadTarget, normalise_target
from headrace.node.admin.auth import allowed
from headrace.node.admin.guard import from_elsewhere, host_allowed
from headrace.node.admin.problem import ProblemError, problem_body
from headrace.node.admin.requests import read_body, read_query
from tests.fuzz.inputs import Bytes

WORDS = (
    b'{"url": "', b'{"prefix": "', b'{"tag": "', b'{"all": true', b'"soft": ', b'"service": "',
    b"http://video.example/", b"https://", b"Bearer ", b"a-token-for-tests-only", b"..", b"%2f",
    b"?", b"#", b"\\u0000", b"\\ud800", b"[::1]", b":80",
)  # fmt: skip

DIRECTORY = Directory(
    (
        ServiceKeys("exact", (b"video.example",), KeyRules()),
        ServiceKeys("wild", (b"*.example",), KeyRules(sort=False)),
        ServiceKeys("shared", (b"*",), KeyRules(host=False, query="drop")),
    )
)
TOKEN = "a-token-for-tests-only"


def check(data: bytes) -> None:
    """Ask one question."""
    source = Bytes(data)
    kind = source.number(5)
    rest = source.rest()
    text = rest.decode("utf-8", "replace")
    try:
        match kind:
            case 0:
                plan_purge(read_body(PurgeRequest, rest), DIRECTORY)
            case 1:
                _purge_prefix(text)
            case 2:
                _same_as_the_request(rest)
            case 3:
                _list(text)
            case 4:
                value = rest.decode("utf-8", "surrogateescape")
                assert not allowed(value, TOKEN) or TOKEN in value
                host_allowed(value, {"localhost"})
                from_elsewhere(value, None, "a")
            case _:
                read_query(UrlRequest, {"url": text})
    except ProblemError as problem:
        assert 400 <= problem.status < 500
        assert json.loads(problem_body(problem.status, problem.detail, field=problem.field))


def _purge_prefix(text: str) -> None:
    for service in ("exact", "shared", None):
        body: dict[str, object] = {"prefix": text}
        if service is not None:
            body["service"] = service
        for purge in plan_purge(read_body(PurgeRequest, json.dumps(body).encode()), DIRECTORY):
            assert purge.service is not None
            assert purge.value.startswith(purge.service.encode() + b"\n")
            assert service is None or purge.service == service
            if "?" in text or purge.service != "exact":
                continue
            for more in ("", "x", "?a=b", "x/y"):
                try:
                    (key,) = keys_for_url("exact", text.strip() + more, KeyRules())
                except UnusableUrl:
                    continue
                if not _changes(text, more):
                    assert key.startswith(purge.value), (key, purge.value)


def _changes(text: str, more: str) -> bool:
    """Whether what is added makes the prefix's end mean something else (`..`, `%2`, a host)."""
    stripped = text.strip()
    last = stripped.rpartition("/")[2]
    return bool(more) and ("." in last or "%" in last or stripped.count("/") < 3 or "#" in stripped
                           or "\\" in stripped)  # fmt: skip


def _same_as_the_request(rest: bytes) -> None:
    """The key of a URL is the key of the request for it."""
    try:
        authority, path, query = normalise_target(rest, b"video.example", b"http")
        url = "http://video.example" + rest.decode("ascii")
    except (BadTarget, UnicodeDecodeError):
        return
    if not rest.startswith(b"/") or query is not None:
        return
    purge = plan_purge(
        read_body(PurgeRequest, json.dumps({"url": url, "service": "exact"}).encode()), DIRECTORY
    )[0]
    assert purge.value == b"exact\n" + authority + path, (purge.value, path)


def _list(text: str) -> None:
    asked = read_query(ListRequest, {"prefix": text, "limit": text or "1"})
    assert 1 <= asked.limit <= 1000
    number, _rest = place_of(text, 3)
    assert 0 <= number < 3
