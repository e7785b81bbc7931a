"""What an operator does with a feedback process: asks it, tells it, reloads it."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import warm
from tests.harness.edge import free_port
from tests.harness.feedback import Feedback
from tests.harness.polling import eventually
from tests.harness.probed import Background, Manner, ProbedServer
from tests.harness.toml import to_toml

PATIENCE_S = 30.0


class Operated(Feedback):
    """A feedback process alone, and its two servers."""

    servers: dict[str, ProbedServer]
    network: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `headrace feedback`."""
        return warm.run_headrace(["feedback", *words, "--config", str(self.file)], timeout_s=60)

    def told(self, *words: str) -> str:
        """Return what a command prints."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    directory = tmp_path_factory.mktemp("feedback")
    with Background() as background:
        servers = {name: ProbedServer(background) for name in ("n1", "n2", "n3")}
        network = directory / "network.toml"
        network.write_text(
            to_toml(
                {
                    "site": [{"name": "north"}],
                    "server": [
                        {
                            "name": name, "site": "north", "host": f"{name}.example",
                            "ipv4": ["127.0.0.1"], "http_port": one.port, "https_port": 0,
                        }
                        for name, one in servers.items()
                    ],
                    "coverage": [{"name": "all", "default": True, "sites": [{"name": "north"}]}],
                    "class": [{"name": "vod"}],
                }
            )
        )  # fmt: skip
        with Operated(directory, "a", free_port()) as running:
            running.servers, running.network = servers, network
            # A port that stays, so that the commands find the admin API by the configuration.
            admin = f'"127.0.0.1:{free_port()}"'
            running.write(network, tables='[states]\nramp = "1s"\n')
            text = running.file.read_text()
            running.file.write_text(
                text.replace('[admin]\nlisten = "127.0.0.1:0"', f"[admin]\nlisten = {admin}")
            )
            running.start()
            eventually(lambda: running.view() is not None, "a view is there", PATIENCE_S)
            yield running


def test_the_commands_say_what_is(operated: Operated) -> None:
    table = operated.told("status")
    assert "a: decides a" in table
    assert "3 online" in table
    status = json.loads(operated.told("status", "--json"))
    assert {row["state"] for row in status["servers"]} == {"online"}
    assert "decided by a" in operated.told("why", "n1")
    assert "n3 is online" in operated.told("why", "north")
    assert "no client is moved" in operated.told("dry-run")


def test_an_order_is_in_force_and_is_taken_back(operated: Operated) -> None:
    assert "in force" in operated.told("want", "n1", "withdrawn", "--reason", "a new disk")
    eventually(lambda: operated.states() == {"n1": "failed"}, "n1 is left alone", PATIENCE_S)
    assert "a new disk" in operated.told("why", "n1")
    assert "withdrawn: operator (a new disk)" in operated.told("history", "n1")
    operated.told("want", "n1", "none")
    eventually(lambda: operated.states() == {}, "n1 is back", PATIENCE_S)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("want", "n9", "online"), "no server or site 'n9'"),
        (("want", "n1", "sleeping"), "one of "),
        (("want", "n1", "online", "--for", "soon"), "--for"),
        (("mode", "none"), "one of "),
        (("why", "n9"), "no server or site 'n9'"),
    ],
)
def test_what_means_nothing_is_refused(
    operated: Operated, words: tuple[str, ...], said: str
) -> None:
    done = operated.run(*words)
    assert done.returncode != 0
    assert said in done.stderr


def test_a_mode_is_chosen_and_given_back(operated: Operated) -> None:
    operated.told("mode", "dry_run")
    eventually(lambda: operated.status()["mode"] == "dry_run", "it is a dry run", PATIENCE_S)
    operated.told("mode", "configured")
    eventually(lambda: operated.status()["mode"] == "both", "it is as configured", PATIENCE_S)


def test_a_reload_probes_otherwise_and_keeps_what_was_decided(operated: Operated) -> None:
    operated.servers["n2"].become(Manner.GONE)
    eventually(lambda: operated.states() == {"n2": "failed"}, "n2 failed", PATIENCE_S)
    version = operated.status()["view"]
    text = operated.file.read_text()
    operated.file.write_text(text + '[probing]\ninterval = "500ms"\ntimeout = "500ms"\n')
    operated.signal(signal.SIGHUP)
    operated.event("reloaded")
    before = operated.servers["n1"].probes
    eventually(
        lambda: operated.servers["n1"].probes > before + 20, "it probes more often", PATIENCE_S
    )
    assert operated.states() == {"n2": "failed"}
    assert operated.status()["view"] >= version
    operated.file.write_text(text + '[probing]\ninterval = "never"\n')
    operated.signal(signal.SIGHUP)
    operated.event("reload_failed")
    operated.file.write_text(text)
    operated.signal(signal.SIGHUP)
    operated.event("reloaded", 2)
    operated.servers["n2"].become(Manner.WELL)
    eventually(lambda: operated.states() == {}, "n2 is back", PATIENCE_S)


def test_the_metrics_say_it_too(operated: Operated) -> None:
    def text() -> str:
        return operated.ask("GET", "/metrics").body.decode()

    eventually(lambda: "headrace_feedback_servers_online 3.0" in text(), "all are", PATIENCE_S)
    assert "headrace_feedback_decides 1.0" in text()
    assert "headrace_feedback_probes_ok_total" in text()
    assert operated.stats()["feedback"]["decides"] is True


def test_whoever_does_not_know_the_secret_is_told_nothing(operated: Operated) -> None:
    client = http.client.HTTPConnection("127.0.0.1", operated.port, timeout=10)
    client.request("GET", "/v1/view?after=0,0")
    answer = client.getresponse()
    assert (answer.status, b"n1" in answer.read()) == (401, False)
    client.close()


def test_a_new_description_is_observed(operated: Operated) -> None:
    text = operated.network.read_text()
    new = operated.network.with_suffix(".new")
    new.write_text(text.replace('"n3"', '"n4"'))
    new.rename(operated.network)

    def names() -> set[str]:
        return {row["server"] for row in operated.status()["servers"]}

    eventually(lambda: names() == {"n1", "n2", "n4"}, "n4 is observed", PATIENCE_S)


def test_it_stops_when_it_is_told_to(operated: Operated) -> None:
    operated.signal(signal.SIGTERM)
    assert operated.ended() == 0
    assert not [one for one in operated.events if one.get("level") in ("error", "critical")
                and one["event"] != "reload_failed"]  # fmt: skip
