"""What the VIP process answers other nodes, and to whom."""

from __future__ import annotations

import asyncio

import pytest

from headrace.node.network.signed import ask_value, new_nonce
from headrace.telemetry.metrics import WorkerMetrics
from headrace.vip.handler import VipHandler
from tests.harness.memory_exchange import MemoryClient

SECRETS = (b"s" * 32,)
ASKED = "GET /v1/vip HTTP/1.1\r\nHost: h\r\n"
KNOWN = f"{ASKED}Headrace-Ask: {ask_value(SECRETS, '/v1/vip', 'a' * 32)}\r\n"


def answer(
    target: str, *, secrets: tuple[bytes, ...] = SECRETS, asked: str = ""
) -> tuple[int, bytes]:
    async def run() -> tuple[int, bytes]:
        handler = VipHandler(
            WorkerMetrics(), lambda: b"said", lambda: ("d1", b"learnt"), lambda: SECRETS
        )
        client = MemoryClient(handler, asyncio.get_running_loop())
        field = ask_value(secrets, asked or target, new_nonce())
        head = f"GET {target} HTTP/1.1\r\nHost: h\r\nHeadrace-Ask: {field}\r\n\r\n"
        got = client.ask(head.encode())
        await got.done()
        return got.status, bytes(got.body)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v1/vip", (200, b"said")),
        ("/v1/coverage?after=", (200, b"learnt")),
        ("/v1/coverage", (200, b"learnt")),
        ("/v1/coverage?after=d2", (200, b"learnt")),
        ("/v1/coverage?after=d1", (204, b"")),
    ],
)
def test_who_knows_the_secret_is_told_what_is_new(target: str, expected: tuple[int, bytes]) -> None:
    assert answer(target) == expected


@pytest.mark.parametrize("target", ["/", "/v1/vip?x", "/v1/coverages", "/v1/coverage?" + "a" * 300])
def test_there_is_nothing_else(target: str) -> None:
    assert answer(target)[0] == 404


def test_nobody_else_is_told_anything() -> None:
    assert answer("/v1/coverage?after=", secrets=(b"t" * 32,))[0] == 401
    # A question for one thing is none for another.
    assert answer("/v1/coverage?after=", asked="/v1/vip")[0] == 401


@pytest.mark.parametrize(
    ("head", "stays"),
    [
        (KNOWN, True),
        (ASKED, False),
        ("GET / HTTP/1.1\r\nHost: h\r\n", False),
        ("POST /v1/vip HTTP/1.1\r\nHost: h\r\n", False),
    ],
    ids=["known", "unknown", "nothing-there", "method"],
)  # fmt: skip
def test_a_strangers_connection_ends_with_its_first_question(head: str, stays: bool) -> None:
    """One that asks again and again keeps this process from its checks."""

    async def run() -> bool:
        handler = VipHandler(
            WorkerMetrics(), lambda: b"said", lambda: ("d1", b"learnt"), lambda: SECRETS
        )
        client = MemoryClient(handler, asyncio.get_running_loop())
        await client.ask(f"{head}\r\n".encode()).done()
        return client.open

    assert asyncio.run(run()) is stays


def test_who_asks_and_knows_the_secret_is_heard_of() -> None:
    async def run() -> None:
        heard = list[str]()
        handler = VipHandler(
            WorkerMetrics(), lambda: b"", lambda: ("", b""), lambda: SECRETS, heard.append
        )
        client = MemoryClient(handler, asyncio.get_running_loop())
        for secrets in ((b"t" * 32,), SECRETS):
            field = ask_value(secrets, "/v1/vip", new_nonce())
            got = client.ask(f"{ASKED}Headrace-Ask: {field}\r\n\r\n".encode())
            await got.done()
            assert len(heard) == (secrets == SECRETS)
            client = MemoryClient(handler, asyncio.get_running_loop())

    asyncio.run(run())
