"""A request whose origin fails fails alone: who only waited with it tries once more for himself.

And no more than once: an origin that is down is not asked by each who waits.
"""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.raw_origin import RawOrigin, reply

RAW_EDGE = {"timeouts": {"origin_first_byte": 2, "lock_wait": 10}}
CROWD = 10


@pytest.fixture(autouse=True)
def _no_kept_connection(raw_origin: RawOrigin) -> None:
    """A request on a kept connection that breaks is repeated once on another, which is no try."""
    raw_origin.hang_up()


@pytest.mark.parametrize("way", ["resets", "closes", "hangs"])
def test_those_who_waited_get_their_answer(
    raw_origin: RawOrigin, raw_edge: Edge, path: str, way: str
) -> None:
    clients = [raw_edge.client() for _ in range(CROWD)]
    first, *others = clients
    first.ask(path)
    heard = raw_origin.hears()
    for client in others:
        client.ask(path)
    raw_origin.hears_nothing(0.3)
    if way == "resets":
        heard.resets()
    elif way == "closes":
        heard.closes()
    raw_origin.hears().says(reply(b"sound", cache_control="max-age=60"))

    assert first.response().status in (502, 504)
    for client in others:
        assert client.response().body == b"sound"
        client.close()
    raw_origin.hears_nothing(0.1)
    first.close()


def test_an_origin_that_is_down_is_asked_twice_and_not_by_each(
    raw_origin: RawOrigin, raw_edge: Edge, path: str
) -> None:
    clients = [raw_edge.client() for _ in range(CROWD)]
    clients[0].ask(path)
    heard = raw_origin.hears()
    for client in clients[1:]:
        client.ask(path)
    raw_origin.hears_nothing(0.3)
    heard.resets()
    raw_origin.hears().resets()

    for client in clients:
        assert client.response().status == 502
        client.close()
    raw_origin.hears_nothing(0.3)
