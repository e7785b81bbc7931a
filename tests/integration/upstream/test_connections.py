"""Which connections to an origin are used again, and what happens when one has gone stale."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from headrace.http.message import Field
from headrace.upstream.client import OriginClient, OriginTimeouts, RequestBody
from headrace.upstream.endpoint import Endpoint, origin_context
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.sockets import SocketNetwork
from tests.harness.bodies import Body
from tests.harness.certificates import Authority, server_context
from tests.harness.origin import Origin
from tests.harness.replies import End, Reply
from tests.integration.upstream.asking import PATIENT, Asker, asking, pieces

BODY = Body(3, 100_000)


async def get_twice(asker: Asker, path: str) -> None:
    await asker.get(path)
    await asker.get(path)


def connections(origin: Origin, path: str) -> int:
    return len({request.connection for request in origin.asked(path)})


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_connection_is_used_again_after_a_whole_body(
    origin: Origin, path: str, framing: str
) -> None:
    origin.serve(path, Reply(body=BODY, framing=framing))  # type: ignore[arg-type]
    asking(origin, lambda asker: get_twice(asker, path))
    assert connections(origin, path) == 1


def test_a_connection_that_the_origin_closes_is_not_used_again(origin: Origin, path: str) -> None:
    origin.serve(path, Reply(body=BODY, keep_alive=False))
    asking(origin, lambda asker: get_twice(asker, path))
    assert connections(origin, path) == 2


def test_a_kept_connection_that_the_origin_closed_meanwhile_is_replaced(
    origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(body=b"x"))

    async def talk(asker: Asker) -> bytes:
        await asker.get(path)
        await asyncio.to_thread(origin.hang_up)
        return (await asker.get(path)).body

    assert asking(origin, talk) == b"x"


def test_a_connection_closed_just_as_it_is_used_again_is_replaced(
    origin: Origin, path: str
) -> None:
    origin.serve(path, [Reply(body=b"1"), Reply(end=End("before_head")), Reply(body=b"2")])

    async def talk(asker: Asker) -> bytes:
        await asker.get(path)
        return (await asker.get(path)).body

    assert asking(origin, talk) == b"2"


def test_a_new_connection_that_breaks_is_not_tried_again(origin: Origin, path: str) -> None:
    origin.serve(path, [Reply(end=End("before_head")), Reply(body=b"x")])
    with pytest.raises(OriginError):
        asking(origin, lambda asker: asker.get(path))
    assert origin.count(path) == 1


def test_a_post_is_never_sent_twice(origin: Origin, path: str) -> None:
    origin.serve(path, [Reply(body=b"1"), Reply(end=End("before_head")), Reply(body=b"2")])

    async def talk(asker: Asker) -> None:
        await asker.get(path)
        fields: list[Field] = [(b"content-length", b"1")]
        await asker.get(path, "POST", fields, RequestBody(pieces(b"x"), 1))

    with pytest.raises(OriginError):
        asking(origin, talk)
    assert origin.count(path) == 2


def test_a_connection_idle_for_too_long_is_not_used_again(origin: Origin, path: str) -> None:
    origin.serve(path, Reply(body=b"x"))
    asking(origin, lambda asker: get_twice(asker, path), timeouts=OriginTimeouts(idle_s=0.0))
    assert connections(origin, path) == 2


def test_an_unread_body_costs_the_connection(origin: Origin, path: str) -> None:
    origin.serve(path, Reply(body=BODY))

    async def leave(asker: Asker) -> None:
        (await asker.open(path)).close()
        await asker.get(path)

    asking(origin, leave)
    assert connections(origin, path) == 2


def test_requests_at_once_use_connections_of_their_own(origin: Origin, path: str) -> None:
    origin.serve(path, replace(Reply(body=BODY), delay_s=0.05))

    async def together(asker: Asker) -> list[bytes]:
        found = await asyncio.gather(*(asker.get(path) for _ in range(5)))
        return [answer.body for answer in found]

    assert asking(origin, together) == [BODY.read()] * 5
    assert connections(origin, path) == 5


# Over TLS.


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tls_origin(authority: Authority) -> Iterator[Origin]:
    with Origin(tls=server_context(authority.issue("localhost"))) as running:
        yield running


def trusting(authority: Authority) -> ssl.SSLContext:
    return origin_context(str(authority.ca_file), verify=True)


def test_a_body_arrives_over_tls(tls_origin: Origin, authority: Authority, path: str) -> None:
    tls_origin.serve(path, Reply(body=BODY))
    found = asking(tls_origin, lambda asker: asker.get(path), tls=trusting(authority))
    assert found.body == BODY.read()


def test_a_tls_connection_is_used_again(
    tls_origin: Origin, authority: Authority, path: str
) -> None:
    tls_origin.serve(path, Reply(body=BODY))
    asking(tls_origin, lambda asker: get_twice(asker, path), tls=trusting(authority))
    assert connections(tls_origin, path) == 1


def test_an_untrusted_certificate_is_a_tls_failure(tls_origin: Origin, path: str) -> None:
    tls_origin.serve(path, Reply(body=BODY))
    context = origin_context(None, verify=True)
    with pytest.raises(OriginError) as caught:
        asking(tls_origin, lambda asker: asker.get(path), tls=context)
    assert caught.value.failure is Failure.TLS


def test_a_certificate_for_another_name_is_a_tls_failure(authority: Authority, path: str) -> None:
    other = authority.issue("other.example")
    with Origin(tls=server_context(other)) as misnamed, pytest.raises(OriginError) as caught:
        asking(misnamed, lambda asker: asker.get(path), tls=trusting(authority))
    assert caught.value.failure is Failure.TLS


def test_a_tls_body_cut_without_a_farewell_is_a_failure(
    tls_origin: Origin, authority: Authority, path: str
) -> None:
    tls_origin.serve(path, Reply(body=BODY, framing="close", end=End(1000, reset=True)))
    with pytest.raises(OriginError):
        asking(tls_origin, lambda asker: asker.get(path), tls=trusting(authority))


@pytest.mark.parametrize(
    ("head", "farewell", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", False, False),
        (b"HTTP/1.1 200 OK\r\n\r\n", True, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", False, True),
    ],
)
def test_a_tls_body_that_ends_with_its_connection_needs_a_farewell(
    authority: Authority, head: bytes, farewell: bool, whole: bool
) -> None:
    context = server_context(authority.issue("localhost"))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _address = listener.accept()
            with context.wrap_socket(sock, server_side=True) as secured:
                secured.recv(65536)
                secured.sendall(head + b"body")
                if farewell:
                    with contextlib.suppress(OSError):  # the client does not say it back
                        secured.unwrap()

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}"

        async def run() -> bytes:
            loop = asyncio.get_running_loop()
            client = OriginClient(loop, SocketNetwork(loop), PATIENT)
            try:
                asker = Asker(client, Endpoint.from_url(url, trusting(authority)))
                return (await asker.get("/")).body
            finally:
                client.close()

        try:
            if whole:
                assert asyncio.run(run()) == b"body"
            else:
                with pytest.raises(OriginError) as caught:
                    asyncio.run(run())
                assert caught.value.failure is Failure.BODY_RESET
        finally:
            thread.join(10)


def test_a_missing_certificate_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        origin_context(str(tmp_path / "none.pem"), verify=True)
