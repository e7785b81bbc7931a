"""Downloads from a server whose line was down for longer than its neighbour waits for it go on when
the line is up again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from functools import partial
from pathlib import Path

import pytest

from headrace.lab.namespaces.enter import inside
from headrace.vip.handover.silence_rules import TABLE
from tests.harness.downloads import passes
from tests.harness.namespaces import Namespaces
from tests.harness.vip_site import HOST, PATIENCE_S, VipServer, VipSite, vip6_of, vip_of

pytestmark = pytest.mark.timeout(400)

VIPS = (vip_of(1), vip6_of(1))
FILE, FILE_BYTES = "/film", 8 * 1024 * 1024
BUFFER_BYTES = 64 * 1024
QUIET_S = 1.0


class Slow:
    """A client that has room for little, and says nothing more once it has read what came."""

    def __init__(self, site: VipSite, vip: str) -> None:
        self._socket = inside(site.where.name, lambda: self._connected(vip))
        self._got = bytearray()

    def _connected(self, vip: str) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        made.settimeout(PATIENCE_S)
        made.connect((vip, 80))
        request = f"GET {FILE} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        made.sendall(request.encode())
        return made

    def begin(self) -> None:
        """Read a little."""
        while len(self._got) < 4 * BUFFER_BYTES:
            self._got += self._socket.recv(BUFFER_BYTES)

    def drain(self) -> None:
        """Read until nothing comes any more."""
        self._socket.settimeout(QUIET_S)
        with contextlib.suppress(TimeoutError):
            while data := self._socket.recv(BUFFER_BYTES):
                self._got += data
        self._socket.settimeout(PATIENCE_S)

    def ends_well(self, wanted: Path) -> None:
        """Read all; every byte is right."""
        while data := self._socket.recv(1 << 20):
            self._got += data
        self._socket.close()
        body = bytes(self._got).partition(b"\r\n\r\n")[2]
        assert hashlib.sha256(body).digest() == hashlib.sha256(wanted.read_bytes()).digest()


def rules(server: VipServer) -> str:
    """The rules of its silence; "" for none."""
    tables = server.where.run("nft", "list", "tables")
    return server.where.run("nft", "list", "table", "netdev", TABLE) if TABLE in tables else ""


def given_up(server: VipServer, vip: str) -> bool:
    """Whether a server passes on nothing of a VIP."""
    return passes(server, vip) == ""


@pytest.fixture
def site(namespaces: Namespaces, open_path: Path) -> VipSite:
    """Two servers."""
    made = VipSite(namespaces, open_path)
    made.where.run("sysctl", "-qw", "net.ipv6.conf.all.keep_addr_on_down=1")
    # The edge is to end nothing itself: no client that takes nothing, no origin beyond the line.
    waits = ("rate_window", "origin_between_bytes", "origin_first_byte")
    made.start(edge={"timeouts": dict.fromkeys(waits, "120s")})
    made.until(lambda: passes(made.servers[2], vip_of(1)) == "s1", "s2 passes on to s1")
    made.until(lambda: passes(made.servers[1], vip_of(2)) == "s2", "s1 passes on to s2")
    return made


def test_downloads_outlive_a_cut_of_their_servers_line(site: VipSite) -> None:
    first, second = site.servers[1], site.servers[2]
    file = site.directory / "files" / FILE[1:]
    file.write_bytes(os.urandom(FILE_BYTES))
    # The origin is beyond that line: all of it is to be stored.
    assert site.fetch(VIPS[0], FILE) == file.read_bytes()
    running = [Slow(site, vip) for vip in VIPS]
    for one in running:
        one.begin()
    site.where.ip("link", "set", "s1", "down")
    for one in running:
        one.drain()
    for vip in VIPS:
        site.goes_to(vip, 2)
        site.until(partial(given_up, second, vip), "s2 has given s1 up")
    site.until(lambda: all(vip in rules(first) for vip in VIPS), "s1 is silent")
    site.where.ip("link", "set", "s1", "up")
    for one in running:
        one.ends_well(file)
    site.settled()
    site.until(lambda: rules(first) == "", "nothing is left of it")
    assert "handover_silence" in first.events()
    assert "handover_silence" not in second.events()
