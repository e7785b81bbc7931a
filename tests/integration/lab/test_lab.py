"""A small lab on this machine: an ISP with BIRD, two servers that announce, clients that ask."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from headrace.lab.assets import MEDIA, PROBE_FILE
from tests.harness.labs import LabUnderTest, fresh_lab
from tests.harness.polling import eventually

pytestmark = pytest.mark.timeout(400)
CLIENT = "north-client1"
VIP, VIP_V6, OTHER_VIP = "192.0.2.129", "2001:db8:1:f::1", "192.0.2.130"
PROBE = (MEDIA / PROBE_FILE).read_bytes()


@pytest.fixture(scope="module")
def lab() -> Iterator[LabUnderTest]:
    with fresh_lab() as made:
        made("up", "--topology", "small")
        # At once: whoever has the prompt again may ask.
        shown = made("status").splitlines()
        vips = [line.split() for line in shown if line.startswith(("192.0.2.1", "2001:db8:1:f:"))]
        assert len(vips) == 4
        assert all(owner == goes_to and others == "1" for _, owner, _, goes_to, others, *_ in vips)
        yield made


def served_by(lab: LabUnderTest, url: str) -> str:
    """Which server a client gets the right bytes from."""
    head, body = lab.fetch(CLIENT, url)
    assert body == PROBE
    line = next(line for line in head.splitlines() if line.lower().startswith("cache-status:"))
    return line.split(":", 1)[1].split(";")[0].strip()


def test_clients_reach_vips_of_both_families_by_the_isps_router(lab: LabUnderTest) -> None:
    lab.goes_to(VIP, "oslo1")
    lab.goes_to(VIP_V6, "oslo1")
    lab.goes_to(OTHER_VIP, "oslo2")
    assert served_by(lab, f"http://{VIP}/probe.mp4") == "oslo1"
    assert served_by(lab, f"http://[{VIP_V6}]/probe.mp4") == "oslo1"
    assert served_by(lab, f"http://{OTHER_VIP}/probe.mp4") == "oslo2"


def test_clients_find_the_host_by_the_labs_dns(lab: LabUnderTest) -> None:
    lab.goes_to(VIP, "oslo1")
    assert served_by(lab, "http://video.cdn.test/probe.mp4") in ("oslo1", "oslo2")


def test_a_second_lab_of_the_name_is_refused_and_harms_nothing(lab: LabUnderTest) -> None:
    assert "runs already" in lab("up", "--topology", "small", code=2)
    assert served_by(lab, f"http://{OTHER_VIP}/probe.mp4") == "oslo2"


def test_a_killed_edge_loses_its_vip_until_it_is_healed(lab: LabUnderTest) -> None:
    lab.goes_to(VIP, "oslo1")
    assert lab("kill", "oslo1:edge") == "oslo1:edge: SIGKILL\n"
    lab.goes_to(VIP, "oslo2")
    assert served_by(lab, f"http://{VIP}/probe.mp4") == "oslo2"
    assert "edge down" in lab("status")
    assert "oslo1:edge: started" in lab("heal")
    lab.goes_to(VIP, "oslo1")


@pytest.mark.parametrize("how", [(), ("--silent",)], ids=["down", "silently"])
def test_a_cut_line_moves_the_vip_and_a_healed_one_brings_it_back(
    lab: LabUnderTest, how: tuple[str, ...]
) -> None:
    lab.goes_to(VIP, "oslo1")
    lab("cut", "oslo1", *how)
    lab.goes_to(VIP, "oslo2")
    assert served_by(lab, f"http://{VIP}/probe.mp4") == "oslo2"
    lab("heal", "oslo1")
    lab.goes_to(VIP, "oslo1")
    lab.goes_to(VIP_V6, "oslo1")
    assert served_by(lab, f"http://[{VIP_V6}]/probe.mp4") == "oslo1"


def test_a_split_drops_what_goes_between_two(lab: LabUnderTest) -> None:
    lab("cut", CLIENT, "router1")
    try:
        with pytest.raises(AssertionError, match="timed out"):
            lab.fetch(CLIENT, "http://203.0.113.3/probe.mp4")
        assert lab.fetch(CLIENT, f"http://{OTHER_VIP}/probe.mp4")[1] == PROBE
    finally:
        lab("heal")
    assert "302" in lab.fetch(CLIENT, "http://203.0.113.3/probe.mp4")[0]


def test_a_program_that_ends_by_itself_is_started_again(lab: LabUnderTest) -> None:
    origin = next(one for one in lab.state.programs if one.name == "origin")
    assert origin.process is not None
    os.kill(origin.process.pid, signal.SIGKILL)

    def again() -> bool:
        now = next(one for one in lab.state.programs if one.name == "origin")
        return now.restarts == 1 and now.process is not None and now.process.lives

    eventually(again, "the origin runs again", 30.0)


def test_the_command_itself_is_found_on_a_machine(
    lab: LabUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert lab("exec", CLIENT, "--", "headrace", "--version").strip()


def test_a_mistake_is_said(lab: LabUnderTest) -> None:
    for words, said in {
        ("kill", "oslo9"): "oslo9 is no machine, site or ISP",
        ("heal", "paris"): "paris is no machine, site or ISP: name one of",
        ("kill", "oslo1:router"): "it has edge, vip, speaker",
        ("kill", "oslo1", "--signal", "NONSENSE"): "is no signal",
        ("cut", "paris"): "there is no line paris",
        ("exec", "paris", "true"): "there is no machine paris",
    }.items():
        assert said in lab(*words, code=2)
