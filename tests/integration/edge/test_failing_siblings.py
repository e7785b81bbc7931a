"""A server of the site that dies at any byte of its answer, or lies: whoever asked it never shows a
wrong byte. The edge is real, the server that it asks is told what to do wrong.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from headrace.topology.build import load_topology
from headrace.topology.classify import Classes
from headrace.topology.placement import Placement
from tests.harness.bodies import Body
from tests.harness.edge import HOST, Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.replies import End, Recorded, Reply, answer, cacheable
from tests.harness.toml import to_toml
from tests.harness.wire import Client, ConnectionEnded, Response

SLICE_BYTES = 64 * 1024
SHORT = Body(31, 30_000)
LONG = Body(32, 3 * SLICE_BYTES + 1000)
OTHER = Body(33, len(LONG))
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Site:
    """A real server, the one that it asks first, and the origin behind both."""

    edge: Edge
    sibling: Origin
    origin: Origin
    targets: Iterator[str]

    def begin(self, body: Body, script: Callable[[Recorded], Reply]) -> str:
        """Return a new target that the sibling owns and answers like this, the origin rightly."""
        target = next(self.targets)
        self.sibling.serve(target, script)
        self.origin.serve(target, cacheable(body))
        return target

    def get(self, target: str, *fields: tuple[str, str]) -> Response:
        """Ask the edge; the response may be cut."""
        with Client(self.edge.address, timeout_s=20) as client:
            client.ask(target, *fields)
            try:
                found = client.head()
                client.read_body(found)
            except ConnectionEnded:
                return Response(status=0, version="", reason="", headers=[])
            return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    with Origin() as sibling, Origin() as origin:
        description, secret = directory / "network.toml", directory / "secret"
        description.write_text(to_toml(_description(sibling.port)))
        secret.write_text("a-secret-of-tests-that-is-long-enough-for-it\n")
        secret.chmod(0o600)
        settings: dict[str, object] = {
            "workers": 1,
            "store": {"size": "100MiB", "slice": SLICE_BYTES, "checksum": "on_open"},
            "network": {
                "file": description, "server": "one", "secret_file": secret,
                # Slow answers are another test's: the machine may be busy.
                "tiering": {"first_byte": "5s", "answer": "2s"},
            },
        }  # fmt: skip
        with running_edge(origin.url, directory / "edge", settings) as edge:
            edge.expected_errors.add("origin_switch_failed")  # nobody has more than there is
            yield Site(edge, sibling, origin, _targets(description))


def _description(port: int) -> dict[str, object]:
    servers = [("one", "127.0.1.1", 80), ("two", "127.0.0.1", port)]
    return {
        "site": [{"name": "here"}],
        "server": [
            {"name": name, "site": "here", "host": f"{name}.test", "ipv4": [address],
             "http_port": http_port, "capacity": "1Gbps"}
            for name, address, http_port in servers
        ],
        "coverage": [{"name": "all", "default": True, "sites": [{"name": "here"}]}],
        "class": [{"name": "objects", "hosts": [HOST], "store": "always"}],
    }  # fmt: skip


def _targets(description: Path) -> Iterator[str]:
    topology = load_topology(description)
    classes, placement = Classes(topology.classes), Placement(topology)
    for number in itertools.count():
        target = f"/object/{number}"
        found = classes.of(HOST.encode(), target.encode())
        assert found is not None
        if placement.owners("here", found.content, found.shard).servers[0].name == "two":
            yield target


def right_or_failed(found: Response, body: Body, span: tuple[int, int] | None = None) -> bool:
    """Return whether it came whole. Wrong is what looks whole, and any byte that is not of the
    object that the ETag names: a server may well have a newer one.
    """
    start, end = span or (0, len(body))
    if found.status >= 500 or found.status == 0:
        return False
    assert found.status == (206 if span else 200)
    named = {cacheable(one).header("etag"): one for one in (body, OTHER)}
    assert found.body == named[found.header("etag")].read(start, start + len(found.body))
    assert not found.complete or len(found.body) == end - start
    return found.complete


def whole_or_not(reply: Reply) -> Callable[[Recorded], Reply]:
    """Return a script that answers the first request like this, and gets later ones right."""
    right = replace(reply, end=None)
    first = iter([reply])
    return lambda request: answer(next(first, right), request)


SHAPES = ["length", "chunked"]
OFFSETS: list[int | str] = [
    "before_head", "in_head", 0, 1,
    SLICE_BYTES - 1, SLICE_BYTES, SLICE_BYTES + 1,
    2 * SLICE_BYTES - 1, 2 * SLICE_BYTES, 2 * SLICE_BYTES + 1,
    len(LONG) - 1, len(LONG),
]  # fmt: skip


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("framing", SHAPES)
def test_one_that_dies_at_any_byte_is_not_noticed(site: Site, framing: str, *, reset: bool) -> None:
    for at in OFFSETS:
        reply = replace(cacheable(LONG), framing=framing, end=End(at, reset=reset))  # type: ignore[arg-type]
        target = site.begin(LONG, whole_or_not(reply))
        for _time in ("as it comes", "as it is stored"):
            assert right_or_failed(site.get(target), LONG), (at, framing, reset)
        assert site.sibling.count(target), f"the sibling was not asked at {at}"


@pytest.mark.parametrize("at", [0, 1, SLICE_BYTES + 1])
def test_one_that_dies_in_a_part_is_not_noticed(site: Site, at: int) -> None:
    span = (SLICE_BYTES // 2, 3 * SLICE_BYTES)
    target = site.begin(LONG, whole_or_not(replace(cacheable(LONG), end=End(at, reset=True))))
    found = site.get(target, ("Range", f"bytes={span[0]}-{span[1] - 1}"))
    assert right_or_failed(found, LONG, span)


def raw(text: str, body: bytes = b"") -> Reply:
    return Reply(raw=text.replace("\n", "\r\n").encode() + body)


def _head(*lines: str, status: int = 200) -> str:
    tag = cacheable(LONG).header("etag")
    named = [f"HTTP/1.1 {status} X", f"ETag: {tag}", "Cache-Control: max-age=600", *lines]
    return "\n".join(named) + "\n\n"


def _another_part(request: Recorded) -> Reply:
    body = LONG.read(100, 100 + SLICE_BYTES)
    size = len(LONG)
    return raw(
        _head(f"Content-Range: bytes 100-{99 + len(body)}/{size}", f"Content-Length: {len(body)}",
              status=206), body,
    )  # fmt: skip


TOO_MUCH_SAID, TOO_MUCH_SENT = "more is said than comes", "more comes than is said"
LIES: dict[str, Callable[[Recorded], Reply]] = {
    TOO_MUCH_SAID: lambda request: replace(answer(cacheable(LONG), request), length=len(LONG) + 10),
    TOO_MUCH_SENT: lambda request: replace(
        answer(cacheable(LONG), request), extra=b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"
    ),
    "no length agrees": lambda _: raw(
        _head(f"Content-Length: {len(LONG)}", "Content-Length: 5"), LONG.read()
    ),
    "a length and chunks": lambda _: raw(
        _head("Content-Length: 5", "Transfer-Encoding: chunked"), b"5\r\nwrong\r\n0\r\n\r\n"
    ),
    "a part that nobody asked for": _another_part,
    "a part that is no part": lambda _: raw(
        _head("Content-Range: bytes 9-3/*", "Content-Length: 5", status=206), b"wrong"
    ),
    "a chunk that is none": lambda _: replace(
        cacheable(LONG), framing="chunked", bad_chunking="size"
    ),
    "a last chunk that never comes": lambda _: replace(
        cacheable(LONG), framing="chunked", bad_chunking="no_end"
    ),
    "garbage": lambda _: Reply(raw=b"\0\xff garbage " * 5000),
    "an endless head": lambda _: raw("HTTP/1.1 200 X\n" + "X-More: and more of it\n" * 20_000),
    "a flood of 102": lambda _: Reply(raw=PROCESSING * 20_000),
    "102 and nothing": lambda _: Reply(raw=PROCESSING),
    "101": lambda _: raw("HTTP/1.1 101 X\nUpgrade: other\nConnection: upgrade\n\n", b"wrong"),
    "another protocol": lambda _: Reply(raw=b"SSH-2.0-OpenSSH_9.2\r\n"),
    "not modified": lambda _: raw(_head(status=304)),
    "a range that it has not": lambda _: raw(_head("Content-Length: 0", status=416)),
}


@pytest.mark.parametrize("lie", LIES)
def test_of_one_that_lies_nothing_wrong_is_taken(site: Site, lie: str) -> None:
    target = site.begin(LONG, LIES[lie])
    whole = [right_or_failed(site.get(target), LONG) for _time in ("as it comes", "as stored")]
    assert all(whole) or lie == TOO_MUCH_SAID
    assert site.sibling.count(target)
    assert site.origin.count(target) or lie == TOO_MUCH_SENT, "the liar was not left"
    later = site.begin(SHORT, lambda request: answer(cacheable(SHORT), request))
    assert right_or_failed(site.get(later), SHORT)


def _another_size(request: Recorded) -> Reply:
    """Say that the whole is longer by a byte."""
    found = answer(cacheable(LONG), request)
    where = f"bytes {found.start}-{(found.stop or 0) - 1}/{len(LONG) + 1}"
    return replace(found, headers=(*cacheable(LONG).headers, ("Content-Range", where)))


def _another_object(request: Recorded) -> Reply:
    kept = tuple(one for one in request.headers if one[0].lower() != "if-range")
    return answer(cacheable(OTHER), replace(request, headers=kept))


LATER_LIES: dict[str, Callable[[Recorded], Reply]] = {
    "another size": _another_size,
    "another object": _another_object,
    "another object, whole": lambda _: cacheable(OTHER),
    "another part": _another_part,
    "nothing": lambda request: replace(answer(cacheable(LONG), request), end=End(0)),
}


@pytest.mark.parametrize("lie", LATER_LIES)
def test_a_later_part_of_something_else_is_not_taken(site: Site, lie: str) -> None:
    first = iter([True])

    def script(request: Recorded) -> Reply:
        return answer(cacheable(LONG), request) if next(first, False) else LATER_LIES[lie](request)

    target = site.begin(LONG, script)
    for start in (0, SLICE_BYTES, 2 * SLICE_BYTES):
        span = (start, start + SLICE_BYTES)
        found = site.get(target, ("Range", f"bytes={span[0]}-{span[1] - 1}"))
        assert right_or_failed(found, LONG, span) or start
    assert site.sibling.count(target) > 1
    right_or_failed(site.get(target), LONG)
