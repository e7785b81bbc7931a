"""Three real observers of one network: whatever befalls one of them, their views stay one."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.harness.edge import free_port
from tests.harness.feedback import Feedback
from tests.harness.polling import eventually
from tests.harness.probed import Background, Link, Manner, ProbedServer
from tests.harness.toml import to_toml

NAMES = ("a", "b", "c")
SERVERS = ("n1", "n2", "n3", "s1", "s2", "s3")
SITES = {"n": "north", "s": "south"}
PATIENCE_S = 60.0


@dataclass
class Watched:
    """Observers, their servers, the links between them, and every view that was ever published."""

    observers: dict[str, Feedback]
    servers: dict[str, ProbedServer]
    links: dict[tuple[str, str], Link]
    orders: dict[str, list[tuple[float, int]]] = field(default_factory=dict)

    def watch(self, stop: threading.Event) -> None:
        """Note the place of each view that comes, by observer."""
        while not stop.wait(0.02):
            for name, one in self.observers.items():
                view = one.view()
                if view is not None:
                    known = self.orders.setdefault(name, [])
                    if not known or known[-1] != (view.made_at, view.version):
                        known.append((view.made_at, view.version))

    def all_say(self, states: dict[str, str], *names: str) -> None:
        """Wait until all (or these) publish the same view, with these states."""
        chosen = [self.observers[name] for name in names or NAMES]

        def agree() -> bool:
            views = [one.view() for one in chosen]
            same = views[0] is not None and all(view == views[0] for view in views)
            return same and all(one.states() == states for one in chosen)

        eventually(
            agree, f"all say {states}, and not {[one.states() for one in chosen]}", PATIENCE_S
        )

    def decides(self, who: str, *names: str) -> None:
        """Wait until all (or these) take this one for the one that decides."""
        for name in names or NAMES:
            one = self.observers[name]
            eventually(lambda: one.status()["decides"] == who, f"{who} decides", PATIENCE_S)  # noqa: B023


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """All of it, started once: what it takes to start is most of the time."""
    tmp_path = tmp_path_factory.mktemp("observers")
    with Background() as background, contextlib.ExitStack() as stack:
        servers = {name: ProbedServer(background) for name in SERVERS}
        network = tmp_path / "network.toml"
        network.write_text(
            to_toml(
                {
                    "site": [{"name": name} for name in SITES.values()],
                    "server": [
                        {
                            "name": name, "site": SITES[name[0]], "host": f"{name}.example",
                            "ipv4": ["127.0.0.1"], "http_port": one.port, "https_port": 0,
                        }
                        for name, one in servers.items()
                    ],
                    "coverage": [
                        {
                            "name": "all", "default": True,
                            "sites": [{"name": name} for name in SITES.values()],
                        }
                    ],
                    "class": [{"name": "vod"}],
                }
            )
        )  # fmt: skip
        secret = tmp_path / "observers.secret"
        secret.write_text("o" * 32 + "\n")
        observers = {name: Feedback(tmp_path / name, name, free_port()) for name in NAMES}
        observers["b"].environment["CLOCK_AHEAD_S"] = "5"
        links = {
            (one, other): Link(background, observers[other].port)
            for one in NAMES
            for other in NAMES
            if one != other
        }
        for name, one in observers.items():
            urls = {
                other: links[name, other].url if other != name else f"http://127.0.0.1:{one.port}"
                for other in NAMES
            }
            own = f'observers_secret_file = "{secret}"\n'
            one.write(network, urls, own, tables='[states]\nramp = "2s"\n')
            stack.enter_context(one)
            one.launch()
        for one in observers.values():
            one.event("ready")
        found = Watched(observers, servers, links)
        stop = threading.Event()
        watching = threading.Thread(target=found.watch, args=(stop,), daemon=True)
        watching.start()
        yield found
        stop.set()
        watching.join()
        for one in observers.values():
            with contextlib.suppress(Exception):
                one.send(signal.SIGCONT)


@pytest.fixture
def watched(running: Watched) -> Watched:
    """Everything well again, whatever the test before did."""
    for server in running.servers.values():
        server.become(Manner.WELL)
    for link in running.links.values():
        link.cut(False)
    running.decides("a")
    running.all_say({})
    return running


def check_monotone(watched: Watched) -> None:
    for name, orders in watched.orders.items():
        assert orders == sorted(orders), name


def test_observers_that_die_stop_and_come_back_publish_one_view(watched: Watched) -> None:
    observers, servers = watched.observers, watched.servers
    servers["n1"].become(Manner.GONE)
    watched.all_say({"n1": "failed"})

    observers["a"].kill()
    watched.decides("b", "b", "c")
    servers["n1"].become(Manner.WELL)
    servers["s1"].become(Manner.HANGS)
    watched.all_say({"s1": "failed"}, "b", "c")

    observers["a"].start()
    watched.decides("a")
    watched.all_say({"s1": "failed"})

    observers["a"].send(signal.SIGSTOP)
    watched.decides("b", "b", "c")
    servers["n2"].become(Manner.LIES)
    watched.all_say({"s1": "failed", "n2": "failed"}, "b", "c")
    observers["a"].send(signal.SIGCONT)
    watched.decides("a")
    watched.all_say({"s1": "failed", "n2": "failed"})

    for one in observers.values():
        one.kill()
    before = {name: observers[name].view() for name in NAMES}
    for one in observers.values():
        one.launch()
    for one in observers.values():
        one.event("ready")
    watched.decides("a")
    watched.all_say({"s1": "failed", "n2": "failed"})
    for name, view in before.items():
        now = observers[name].view()
        assert view is not None
        assert now is not None
        assert (now.made_at, now.version) >= (view.made_at, view.version)
    check_monotone(watched)


def test_one_that_is_cut_off_takes_nothing_out_and_joins_again(watched: Watched) -> None:
    observers, servers = watched.observers, watched.servers
    for pair, link in watched.links.items():
        if "a" in pair:
            link.cut(True)
    watched.decides("b", "b", "c")
    servers["n1"].become(Manner.DRIPS)
    watched.all_say({"n1": "failed"}, "b", "c")
    assert observers["a"].states() == {}
    for link in watched.links.values():
        link.cut(False)
    watched.decides("a")
    watched.all_say({"n1": "failed"})
    check_monotone(watched)


def test_two_operators_at_two_observers_at_the_same_moment(watched: Watched) -> None:
    observers = watched.observers
    for link in watched.links.values():
        link.cut(True)
    for name, wish, by in (("a", "online", "anna"), ("c", "withdrawn", "carl")):
        order = {"name": "n1", "wish": wish, "by": by}
        done = observers[name].ask("POST", "/feedback/wish", order).json()
        assert done["observer"] == name
    for link in watched.links.values():
        link.cut(False)

    def rows(name: str) -> dict[str, str]:
        found = observers[name].ask("GET", "/feedback/orders").json()["orders"]
        return {
            row["by"]: row["state"]
            for row in found
            if row["subject"] == "n1" and row["known_by"] == ["a", "b", "c"]
        }

    for name in observers:
        eventually(
            lambda: rows(name) == {"anna": "overruled", "carl": "in_force"},  # noqa: B023
            "both are known everywhere",
            PATIENCE_S,
        )
    watched.all_say({"n1": "failed"})
    told = observers["b"].status()["overruled"]
    assert len(told) == 1
    assert "wanted by anna, at a" in told[0]
    assert "overruled by carl, at c" in told[0]
    again = {"name": "n1", "wish": "none", "by": "anna"}
    assert observers["a"].ask("POST", "/feedback/wish", again).status == 200
    eventually(lambda: observers["c"].status()["overruled"] == [], "all is taken back", PATIENCE_S)
    watched.all_say({})


def test_an_order_given_to_one_holds_at_all_and_over_a_restart(watched: Watched) -> None:
    observers = watched.observers
    wish = {"name": "n1", "wish": "draining", "reason": "a new disk", "by": "anna"}
    assert observers["c"].ask("POST", "/feedback/wish", wish).status == 200
    watched.all_say({"n1": "draining"})
    because = observers["b"].ask("GET", "/feedback/why?name=n1").json()["lines"]
    assert any("a new disk" in line and "anna" in line for line in because)

    frozen = observers["b"].ask("POST", "/feedback/freeze", {"frozen": True, "reason": "a test"})
    assert frozen.status == 200
    for one in observers.values():
        eventually(lambda: one.status()["frozen"], "it is frozen", PATIENCE_S)  # noqa: B023
    watched.servers["s1"].become(Manner.GONE)
    time.sleep(4)
    watched.all_say({"n1": "draining"})

    for one in observers.values():
        one.kill()
    for one in observers.values():
        one.launch()
    for one in observers.values():
        one.event("ready")
    watched.decides("a")
    assert all(one.status()["frozen"] for one in observers.values())
    watched.all_say({"n1": "draining"})
    observers["c"].ask("POST", "/feedback/freeze", {"frozen": False})
    watched.all_say({"n1": "draining", "s1": "failed"})
