"""What fails at one server is its own: its VIPs go to the neighbour, and come back healed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.node.fork_server import WORKER_NAME
from tests.harness.namespaces import Namespaces
from tests.harness.vip_site import BODY, HOST, TOKEN, VipServer, VipSite, vip6_of, vip_of

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def site(namespaces: Namespaces, open_path: Path) -> VipSite:
    """A site of two servers that announce their VIPs."""
    made = VipSite(namespaces, open_path)
    made.start()
    return made


@pytest.fixture
def small_disk(open_path: Path) -> Iterator[Path]:
    """A file system for the store of the first server."""
    path = open_path / "s1" / "cache"
    yield path
    subprocess.run(["umount", "-l", path], check=False)


def moved(site: VipSite) -> None:
    """Wait until both VIPs of server 1 go to server 2, and see that they are served."""
    site.goes_to(vip_of(1), 2)
    site.goes_to(vip6_of(1), 2)
    assert site.fetch(vip_of(1)) == BODY


def purge(server: VipServer) -> None:
    """Forget what its edge has stored."""
    purged = server.curl(
        *("-H", f"Authorization: Bearer {TOKEN}", "--json", '{"all": true}'),
        "http://127.0.0.1:9090/purge",
    )
    assert "generation" in purged, purged


def test_another_certificate_or_other_bytes_take_the_vip_away(site: VipSite) -> None:
    first = site.servers[1]
    other = site.authority.issue("other.example", file_name="other")
    first.write_edge(other)
    first.edge.send(signal.SIGHUP)
    moved(site)
    assert "the certificate is not for vod.example" in first.events()
    first.write_edge(site.pair)
    first.edge.send(signal.SIGHUP)
    site.settled()

    probe = site.directory / "files" / "probe"
    probe.write_bytes(b"something else\n")
    purge(first)
    moved(site)
    assert "other bytes for vod.example/probe" in first.events()
    done = first.headrace("status", "--check")
    assert done.returncode == 1
    assert f"VIPs {vip_of(1)}, " in done.stdout
    assert "other bytes for vod.example/probe); announced by s2" in done.stdout
    probe.write_bytes(BODY)
    purge(first)
    site.settled()
    assert first.headrace("status", "--check").returncode == 0


def test_what_hangs_is_noticed_and_what_is_killed_comes_back(site: VipSite) -> None:
    first = site.servers[1]
    first.edge.send(signal.SIGSTOP)
    moved(site)
    first.edge.send(signal.SIGCONT)
    site.settled()
    # The process that checks: its supervisor kills it, and what it announced goes with it.
    worker = first.vip.children(WORKER_NAME)[0]
    os.kill(worker, signal.SIGSTOP)
    moved(site)
    site.settled()
    assert first.vip.children(WORKER_NAME)[0] != worker
    assert "worker_hangs" in first.vip.log()
    # The speaker.
    os.kill(first.vip.children("program.py")[0], signal.SIGKILL)
    moved(site)
    site.settled()
    # All of it: what it bound stays, is known to be its own by the next one, and goes with that.
    first.vip.kill()
    moved(site)
    second = site.servers[2]

    def doubts() -> bool:
        explained = second.headrace("explain", vip_of(1)).stdout
        return "as far as s2 knows, s2 has it, unless s1 has\n" in explained

    site.until(doubts, "it is not known any more what the first announces")
    assert "of s1 now, unless s1 has them: s1 unknown: " in second.headrace("status").stdout
    assert vip_of(1) in first.bound()
    first.vip.start()
    site.settled()
    assert first.vip.stop() == 0
    assert first.bound() == set()
    assert site.fetch(vip_of(1)) == BODY


def test_an_address_that_somebody_removed_is_bound_again_and_others_stay(site: VipSite) -> None:
    first = site.servers[1]
    first.where.ip("address", "add", "192.0.2.77/32", "dev", "lo")
    first.where.ip("address", "del", f"{vip_of(1)}/32", "dev", "lo")
    site.until(lambda: "the address is not bound" in first.events(), "a check misses it")
    site.settled()
    wanted = {vip_of(1), vip_of(2), vip6_of(1), vip6_of(2), "192.0.2.77"}
    site.until(lambda: first.bound() == wanted, "the address is bound again")
    assert first.vip.stop() == 0
    assert first.bound() == {"192.0.2.77"}


def test_a_store_that_takes_nothing_is_worse_than_a_neighbours(
    namespaces: Namespaces, open_path: Path, small_disk: Path
) -> None:
    site = VipSite(namespaces, open_path)
    small_disk.mkdir()
    options = "mode=0700,size=96m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", small_disk], check=True)
    site.start()
    first = site.servers[1]
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(bytes(1 << 12)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
    # An object that is not stored yet: what is stored can be read. And one that would be a file.
    (site.directory / "files" / "probe-file").write_bytes(bytes(24 * 1024))
    first.vip.stop()
    other = {"host": HOST, "path": "/probe-file", "stored": True}
    first.write_vip(check=[other])
    first.vip.start()
    site.until(
        lambda: {one["why"] for one in first.status().get("vips", [])} == {"degraded"},
        "its VIPs are degraded",
    )
    assert "did not come from the store" in first.headrace("explain", vip_of(1)).stdout
    moved(site)
    assert "BGP.med" in site.router.ask("show", "route", f"{vip_of(1)}/32", "all")
    (small_disk / "filler").unlink()
    site.settled()


def test_a_server_that_fails_again_and_again_is_damped(site: VipSite) -> None:
    first = site.servers[1]
    for _time in range(3):
        first.edge.kill()
        moved(site)
        first.edge.start()
        site.until(lambda: first.curl("http://127.0.0.1:9090/ready"), "the edge is back")
        site.until(
            lambda: "sound" in [one["soundness"] for one in first.status().get("vips", [])],
            "its checks pass",
        )
    site.until(
        lambda: [one["why"] for one in first.status()["vips"]].count("damped") >= 2,
        "its VIPs are damped",
    )
    moved(site)


def test_a_worker_whose_supervisor_was_killed_leaves_before_the_next_begins(site: VipSite) -> None:
    """Also while a stranger holds a connection open; else both would announce and bind."""
    first = site.servers[1]
    half = "GET / HTTP/1.1\r\nHost: x\r\nX: "
    holder = (
        f"import socket, time; s = socket.create_connection(('{first.own}', 8093)); "
        f"s.sendall({half.encode()!r}); print(flush=True); time.sleep(600)"
    )
    held = site.where.popen([sys.executable, "-c", holder], stdout=subprocess.PIPE)
    assert held.stdout is not None
    held.stdout.readline()
    os.kill(first.vip.pid, signal.SIGKILL)
    first.vip.start()
    first.ready()
    site.settled()
    was, _ready, now = first.vip.log().rpartition('"event": "ready"')
    assert '"event": "addresses_changed"' in was
    assert '"removed": ["192' not in now
    assert "session_down" not in now
