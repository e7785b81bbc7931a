"""A node follows the description of its network and the view, and survives what is wrong."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from headrace.node.network.view_file import write_view
from headrace.node.network.view_socket import send_view
from headrace.topology.view import ServerState, ServerView, View
from headrace.topology.view_codec import LARGEST_BYTES
from tests.harness.polling import eventually
from tests.harness.supervised import Supervised
from tests.harness.toy_node import Toy

SERVER = """
[[server]]
name = "{name}"
site = "{site}"
host = "{name}.cdn.example"
ipv4 = ["198.51.100.{number}"]
"""
REST = """
[[network]]
name = "isp"
prefix_file = "isp.txt"
[[coverage]]
name = "isp"
networks = ["isp"]
sites = [{ name = "north" }]
[[coverage]]
name = "others"
default = true
sites = [{ name = "north" }]
[[class]]
name = "vod"
hosts = ["vod.example"]
"""


def described(servers: int = 2) -> str:
    """A description of one site."""
    parts = ['[[site]]\nname = "north"\n']
    parts += [SERVER.format(name=f"n{n}", site="north", number=n) for n in range(1, servers + 1)]
    return "".join(parts) + REST


class Member(Toy):
    """A toy that belongs to a network."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.description = directory / "network.toml"
        self.prefixes = directory / "isp.txt"
        self.view = directory / "view.json"
        self.socket = directory / "view.sock"
        self.prefixes.write_text("192.0.2.0/24\n")
        self.put(described())

    def put(self, text: str) -> None:
        """Replace the description in one step."""
        new = self.directory / "network.toml.new"
        new.write_text(text)
        new.rename(self.description)

    def write(self, more: str = "") -> None:
        """Write the configuration; `more` are lines of its `[network]`."""
        self.write_toy(
            'greeting = "hello"',
            more=f'[network]\nfile = "{self.description}"\nview = "{self.view}"\n'
            f'view_socket = "{self.socket}"\n{more}',
        )

    @property
    def network(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stats()["network"]
        return found

    def say(self, words: str) -> None:
        """Wait until all workers say so."""

        def all_do() -> bool:
            return all(words in self.get()[1] for _ in range(12))

        eventually(all_do, f"every worker says {words!r}, and not {self.get()[1]!r}", 30)


@pytest.fixture
def member(tmp_path: Path) -> Iterator[Member]:
    with Member(tmp_path) as running:
        running.write()
        running.start()
        yield running


def a_view(version: int, **servers: ServerState) -> View:
    states = {name: ServerView(state) for name, state in servers.items()}
    return View(version, time.time(), states)


def test_workers_have_the_description_before_they_serve(member: Member) -> None:
    assert " of 2, view 0" in member.get()[1]
    network = member.network
    assert network["version"] in member.get()[1]
    assert (network["source"], network["last_good_kept"], network["view"]) == ("file", True, None)
    # Which one it is, a reload cannot change.
    member.write_toy('greeting = "hello"')
    refused = member.ask("POST", "/reload")
    assert refused.status == 409
    assert "network" in refused.json()["detail"]


def test_a_secret_of_all_and_a_view_that_is_missing_are_said_at_the_start(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s" * 40)
    secret.chmod(0o644)
    with Member(tmp_path) as member:
        member.write(f'secret_file = "{secret}"\n')
        member.start()
        assert member.event("view_file_missing")["file"] == str(member.view)
        assert member.event("secret_file_exposed")["file"] == str(secret)
        secret.chmod(0o640)
        assert member.ask("POST", "/reload").status == 200
        assert len(member.found("secret_file_exposed")) == 1


def test_a_new_description_reaches_all_workers_and_the_restarted(member: Member) -> None:
    before = member.network["version"]
    member.put(described(3))
    member.say(" of 3,")
    after = member.network["version"]
    assert after != before
    pid = member.worker_pids()[0]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(member.worker_pids()) - {pid}) == 2, "there are two again")
    member.say(f" in {after} of 3,")
    # Other prefixes are another description.
    member.prefixes.write_text("192.0.2.0/25\n")
    eventually(lambda: member.network["version"] != after, "the prefixes are taken")
    assert member.network["refused"] == 0


def test_a_wrong_one_is_refused_and_the_old_stays(member: Member) -> None:
    before = member.network["version"]
    member.put(described(3).replace('site = "north"', 'site = "nowhere"', 1) + "[[site]]\n")
    refused = member.event("network_refused")
    assert "network.toml:" in refused["problem"]
    assert refused["in_force"] == before
    network = member.network
    assert (network["version"], network["refused"]) == (before, 1)
    assert network["last_refusal"] == refused["problem"]
    member.say(f" in {before} of 2,")
    member.description.unlink()
    member.event("network_refused", 2)
    member.put(described(4))
    member.say(" of 4,")


def test_a_restart_with_a_wrong_file_goes_by_the_last_good(member: Member) -> None:
    member.put(described(3))
    member.say(" of 3,")
    version = member.network["version"]
    member.signal(signal.SIGTERM)
    assert member.ended() == 0
    member.put("nonsense")
    member.prefixes.unlink()
    member.events.clear()
    member.start()
    assert member.event("network_last_good_used")["version"] == version
    assert " of 3," in member.get()[1]
    assert member.network["source"] == "last_good"
    assert "network.toml" in member.network["last_refusal"]
    member.prefixes.write_text("192.0.2.0/24\n")
    member.put(described(4))
    member.say(" of 4,")
    assert member.network["source"] == "file"


def harmed(kept: Path, data: bytes, harm: str) -> None:
    """Leave the last good description as a torn disk or somebody else might."""
    kept.unlink(missing_ok=True)
    if harm == "none":
        return
    kept.write_bytes({"torn": data[: len(data) // 2], "changed": data[:-1] + b"?"}.get(harm, data))
    kept.chmod(0o666 if harm == "open to others" else 0o600)


def test_with_both_wrong_it_does_not_start(member: Member) -> None:
    member.signal(signal.SIGTERM)
    assert member.ended() == 0
    kept = member.cache_dir / "network.last-good"
    data = kept.read_bytes()
    assert data[-1:] != b"?"
    member.put("nonsense")
    for harm in ("torn", "changed", "open to others", "none"):
        harmed(kept, data, harm)
        member.events.clear()
        member.launch()
        assert member.ended() == 2
        assert "network.toml:1" in member.event("start_failed")["problem"]
        refused = len(member.found("network_last_good_refused"))
        assert (harm, refused) == (harm, 0 if harm == "none" else 1)


def test_a_view_in_the_file_reaches_all_workers(member: Member) -> None:
    write_view(member.view, a_view(7, n1=ServerState.FAILED))
    member.say("view 7 without 1")
    assert member.network["view"]["source"] == "file"
    member.view.unlink()
    write_view(member.view, a_view(8))
    member.say("view 8 without 0")


def _refused_views(member: Member, number: int) -> None:
    eventually(
        lambda: sum(member.network["views_refused"].values()) == number, "each is counted", 30
    )


def test_nonsense_in_the_file_is_refused_and_the_last_view_stays(member: Member) -> None:
    write_view(member.view, a_view(7, n1=ServerState.FAILED))
    member.say("view 7 without 1")
    wrong = member.directory / "wrong"
    for number, text in enumerate(
        ("{", '{"version": 8, "made_at": NaN}', '{"version": -1, "made_at": 1}'), 1
    ):
        wrong.write_text(text)
        wrong.replace(member.view)
        _refused_views(member, number)
    assert member.network["views_refused"] == {"malformed": 3}
    assert len(member.found("view_refused")) == 1
    member.say("view 7 without 1")


def test_a_view_over_the_socket_is_answered(member: Member) -> None:
    view = a_view(9, n1=ServerState.FAILED, n2=ServerState.FAILED)
    assert send_view(member.socket, view).taken is True
    assert send_view(member.socket, view).taken is False
    member.say("view 9 without 2")
    older = View(8, view.made_at - 1.0)
    assert send_view(member.socket, older).refused == "older"
    ahead = View(10, view.made_at + 3600.0)
    assert send_view(member.socket, ahead).refused == "from_the_future"
    assert member.network["view"]["source"] == "socket"
    pid = member.worker_pids()[0]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(member.worker_pids()) - {pid}) == 2, "there are two again")
    member.say("view 9 without 2")


def test_a_flood_on_the_socket_ends_and_a_newer_connection_counts(member: Member) -> None:
    def resident() -> int:
        status = Path(f"/proc/{member.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) * 1024

    before = resident()
    with socket.socket(socket.AF_UNIX) as flood, socket.socket(socket.AF_UNIX) as idle:
        flood.settimeout(20)
        flood.connect(str(member.socket))
        with pytest.raises(OSError, match=r"reset|pipe"):
            flood.sendall(b"[" * (64 * LARGEST_BYTES))
        idle.connect(str(member.socket))
        idle.sendall(b'{"version": ')
        assert send_view(member.socket, a_view(3)).taken is True
    assert resident() - before < 8 * LARGEST_BYTES
    assert member.network["views_refused"] == {"too_large": 1}
    member.say("view 3 without 0")


def test_a_node_that_hangs_costs_who_sends_a_view_only_the_time(member: Member) -> None:
    member.signal(signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            send_view(member.socket, a_view(3), timeout_s=0.3)
    finally:
        member.signal(signal.SIGCONT)
    assert send_view(member.socket, a_view(4)).taken is True


def test_a_worker_that_hangs_gets_only_the_newest_view(member: Member) -> None:
    pid = member.worker_pids()[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        for version in range(1, 6):
            assert send_view(member.socket, a_view(version)).taken is True
            time.sleep(0.3)  # so long that each is handed on
        eventually(lambda: member.network["workers_behind"] == 1, "only one is behind", 30)
        metrics = member.ask("GET", "/metrics").body.decode()
    finally:
        os.kill(pid, signal.SIGCONT)
    found = {one.name: one for one in text_string_to_metric_families(metrics)}
    assert found["headrace_network_workers_behind"].samples[0].value == 1
    member.say("view 5 without 0")
    eventually(lambda: member.network["workers_behind"] == 0, "all are up to date")


def test_a_view_that_nobody_renews_ages(tmp_path: Path) -> None:
    with Member(tmp_path) as member:
        member.write('view_max_age = "2s"')
        write_view(member.view, a_view(7, n1=ServerState.FAILED, n2=ServerState.FULL))
        member.start()
        member.event("view_ages")
        eventually(lambda: member.network["view"]["aged"] == 1.0, "it has aged wholly", 30)
        member.say("view 7 without 1")
        write_view(member.view, a_view(8))
        member.say("view 8 without 0")


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Supervised]:
    """An edge that says it is n2, with workers in name."""
    (tmp_path / "isp.txt").write_text("192.0.2.0/24\n")
    with Supervised(tmp_path) as supervised:
        description = tmp_path / "network.toml"
        supervised.write_config(more=f'[network]\nfile = "{description}"\nserver = "n2"')
        yield supervised


def test_an_edge_that_the_description_does_not_have_does_not_start(edge: Supervised) -> None:
    (edge.directory / "network.toml").write_text(described(1))
    edge.launch()
    assert edge.ended() == 2
    assert "has no server 'n2': it has n1" in edge.event("start_failed")["problem"]


def test_an_edge_keeps_the_description_when_a_new_one_drops_it(edge: Supervised) -> None:
    description = edge.directory / "network.toml"
    description.write_text(described(2))
    edge.start()
    before = edge.stats()["network"]
    assert before["server"] == "n2"
    new = edge.directory / "new"
    new.write_text(described(1))
    new.rename(description)
    assert "has no server 'n2'" in edge.event("network_refused")["problem"]
    assert edge.stats()["network"]["version"] == before["version"]
    edge.signal(signal.SIGTERM)
    assert edge.ended() == 0
    edge.events.clear()
    edge.start()
    assert edge.stats()["network"]["version"] == before["version"]
    assert edge.stats()["network"]["source"] == "last_good"


def test_a_full_disk_keeps_nobody_from_a_new_description(member: Member) -> None:
    kept = member.cache_dir / "network.last-good.new"
    kept.mkdir()  # so that nothing can be written there
    member.put(described(3))
    member.event("network_not_kept")
    member.say(" of 3,")
    assert member.network["last_good_kept"] is False
    kept.rmdir()
    member.put(described(4))
    member.say(" of 4,")
    eventually(lambda: member.network["last_good_kept"] is True, "it is kept again")
