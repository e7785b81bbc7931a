"""What a node begins with, when its file is good, wrong, or cannot even be tried."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from headrace.config.network_member import EdgeMember, NetworkMember
from headrace.node.network import follower
from headrace.node.network.compiling import Compiled, CompileError, compiled
from headrace.node.network.files import signatures_of
from headrace.node.network.follower import NetworkFileError, NetworkFollower
from headrace.node.network.last_good import NAME
from headrace.node.network.view_file import write_view
from headrace.topology.view import ServerState, ServerView, View

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "network.toml"


def begun(member: NetworkMember, state: Path) -> tuple[str, int, bool]:
    """Return from where the description came, how many were refused, and whether it is kept."""

    async def begin() -> NetworkFollower:
        return await NetworkFollower.open(member, state)

    facts = asyncio.run(begin()).facts()
    return facts.source, facts.refused, facts.last_good_kept


def copied(directory: Path) -> Path:
    path = directory / "network.toml"
    path.write_text(EXAMPLE.read_text())
    return path


def test_a_good_file_is_taken_and_kept(tmp_path: Path) -> None:
    member = NetworkMember(file=copied(tmp_path))
    assert begun(member, tmp_path) == ("file", 0, True)
    assert (tmp_path / NAME).is_file()


def test_one_that_is_written_in_place_is_not_taken_in_half(tmp_path: Path) -> None:
    path = copied(tmp_path)
    followed = asyncio.run(NetworkFollower.open(NetworkMember(file=path), tmp_path))

    def to_be_read() -> bool:
        return followed._moved_and_still(signatures_of(followed._seen))

    assert not to_be_read()
    text = path.read_text()
    with path.open("w") as file:
        for start in range(0, len(text), 100):
            file.write(text[start : start + 100])
            file.flush()
            assert not to_be_read()
    assert to_be_read()


def test_without_a_last_good_one_a_wrong_file_is_the_end(tmp_path: Path) -> None:
    path = copied(tmp_path)
    path.write_text("nonsense")
    with pytest.raises(NetworkFileError, match=r"network\.toml:1"):
        begun(NetworkMember(file=path), tmp_path)


def test_the_last_good_one_helps_only_who_is_in_it(tmp_path: Path) -> None:
    path = copied(tmp_path)
    begun(NetworkMember(file=path), tmp_path)
    path.unlink()
    assert begun(EdgeMember(file=path, server="oslo1"), tmp_path) == ("last_good", 1, True)
    with pytest.raises(NetworkFileError) as both:
        begun(EdgeMember(file=path, server="oslo9"), tmp_path)
    assert "network.toml" in str(both.value)
    assert "no server 'oslo9'" in str(both.value)


def test_a_compiler_that_dies_is_no_reason_not_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copied(tmp_path)
    member = NetworkMember(file=path)
    begun(member, tmp_path)

    async def dies(found: Path, *, last_good: bool = False) -> Compiled:
        if not last_good:
            raise CompileError("the process ended with -9")
        return await compiled(found, last_good=True)

    monkeypatch.setattr(follower, "compiled", dies)
    assert begun(member, tmp_path) == ("last_good", 1, True)
    (tmp_path / NAME).unlink()
    with pytest.raises(NetworkFileError, match="ended with -9"):
        begun(member, tmp_path)


def test_what_could_not_be_kept_is_kept_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "CHECK_S", 0.01)
    monkeypatch.setattr(follower, "KEEP_AGAIN_S", 0.05)
    state = tmp_path / "state"
    (state / f"{NAME}.new").mkdir(parents=True)

    async def work() -> None:
        followed = await NetworkFollower.open(NetworkMember(file=copied(tmp_path)), state)
        assert not followed.facts().last_good_kept
        (state / f"{NAME}.new").rmdir()
        task = asyncio.create_task(followed.follow())
        for _ in range(1000):
            if followed.facts().last_good_kept:
                break
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(work())
    assert (state / NAME).is_file()


def test_a_fault_does_not_end_the_following(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "CHECK_S", 0.01)
    tries: list[object] = []

    def breaks(seen: object) -> None:
        tries.append(seen)
        raise RuntimeError("can't start new thread")

    async def work() -> None:
        followed = await NetworkFollower.open(NetworkMember(file=copied(tmp_path)), tmp_path)
        monkeypatch.setattr(follower, "signatures_of", breaks)
        task = asyncio.create_task(followed.follow())
        for _ in range(1000):
            if len(tries) > 2 or task.done():
                break
            await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()

    asyncio.run(work())
    assert len(tries) > 2


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.01)


def test_a_file_that_is_put_right_is_said_to_be_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "CHECK_S", 0.01)
    path = copied(tmp_path)
    good = path.read_text()

    async def scene() -> None:
        node = await NetworkFollower.open(NetworkMember(file=path), tmp_path)
        following = asyncio.create_task(node.follow())
        assert not node.facts().file_refused
        path.write_text("nonsense")
        await until(lambda: node.facts().file_refused)
        path.write_text(good)
        await until(lambda: not node.facts().file_refused)
        assert node.facts().refused == 1
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await node.close()

    with capture_logs() as logs:
        asyncio.run(scene())
    assert [each["event"] for each in logs] == ["network_refused", "network_sound_again"]


def test_servers_that_a_view_has_in_another_state_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "CHECK_S", 0.01)
    path, view = copied(tmp_path), tmp_path / "view.json"

    def states(version: int, **found: ServerState) -> None:
        servers = {name: ServerView(state) for name, state in found.items()}
        write_view(view, View(version, time.time(), servers))

    def shown(node: NetworkFollower) -> dict[str, str] | None:
        found = node.facts().view
        return None if found is None else found.not_online

    async def scene() -> None:
        states(1, oslo1=ServerState.FAILED, elsewhere1=ServerState.FAILED)
        node = await NetworkFollower.open(NetworkMember(file=path, view=view), tmp_path)
        assert shown(node) == {"oslo1": "failed"}
        following = asyncio.create_task(node.follow())
        states(2, oslo2=ServerState.FULL)
        await until(lambda: shown(node) == {"oslo2": "full"})
        states(3, oslo2=ServerState.FULL)
        await until(lambda: (found := node.facts().view) is not None and found.version == 3)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await node.close()

    with capture_logs() as logs:
        asyncio.run(scene())
    said = [each["servers"] for each in logs if each["event"] == "view_states_changed"]
    assert said == [{"oslo1": "failed"}, {"oslo1": "online", "oslo2": "full"}]


@pytest.mark.parametrize("there", [True, False])
def test_a_view_file_that_is_not_there_is_said_once(tmp_path: Path, *, there: bool) -> None:
    view = tmp_path / "view.json"
    if there:
        write_view(view, View(1, time.time(), {}))
    member = NetworkMember(file=copied(tmp_path), view=view)
    with capture_logs() as said:
        asyncio.run(NetworkFollower.open(member, tmp_path))
    missing = [one["file"] for one in said if one["event"] == "view_file_missing"]
    assert missing == ([] if there else [str(view)])
