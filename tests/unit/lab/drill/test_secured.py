"""A drill's client resumes sessions of TLS where it can, and says whether it did."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from pathlib import Path

import pytest

from headrace.lab.drill.client.attempt import attempt, request_bytes
from headrace.lab.drill.client.secured import Sessions
from headrace.lab.drill.records import Body, Outcome
from headrace.lab.network.certificates import write_certificates
from headrace.lab.network.configuration import HOST, authority_file, certificate_file, key_file
from headrace.lab.network.plan import LabPlan
from tests.unit.lab.network.plans import plan_of

DATA = b"small" * 5000
BODY = Body("/small", len(DATA), hashlib.sha256(DATA).hexdigest())
Came = tuple[Outcome, bool | None]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(DATA) + DATA)
    await writer.drain()
    writer.close()


@pytest.fixture
def plan(tmp_path: Path) -> LabPlan:
    made = plan_of("preferences", tmp_path)
    write_certificates(made)
    return made


async def ask(plan: LabPlan, name: str, often: int, *, servers: int = 1) -> list[Came]:
    """Ask in turn so many servers that share no keys; what came of each request."""
    found: list[Came] = []
    sessions = Sessions(str(authority_file(plan)), name)
    ports, open_servers = [], []
    for _ in range(servers):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate_file(plan), key_file(plan))
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        open_servers.append(server)
        ports.append(server.sockets[0].getsockname()[1])
    for number in range(often):
        secured = sessions.begin("127.0.0.1")
        came = await attempt(
            "127.0.0.1", ports[number % servers], request_bytes(HOST, "/small"), BODY, 20.0, secured
        )
        if came.outcome == "ok":
            sessions.keep("127.0.0.1", secured)
        found.append((came.outcome, secured.resumed))
    for server in open_servers:
        server.close()
    return found


def test_the_session_of_the_request_before_is_resumed(plan: LabPlan) -> None:
    assert asyncio.run(ask(plan, HOST, 3)) == [("ok", None), ("ok", True), ("ok", True)]


def test_a_server_with_keys_of_its_own_resumes_nothing(plan: LabPlan) -> None:
    assert asyncio.run(ask(plan, HOST, 2, servers=2)) == [("ok", None), ("ok", False)]


def test_a_certificate_for_another_host_is_refused(plan: LabPlan) -> None:
    assert asyncio.run(ask(plan, "elsewhere.test", 1)) == [("tls", None)]


def test_a_secret_is_for_its_owner_alone(plan: LabPlan) -> None:
    assert key_file(plan).stat().st_mode & 0o077 == 0
