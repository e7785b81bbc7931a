"""Two servers of a site with one file of ticket secrets: who was on one resumes on the other."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.config.ticket_secrets import PERIOD_S, period_at
from tests.harness.certificates import Authority, Pair
from tests.harness.clocks import ShiftedClock
from tests.harness.edge import Edge, config_for, free_port, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import cacheable
from tests.harness.wire import Client

# Up to three edges each, with commands between.
pytestmark = pytest.mark.timeout(300)

NAME = "one.test"
HEADRACE = str(Path(sys.executable).parent / "headrace")
PATH = "/shared"
Version = ssl.TLSVersion
VERSIONS = (Version.TLSv1_2, Version.TLSv1_3)


class Visitor:
    """A client of Python's ssl that keeps its session and takes it from server to server."""

    def __init__(self, authority: Authority, version: Version) -> None:
        self.context = authority.client_context()
        self.context.minimum_version = self.context.maximum_version = version
        self.session: ssl.SSLSession | None = None

    def connect(self, server: Server, session: ssl.SSLSession | None = None) -> Client:
        return Client(
            ("127.0.0.1", server.port), tls=self.context, server_name=NAME, session=session
        )

    def visit(self, server: Server, *, keep: bool = True) -> bool:
        """Make one request; return whether the session was resumed."""
        with self.connect(server, self.session) as client:
            assert client.get(PATH, ("Host", NAME)).status == 200
            assert isinstance(client.sock, ssl.SSLSocket)
            if keep:
                self.session = client.sock.session
            return bool(client.sock.session_reused)


class Visitors:
    """One for each version of TLS."""

    def __init__(self, authority: Authority) -> None:
        self.each = {version: Visitor(authority, version) for version in VERSIONS}

    def visit(self, server: Server, *, keep: bool = True) -> bool:
        """Make one request each; return whether the sessions were resumed, all or none."""
        found = {one.visit(server, keep=keep) for one in self.each.values()}
        assert len(found) == 1
        return found.pop()


class Site:
    """Servers that share a certificate and a file of secrets, and the one clock that they have."""

    def __init__(self, directory: Path, origin: Origin, running: contextlib.ExitStack) -> None:
        self.directory = directory
        self.authority = Authority(directory / "authority")
        self.pair = self.authority.issue(NAME)
        self.secrets = directory / "ticket.secrets"
        self.clock = ShiftedClock(directory / "clock")
        # In the middle of a period: the real time may be seconds before the next.
        self.clock.set((period_at(self.clock.now()) + 0.5) * PERIOD_S)
        self._origin = origin
        self._running = running
        origin.serve(PATH, cacheable(b"x"))
        self.run_command("new")

    def run_command(self, *arguments: str) -> str:
        with self.clock.given():
            made = subprocess.run(
                [HEADRACE, "tickets", *arguments, str(self.secrets)],
                capture_output=True, text=True, timeout=60, check=True,
            )  # fmt: skip
        return made.stdout

    def visitors(self) -> Visitors:
        return Visitors(self.authority)

    def server(
        self,
        name: str,
        *,
        secrets: Path | None = None,
        pair: Pair | None = None,
        clock: ShiftedClock | None = None,
    ) -> Server:
        return Server(self, name, secrets or self.secrets, pair or self.pair, clock or self.clock)

    def start(self, name: str, document: dict[str, object], clock: ShiftedClock) -> Edge:
        with clock.given():
            return self._running.enter_context(
                running_edge(self._origin.url, self.directory / name, document)
            )

    def configuration(self, server: Server, more: dict[str, object]) -> dict[str, object]:
        return config_for(
            self._origin.url, server.edge.cache_dir, server.edge.port, server.edge.admin_port, more
        )


class Server:
    """A real edge."""

    def __init__(
        self, site: Site, name: str, secrets: Path, pair: Pair, clock: ShiftedClock
    ) -> None:
        self.port = free_port()
        self.ca_file = site.authority.ca_file
        self.clock = clock
        self.options: dict[str, object] = {
            "node_id": name,
            "listen": [{"address": f"127.0.0.1:{self.port}", "tls": True}],
            "certificate": [{"cert": pair.cert, "key": pair.key}],
            "tls": {"ticket_secret_file": secrets},
        }
        self.edge = site.start(name, self.options, clock)

    @property
    def resumed(self) -> float:
        return self.edge.metric("headrace_tls_resumptions_total")

    def restart(self) -> None:
        self.edge.stop()
        with self.clock.given():
            self.edge.start_again()

    def openssl(self, version: str, *options: str) -> str:
        """One request by `openssl s_client`; what it says of the session."""
        asked = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", NAME,
             "-CAfile", str(self.ca_file), "-verify_return_error", "-ign_eof", version, *options],
            input=f"GET {PATH} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode(),
            capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        assert b"HTTP/1.1 200" in asked.stdout
        return asked.stdout.decode("latin-1")

    def sealing(self) -> str:
        """The name of the key that seals now: a ticket begins with it."""
        found = re.search(r"session ticket:\s+0000 - ([0-9a-f -]{47})", self.openssl("-tls1_2"))
        assert found is not None
        return found[1]


@pytest.fixture
def site(tmp_path: Path, origin: Origin) -> Iterator[Site]:
    with contextlib.ExitStack() as running:
        yield Site(tmp_path, origin, running)


def move(site: Site, by_s: float, *servers: Server) -> None:
    """Set the clock ahead by whole periods, and wait until each worker of the servers follows."""
    before = {server: server.sealing() for server in servers}
    site.clock.move(by_s)
    for server in servers:
        eventually(
            lambda server=server: all(  # type: ignore[misc]
                server.sealing() != before[server] for _ in range(6)
            ),
            "another key seals",
            30,
        )


def test_a_client_resumes_on_the_neighbour_and_back(site: Site) -> None:
    one, two = site.server("one"), site.server("two")
    visitors = site.visitors()
    assert not visitors.visit(one)
    for server in (two, one, two, two, one):
        assert visitors.visit(server)
    assert (one.resumed, two.resumed) == (4, 6)
    assert one.sealing() == two.sealing()


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
def test_openssl_resumes_on_the_neighbour(site: Site, tmp_path: Path, option: str) -> None:
    one, two = site.server("one"), site.server("two")
    kept = str(tmp_path / "session")
    assert "New, TLSv1" in one.openssl(option, "-sess_out", kept)
    assert "Reused, TLSv1" in two.openssl(option, "-sess_in", kept)


def test_periods_go_by_without_a_gap(site: Site) -> None:
    one, two = site.server("one"), site.server("two")
    visitors = site.visitors()
    visitors.visit(one)
    with visitors.each[Version.TLSv1_3].connect(one) as waiting:
        assert waiting.get(PATH, ("Host", NAME)).status == 200
        move(site, PERIOD_S, one, two)
        assert visitors.visit(two, keep=False)
        assert visitors.visit(two)  # TLS 1.3: and brings home a ticket of the present period
        move(site, PERIOD_S, one, two)
        kept = {version: one_of.visit(one) for version, one_of in visitors.each.items()}
        assert kept == {Version.TLSv1_2: False, Version.TLSv1_3: True}
        assert waiting.get(PATH, ("Host", NAME)).status == 200  # and no connection was cut
    assert one.edge.metric("headrace_worker_exits_total") == 0


def test_clocks_may_differ(site: Site, tmp_path: Path) -> None:
    ahead = ShiftedClock(tmp_path / "ahead")
    ahead.set(site.clock.now() + PERIOD_S)
    one, two = site.server("one"), site.server("two", clock=ahead)
    assert one.sealing() != two.sealing()
    for first, second in ((one, two), (two, one)):
        visitors = site.visitors()
        visitors.visit(first)
        assert visitors.visit(second)


def test_a_new_secret_comes_into_force_without_a_gap(site: Site) -> None:
    one, two = site.server("one"), site.server("two")
    old = site.run_command("show").split()[0]
    new = site.run_command("new").split()[1]
    for server in (one, two):
        assert [event["secret"] for event in server.edge.events("ticket_secret_in_force")] == [old]
    move(site, PERIOD_S, one, two)
    visitors = site.visitors()
    visitors.visit(one)
    move(site, PERIOD_S, one, two)
    for server in (one, two):
        assert [event["secret"] for event in server.edge.events("ticket_secret_in_force")] == [
            old,
            new,
        ]
        assert server.edge.metric("headrace_ticket_secret_in_force", secret=new) == 1
    assert visitors.visit(two)
    assert visitors.visit(one)


def test_a_restart_and_a_reload_forget_nothing(site: Site) -> None:
    one, two = site.server("one"), site.server("two")
    visitors = site.visitors()
    visitors.visit(one)
    one.restart()
    assert visitors.visit(one)
    two.edge.reload()
    assert visitors.visit(two)
    before = set(two.edge.worker_pids())
    two.edge.kill_worker()
    two.edge.expected_errors.add("worker_died")

    def is_replaced() -> bool:
        now = set(two.edge.worker_pids())
        return len(now) == 2 and now != before

    eventually(is_replaced, "the worker is replaced", 30)
    for _ in range(6):
        assert visitors.visit(two)


def test_another_sites_secret_opens_nothing(site: Site, tmp_path: Path) -> None:
    theirs = tmp_path / "their.secrets"
    subprocess.run([HEADRACE, "tickets", "new", str(theirs)], check=True, timeout=60)
    one, other = site.server("one"), site.server("other", secrets=theirs)
    visitors = site.visitors()
    visitors.visit(one)
    assert not visitors.visit(other, keep=False)
    assert visitors.visit(one)


def test_another_certificate_for_the_same_name_opens_nothing(site: Site) -> None:
    pair = site.authority.issue(NAME, file_name="another")
    one, other = site.server("one"), site.server("other", pair=pair)
    visitors = site.visitors()
    visitors.visit(one)
    assert not visitors.visit(other, keep=False)
    assert visitors.visit(one)


def test_a_secret_that_was_stolen_is_forgotten_at_once(site: Site) -> None:
    one = site.server("one")
    visitors = site.visitors()
    visitors.visit(one)
    before = one.sealing()
    site.run_command("new", "--forget")
    eventually(lambda: all(one.sealing() != before for _ in range(6)), "another key seals", 30)
    assert not visitors.visit(one)
    assert visitors.visit(one)


def test_a_file_that_is_cut_open_to_all_or_gone_costs_nobody_a_session(
    site: Site,
) -> None:
    one = site.server("one")
    one.edge.expected_errors.add("ticket_secrets_refused")
    visitors = site.visitors()
    visitors.visit(one)
    whole = site.secrets.read_bytes()
    for length in (0, 20, len(whole) - 1):
        site.secrets.write_bytes(whole[:length])
        refused = len(one.edge.events("ticket_secrets_refused"))
        eventually(
            lambda refused=refused: (  # type: ignore[misc]
                len(one.edge.events("ticket_secrets_refused")) > refused
            ),
            "the file is refused",
            30,
        )
        assert visitors.visit(one)
    site.secrets.write_bytes(whole)
    os.chmod(site.secrets, 0o644)
    os.utime(site.secrets, (1, 1))
    eventually(lambda: bool(one.edge.events("secret_file_exposed")), "it is reported", 30)
    site.secrets.unlink()
    for _ in range(3):
        assert visitors.visit(one)
    text = one.edge.log()
    assert whole.decode().strip() not in text


def test_a_reload_takes_the_setting_away_and_brings_it_back(site: Site) -> None:
    one, two = site.server("one"), site.server("two")
    visitors = site.visitors()
    visitors.visit(one)
    with visitors.each[Version.TLSv1_3].connect(one) as waiting:
        assert waiting.get(PATH, ("Host", NAME)).status == 200
        own = {**one.options, "tls": {}}
        one.edge.write_config(site.configuration(one, own))
        one.edge.reload()
        assert not visitors.visit(one, keep=False)
        assert visitors.visit(two, keep=False)
        one.edge.write_config(site.configuration(one, one.options))
        one.edge.reload()
        assert visitors.visit(one)
        assert waiting.get(PATH, ("Host", NAME)).status == 200


def test_a_bad_file_is_refused_at_the_start_and_at_a_reload(site: Site) -> None:
    one = site.server("one")
    bad = site.directory / "bad.secrets"
    bad.write_bytes(b"0123456789\n")
    wrong = {**one.options, "tls": {"ticket_secret_file": bad}}
    one.edge.write_config(site.configuration(one, wrong))
    before = one.sealing()
    one.edge.expected_errors |= {"reload_failed", "start_failed"}
    one.edge.reload()
    assert one.edge.events("reload_failed")
    assert one.sealing() == before
    assert one.edge.stop() == 0
    file = str(one.edge.config_file)
    checked, started = (
        subprocess.run(
            [HEADRACE, *command, file], capture_output=True, text=True, timeout=60, check=False
        )
        for command in (["check"], ["edge", "--config"])
    )
    assert (checked.returncode, started.returncode) == (2, 2)
    assert re.search(r"edge\.toml:\d+: error: tls\.ticket_secret_file = ", checked.stderr)
    for said in (checked.stderr, started.stderr):
        assert "its line 1 has a secret shorter than 32 characters" in said
    assert "run `headrace tickets new`" in checked.stderr
    one.edge.write_config(site.configuration(one, one.options))
    one.restart()
