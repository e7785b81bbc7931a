"""What a program's end says of what it was to do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headrace.vip.handover import programs
from headrace.vip.handover.programs import ProgramError, ProgramUnclearError, run


def told_by(directory: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> ProgramError:
    """Return what is raised where `nft` is that script."""
    made = directory / "nft"
    made.write_text(script)
    made.chmod(0o755)
    monkeypatch.setattr(programs, "PATH", str(directory))
    with pytest.raises(ProgramError) as raised:
        asyncio.run(run("nft", "-f", "-"))
    return raised.value


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("#!/bin/sh\nkill -KILL $$\n", "nft was ended by signal 9"),
        ("#!/no/such/program\n", "nft cannot be started"),
    ],
)
def test_who_was_killed_or_not_started_has_refused_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str
) -> None:
    """As when the machine has no memory, or no process, to spare: what was there is there yet."""
    found = told_by(tmp_path, script, monkeypatch)
    assert isinstance(found, ProgramUnclearError)
    assert problem in str(found)


def test_what_a_program_refuses_is_told_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "#!/bin/sh\necho Operation not permitted >&2\nexit 1\n"
    found = told_by(tmp_path, script, monkeypatch)
    assert not isinstance(found, ProgramUnclearError)
    assert "CAP_NET_ADMIN" in str(found)
