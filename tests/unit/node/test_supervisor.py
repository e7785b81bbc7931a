"""What a supervisor refuses as long as no worker serves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from headrace.config.loader import validate_document
from headrace.node.admin.every_role import every_role
from headrace.node.admin.operations import NoRequest
from headrace.node.admin.problem import ProblemError
from headrace.node.supervisor import EXIT_FAILED, Supervisor
from tests.harness.toy_role import ToyConfig, ToyRole


def starting(directory: Path) -> Supervisor[ToyConfig]:
    """A supervisor whose workers do not serve yet, and that must not read its file again."""
    document = {
        "greeting": "hello", "directory": str(directory), "listen": [{"address": "127.0.0.1:0"}],
    }  # fmt: skip
    config = validate_document(document, ToyRole.root, str, base=directory)

    def reread() -> ToyConfig:
        raise AssertionError("it was read again")

    return Supervisor(ToyRole(), config, reread)


def test_a_reload_before_the_workers_serve_is_refused(tmp_path: Path) -> None:
    async def ask() -> int:
        operations = every_role(starting(tmp_path))
        reload = next(one for one in operations if one.path == "/reload")
        with pytest.raises(ProblemError, match="ask again when it serves") as refused:
            await reload.handler(NoRequest())
        assert refused.value.status in reload.refusals
        return refused.value.status

    assert asyncio.run(ask()) == 503


def test_what_the_system_refuses_at_the_start_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_role: ToyRole, _config: ToyConfig) -> None:
        raise PermissionError(13, "Permission denied", "/var/lib/toy/lock")

    monkeypatch.setattr(ToyRole, "open", refuse)

    async def run() -> int:
        return await starting(tmp_path).run()

    with capture_logs() as logs:
        assert asyncio.run(run()) == EXIT_FAILED
    [failed] = [one for one in logs if one["event"] == "start_failed"]
    assert failed["problem"] == "[Errno 13] Permission denied: '/var/lib/toy/lock'"
