"""What the demo starts and where, without starting it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.config.feedback.model import FeedbackConfig
from headrace.lab.configuration import edge_toml, feedback_toml, network_toml, router_toml
from headrace.lab.plan import Plan, commands, greeting, make_plan

DIRECTORY = Path("/demo")


def free(taken: dict[int, int] | None = None) -> Callable[[str, int], int]:
    """Every wanted port is free but those taken; 0 brings a new one each time."""
    numbers = iter(range(40_000, 50_000))

    def choose(_host: str, wanted: int) -> int:
        if not wanted:
            return next(numbers)
        return (taken or {}).get(wanted, wanted)

    return choose


def a_plan(host: str = "127.0.0.1", port: int = 8080) -> Plan:
    return make_plan(DIRECTORY, host, port, free(), lambda _text: None)


def test_on_loopback_every_server_has_an_address_of_its_own() -> None:
    plan = a_plan()
    assert len({server.place.host for server in plan.servers}) == 5
    assert all(server.place.host.startswith("127.0.") for server in plan.servers)


def test_on_another_host_ports_tell_the_servers_apart() -> None:
    plan = a_plan("192.0.2.7")
    assert {server.place.host for server in plan.servers} == {"192.0.2.7"}
    assert len({server.place.port for server in plan.servers}) == 5
    assert plan.router.host == "192.0.2.7"


def test_what_nobody_need_reach_stays_on_loopback() -> None:
    plan = a_plan("192.0.2.7")
    admins = [router.admin for router in plan.routers]
    admins += [server.admin for server in plan.servers]
    admins += [place for one in plan.observers for place in (one.admin, one.place)]
    assert {place.host for place in [*admins, *plan.origins.values()]} == {"127.0.0.1"}


def test_a_taken_port_is_replaced_and_said() -> None:
    said: list[str] = []
    plan = make_plan(DIRECTORY, "127.0.0.1", 8080, free({8053: 9000}), said.append)
    assert plan.router.port == 9000
    assert said == ["port 8053 is taken: the router listens on 9000"]


def test_any_ports_are_taken_without_a_word() -> None:
    said: list[str] = []
    make_plan(DIRECTORY, "127.0.0.1", 0, free(), said.append)
    assert said == []


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.7", "2001:db8::7"])
def test_every_file_is_toml_and_names_what_the_others_have(host: str) -> None:
    plan = a_plan(host)
    network = tomllib.loads(network_toml(plan))
    assert [server["name"] for server in network["server"]] == ["n1", "n2", "s1", "s2", "m1"]
    assert {site["name"]: site["kind"] for site in network["site"]} == {
        "north": "edge",
        "south": "edge",
        "mid": "mid",
        "cloud": "external",
    }
    observers = [observer.place.url for observer in plan.observers]
    for router in plan.routers:
        assert tomllib.loads(router_toml(plan, router))["network"]["view_from"] == observers
    for server in plan.servers:
        edge = tomllib.loads(edge_toml(plan, server))
        assert edge["network"]["server"] == server.name
        assert edge["network"]["view_from"] == observers
        assert edge["listen"] == [{"address": str(server.place)}]
    for observer in plan.observers:
        config = FeedbackConfig(**tomllib.loads(feedback_toml(plan, observer, "0" * 64)))
        assert [one.url for one in config.observers] == observers
        assert [one.admin for one in config.routers] == [one.admin.url for one in plan.routers]


def test_each_program_has_one_command() -> None:
    assert list(commands(a_plan())) == [
        *("origin-a", "origin-b", "cloud", "n1", "n2", "s1", "s2", "m1"),
        *("router", "observer-a", "observer-b"),
    ]


def test_two_routers_stand_apart() -> None:
    plan = make_plan(DIRECTORY, "127.0.0.1", 8080, free(), lambda _text: None, routers=2)
    assert [router.name for router in plan.routers] == ["router-1", "router-2"]
    assert len({router.place.host for router in plan.routers}) == 2
    assert len({router.place.port for router in plan.routers}) == 1


def test_the_greeting_gives_addresses_that_a_browser_can_open() -> None:
    text = greeting(a_plan("2001:db8::7"))
    assert "Page:    http://[2001:db8::7]:8080/\n" in text
    assert "http://[2001:db8::7]:8053/media/master.m3u8\n" in text
    assert f"Files:   {DIRECTORY}\n" in text
