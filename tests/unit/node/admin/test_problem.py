"""Failures of the admin API: answered with a problem, and logged unless the asker has left."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import pytest
from aiohttp import ClientConnectionResetError, web
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from headrace.node.admin.problem_responses import problems


@pytest.mark.parametrize(("leaving", "logged"), [(True, []), (False, ["admin_request_failed"])])
def test_an_asker_that_has_left_is_no_failure(leaving: bool, logged: list[str]) -> None:
    transport = Mock(**{"is_closing.return_value": leaving})
    request = make_mocked_request("GET", "/log", transport=transport)

    async def handler(_request: web.Request) -> web.StreamResponse:
        raise ClientConnectionResetError("Cannot write to closing transport")

    async def test() -> int:
        return (await problems(request, handler)).status

    with capture_logs() as logs:
        assert asyncio.run(test()) == 500
    assert [one["event"] for one in logs] == logged
