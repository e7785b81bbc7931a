"""What a node begins with, when its file is good, wrong, or cannot even be tried."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headrace.config.network_member import EdgeMember, NetworkMember
from headrace.node.network import follower
from headrace.node.network.compiling import Compiled, CompileError, compiled
from headrace.node.network.follower import NetworkFileError, NetworkFollower
from headrace.node.network.last_good import NAME

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
