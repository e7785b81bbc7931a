"""How many system calls a hit costs: a regression test of the hot path without a clock.

`strace` writes down what a worker's loop asks of the kernel while a fixed script runs. What it
does by itself meanwhile (timers, the look-up every two seconds) is little beside so many hits.
"""

from __future__ import annotations

import re
import stat
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import cacheable

pytestmark = pytest.mark.alone

EDGE: dict[str, object] = {"workers": 1, "store": {"size": "1GiB", "slice": "8MiB"}}
MANIFEST = Body(301, 1_000)
SEGMENT = Body(302, 2_000_000)
# What one hit took when this was recorded; uvloop waits with epoll_pwait.
OF_A_MANIFEST = {"epoll_pwait": 1, "recvfrom": 1, "sendto": 1}
OF_A_SEGMENT = {"epoll_pwait": 1, "recvfrom": 1, "sendto": 1, "sendfile": 2}  # a megabyte each
TOLERANCE = 1.10
_CALL = re.compile(r"^([a-z_0-9]+)\(", re.MULTILINE)


def calls_of_hits(edge: Edge, directory: Path, path: str, body: Body, count: int) -> Counter[str]:
    """What the worker's loop asks of the kernel for so many hits on one connection."""
    with edge.client() as client:
        for _ in range(3):
            assert client.get(path).status == 200

        def ask(_number: int) -> None:
            found = client.get(path)
            assert found.hit
            assert len(found.body) == len(body)

        return calls_of(edge, directory, ask, count)


def calls_of(edge: Edge, directory: Path, ask: Callable[[int], None], count: int) -> Counter[str]:
    """What the worker's loop asks of the kernel while `ask(number)` is done so many times."""
    (worker,) = edge.worker_pids()
    trace, said = directory / "trace", directory / "strace.log"
    with said.open("wb") as errors:
        strace = subprocess.Popen(["strace", "-o", str(trace), "-p", str(worker)], stderr=errors)
    try:
        eventually(lambda: "attached" in said.read_text(), "strace is attached")
        for number in range(count):
            ask(number)
    finally:
        strace.terminate()
        strace.wait(20)
    return Counter(_CALL.findall(trace.read_text()))


@pytest.mark.parametrize(
    ("body", "count", "recorded"),
    [
        pytest.param(MANIFEST, 400, OF_A_MANIFEST, id="manifest"),
        pytest.param(SEGMENT, 100, OF_A_SEGMENT, id="segment"),
    ],
)
def test_a_hit_takes_no_more_system_calls_than_recorded(
    edge: Edge, origin: Origin, path: str, tmp_path: Path,
    body: Body, count: int, recorded: dict[str, int],
) -> None:  # fmt: skip
    origin.serve(path, cacheable(body))
    found = calls_of_hits(edge, tmp_path, path, body, count)
    allowed = {name: count * each * TOLERANCE for name, each in recorded.items()}
    grown = {name: found[name] for name in allowed if found[name] > allowed[name]}
    assert not grown, f"{count} hits took {grown}, where {allowed} are allowed"
    assert found.total() <= sum(allowed.values()), f"there are new kinds of calls: {found}"


def test_a_file_whose_pages_were_sent_is_marked(
    edge: Edge, origin: Origin, path: str, tmp_path: Path
) -> None:
    origin.serve(path, cacheable(SEGMENT))
    found = calls_of_hits(edge, tmp_path, path, SEGMENT, 50)
    assert found["sendfile"]
    files = [file for file in (edge.cache_dir / "objects").rglob("*") if file.is_file()]
    marks = [file.stat().st_mode & stat.S_IXUSR for file in files]
    assert any(marks), "a file whose pages the network was lent may be written over"
