"""What is between Headrace and ExaBGP: many commands, a full pipe, a helper that dies."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from headrace.bgp.announcement import Announcement
from headrace.bgp.errors import BgpError
from headrace.bgp.events import Acknowledged, SessionUp, SpeakerChanged, SpeakerState
from headrace.bgp.exabgp import process as process_module
from headrace.bgp.exabgp.process import Process, helper_command
from headrace.bgp.exabgp.speaker import ExaBgpSpeaker
from tests.harness.namespaces import Namespaces
from tests.harness.polling import eventually
from tests.harness.speakers import BirdRouter, RunningSpeaker
from tests.integration.bgp.site import (
    NEXT,
    VIPS,
    announcement,
    bird_neighbor,
    make_site,
    session,
)

MANY = 300


def many(med: int) -> list[Announcement]:
    """As many VIPs as the largest sites have."""
    return [announcement(f"192.0.{2 + n // 256}.{n % 256}/32", med) for n in range(MANY)]


def start(
    namespaces: Namespaces, directory: Path, more: str = "", **changes: Any
) -> tuple[BirdRouter, RunningSpeaker]:
    """A router and one server."""
    site = make_site(namespaces, 1)
    text = "router id 10.99.0.1;\n" + bird_neighbor(1, more=more)
    router = BirdRouter(site.router, directory, text)
    made = RunningSpeaker(
        site.servers[0], directory, ExaBgpSpeaker, (session(1, **changes),), user="root"
    )
    return router, made


def count(router: BirdRouter, med: int) -> int:
    """How many routes with that metric the router has."""
    answer = router.ask("show", "route", "where", f"bgp_med={med}", "all")
    return answer.count("BGP.med:")


def test_many_changes_are_joined_and_all_arrive(namespaces: Namespaces, tmp_path: Path) -> None:
    router, speaker = start(namespaces, tmp_path)
    speaker.start()
    speaker.event(SessionUp)
    for med in range(1, 30):
        speaker.set(*many(med))
    eventually(lambda: count(router, 29) == MANY, "the last set is there")
    # The sets between were mostly passed over: what is obsolete is not said.
    assert MANY <= len(speaker.found(Acknowledged)) < 15 * MANY
    speaker.set(announcement(VIPS[0], 7))
    eventually(lambda: count(router, 29) == 0, "the others are withdrawn")
    assert count(router, 7) == 1


def test_a_frozen_speaker_blocks_nobody_and_the_last_word_counts(
    namespaces: Namespaces, tmp_path: Path
) -> None:
    router, speaker = start(namespaces, tmp_path)
    speaker.start(*many(1))
    eventually(lambda: count(router, 1) == MANY, "all are there")
    os.kill(speaker.ask("pid"), signal.SIGSTOP)
    for med in range(2, 50):
        speaker.set(*many(med))
        speaker.ask("pid")
    hung = speaker.event(SpeakerChanged, lambda one: one.state is SpeakerState.HANGS)
    assert hung.detail == "no answer for 3 s"  # not what it said before
    eventually(lambda: count(router, 49) == MANY, "the last set is there")
    assert count(router, 1) == 0


def test_a_helper_that_dies_is_replaced_with_its_exabgp(
    namespaces: Namespaces, tmp_path: Path
) -> None:
    router, speaker = start(namespaces, tmp_path)
    speaker.start(announcement(VIPS[0]))
    router.goes_via(VIPS[0], NEXT[0])
    exabgp = speaker.ask("pid")
    children = Path(f"/proc/{exabgp}/task/{exabgp}/children").read_text().split()
    assert len(children) == 1
    os.kill(int(children[0]), signal.SIGKILL)
    speaker.event(SpeakerChanged, lambda one: one.state is SpeakerState.STARTED, number=2)
    assert speaker.ask("pid") != exabgp
    speaker.set(announcement(VIPS[1]))
    router.goes_via(VIPS[1], NEXT[0])
    router.goes_via(VIPS[0], None)


def test_a_router_that_asks_is_told_again(namespaces: Namespaces, tmp_path: Path) -> None:
    router, speaker = start(namespaces, tmp_path)
    text = "router id 10.99.0.1;\n" + bird_neighbor(1)
    router.write(text.replace("import all", "import none"))
    router.ask("configure")
    speaker.start(announcement(VIPS[0]))
    speaker.event(SessionUp)
    assert router.via(VIPS[0]) is None
    # It takes routes from now on, and kept none of those that it did not: it asks for them.
    router.write(text)
    router.ask("configure")
    router.goes_via(VIPS[0], NEXT[0])
    assert len(speaker.found(SessionUp)) == 1


def test_a_router_may_connect_itself(namespaces: Namespaces, tmp_path: Path) -> None:
    site = make_site(namespaces, 1)
    text = "router id 10.99.0.1;\n" + bird_neighbor(1).replace(" as 64510;", " port 1179 as 64510;")
    router = BirdRouter(site.router, tmp_path, text)
    speaker = RunningSpeaker(
        site.servers[0],
        tmp_path,
        ExaBgpSpeaker,
        (session(1, passive=True, port=1179),),
        user="root",
    )
    speaker.start(announcement(VIPS[0]))
    router.goes_via(VIPS[0], NEXT[0])


async def refused_start(configuration: str) -> str:
    """What is said about a start that fails, of which nothing stays."""
    ends: list[str] = []
    process = Process(lambda _line: None, ends.append, "root")
    with pytest.raises(BgpError) as caught:
        await process.start(configuration)
    assert len(ends) == 1
    assert not Path(f"/proc/{process.pid}").exists()
    return str(caught.value)


def test_a_configuration_that_exabgp_refuses_is_an_error_with_its_words() -> None:
    told = asyncio.run(refused_start("neighbor nonsense {\n}\n"))
    assert told.startswith("ExaBGP did not start: ")
    assert len(told) > len("ExaBGP did not start: it ended")


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = (Path(process_module.__file__).parent / "program.py").read_text()
    (tmp_path / "program.py").write_text(program.replace('("5.0.",)', '("4.2.",)'))
    monkeypatch.setattr(process_module, "HERE", tmp_path)
    assert "not supported: install exabgp 5.0" in asyncio.run(refused_start(""))


@pytest.mark.parametrize("name", ["a,b", "a b", "a'b", "ä"])
def test_a_path_that_exabgp_would_split_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "HERE", tmp_path / name)
    with pytest.raises(BgpError, match="path of plain names"):
        helper_command()
