"""An origin that breaks the protocol in every way costs its own answer, and nothing that stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest

from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Reply, cacheable

LENGTH = b"Content-Length: 1\r\n\r\nx"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BAD_HEADS = {
    "status-099": b"HTTP/1.1 099 X\r\n" + LENGTH,
    "status-600": b"HTTP/1.1 600 X\r\n" + LENGTH,
    "status-999": b"HTTP/1.1 999 X\r\n" + LENGTH,
    "rtsp": b"RTSP/1.0 200 OK\r\n" + LENGTH,
    "no-http": b"220 smtp.example ESMTP\r\n\r\n",
    "nul-in-reason": b"HTTP/1.1 200 O\0K\r\n" + LENGTH,
    "nul-in-value": b"HTTP/1.1 200 OK\r\nX: a\0b\r\n" + LENGTH,
    "bare-cr": b"HTTP/1.1 200 OK\r\nX: a\rb\r\n" + LENGTH,
    "folded": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n" + LENGTH,
    "content-in-205": b"HTTP/1.1 205 Reset\r\n" + LENGTH,
    "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + LENGTH,
    "huge-length": b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\nx",
    "both-framings": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + LENGTH,
    "not-chunked-last": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nx",
    "chunked-in-1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unasked-101": b"HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "many-fields": b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 20_000 + LENGTH,
    "long-field": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400_000 + b"\r\n" + LENGTH,
    "many-interims": b"HTTP/1.1 103 Hints\r\n\r\n" * 200,
    "long-interims": (b"HTTP/1.1 103 Hints\r\nX: " + b"x" * 30_000 + b"\r\n\r\n") * 30,
}
BAD_BODIES = {
    "extensions": CHUNKED + (b"1;" + b"x" * 5000 + b"\r\na\r\n") * 100,
    "trailers": CHUNKED + b"1\r\na\r\n0\r\n" + b"a:\r\n" * 5_000 + b"\r\n",
    "endless-size": CHUNKED + b"0" * 200_000 + b"1\r\na\r\n0\r\n\r\n",
}


@dataclass
class Scene:
    edge: Edge
    origin: Origin

    def descriptors(self) -> int:
        (worker,) = self.edge.worker_pids()
        return psutil.Process(worker).num_fds()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    overrides: dict[str, object] = {
        "workers": 1,
        "timeouts": {"origin_first_byte": 2, "origin_between_bytes": 2},
    }
    with Origin() as origin:
        directory = tmp_path_factory.mktemp("hostile")
        with running_edge(origin.url, directory, overrides) as edge:
            yield Scene(edge, origin)


def settled(scene: Scene, before: int) -> None:
    eventually(lambda: scene.descriptors() <= before, f"there are {before} descriptors again")


@pytest.mark.parametrize("name", BAD_HEADS)
@pytest.mark.parametrize("fields", [(), (("Cookie", "a=b"), ("Authorization", "x"))])
def test_a_head_that_breaks_the_protocol_is_a_502(
    scene: Scene, name: str, fields: tuple[tuple[str, str], ...]
) -> None:
    path = f"/head/{name}/{len(fields)}"
    scene.origin.serve(path, Reply(raw=BAD_HEADS[name]))
    scene.origin.serve("/sound", cacheable(b"sound"))
    assert scene.edge.get("/sound").body == b"sound"
    before = scene.descriptors()
    for _ in range(5):
        assert scene.edge.get(path, *fields).status == 502
    settled(scene, before)
    assert scene.edge.get("/sound").status == 200


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_body_that_floods_with_framing_is_never_whole(scene: Scene, name: str) -> None:
    path = f"/body/{name}"
    scene.origin.serve(path, Reply(raw=BAD_BODIES[name]))
    with scene.edge.client() as client:
        client.ask(path)
        found = client.response()
    assert found.status == 502 or not found.complete


@pytest.mark.parametrize("fault", ["head", "interim"])
def test_a_head_that_never_ends_is_given_up_in_time(scene: Scene, fault: str) -> None:
    path = f"/endless/{fault}"
    start = b"HTTP/1.1 200 OK\r\nX: " if fault == "head" else b"HTTP/1.1 103 Hints\r\nX: "
    scene.origin.serve(path, Reply(raw=start + b"x" * 200, raw_drip=(len(start), 0.1)))
    assert scene.edge.get(path).status == 504


def test_more_than_was_announced_is_left_out(scene: Scene) -> None:
    scene.origin.serve("/long", Reply(body=b"whole", extra=b"HTTP/1.1 200 OK\r\n\r\nforeign"))
    scene.origin.serve("/then", Reply(body=b"then"))
    for _ in range(5):
        assert scene.edge.get("/long", ("Cookie", "a")).body == b"whole"
        assert scene.edge.get("/then", ("Cookie", "a")).body == b"then"


@pytest.mark.parametrize(("status", "given"), [(204, 204), (304, 502)])
def test_content_where_none_may_be_is_left_out(scene: Scene, status: int, given: int) -> None:
    """A 304 is no answer at all: the edge asked without the client's condition."""
    path = f"/none/{status}"
    raw = b"HTTP/1.1 %d X\r\nContent-Length: 7\r\n\r\nforeign" % status
    scene.origin.serve(path, Reply(raw=raw))
    scene.origin.serve("/then", Reply(body=b"then"))
    for _ in range(3):
        found = scene.edge.get(path, ("Cookie", "a"), ("If-None-Match", '"x"'))
        assert found.status == given
        assert not found.body if given == 204 else b"foreign" not in found.body
        assert scene.edge.get("/then", ("Cookie", "a")).body == b"then"
