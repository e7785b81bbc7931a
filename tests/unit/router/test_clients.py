"""Whom a request is from, and whose word counts for it."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.message import Headers
from headrace.router.clients import Client, Clients, forwarded_elements, packed_hop

PROXY, PROXY6, UNKNOWN = "10.0.0.1", "2001:db8:f::1", "198.51.100.9"
TRUSTED = ["10.0.0.0/8", "2001:db8:f::/48"]


def packed(text: str) -> bytes:
    return ip_address(text).packed


def found(address: str, field: str = "X-Forwarded-For", /, **fields: str) -> Client:
    clients = Clients(TRUSTED, field)
    headers = Headers(
        (name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()
    )
    peer = clients.peer(address)
    return clients.spoken_for(peer, headers) if peer.trusted else peer.client


def test_a_client_is_its_own_address() -> None:
    assert found("192.0.2.1") == Client(packed("192.0.2.1"))
    assert found("2001:db8::1") == Client(packed("2001:db8::1"))
    assert found("fe80::1%eth0") == Client(packed("fe80::1"))
    assert found("::ffff:192.0.2.1") == Client(packed("192.0.2.1"))
    assert found("") == Client(None), "a Unix socket"


def test_a_stranger_is_not_believed() -> None:
    told = found(UNKNOWN, x_forwarded_for="192.0.2.1", x_forwarded_proto="https")
    assert told == Client(packed(UNKNOWN))


@pytest.mark.parametrize("proxy", [PROXY, PROXY6, f"::ffff:{PROXY}"])
def test_a_trusted_proxy_is_believed(proxy: str) -> None:
    assert found(proxy, x_forwarded_for="192.0.2.1").address == packed("192.0.2.1")


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.66, 192.0.2.1", "192.0.2.1"),
        ("203.0.113.66, 192.0.2.1, 10.1.1.1, 2001:db8:f::2", "192.0.2.1"),
        ("10.3.3.3, 10.1.1.1", "10.3.3.3"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
    ],
)
def test_the_rightmost_stranger_is_the_client(chain: str, client: str) -> None:
    assert found(PROXY, x_forwarded_for=chain).address == packed(client)


@pytest.mark.parametrize("chain", ["192.0.2.1, unknown", "192.0.2.1, 999.1.1.1", "a", ",", "1.2"])
def test_what_is_no_address_hides_all_that_is_left_of_it(chain: str) -> None:
    assert found(PROXY, x_forwarded_for=chain).address is None


def test_a_proxy_that_says_nothing_is_the_client() -> None:
    assert found(PROXY) == Client(packed(PROXY))


def test_only_the_configured_field_counts() -> None:
    assert found(PROXY, forwarded="for=192.0.2.1").address == packed(PROXY)
    told = found(PROXY, "Forwarded", x_forwarded_for="192.0.2.1")
    assert told.address == packed(PROXY)


@pytest.mark.parametrize(
    ("field", "client", "secure"),
    [
        ("for=192.0.2.1", "192.0.2.1", None),
        ("For=192.0.2.1;Proto=HTTPS", "192.0.2.1", True),
        ('for="[2001:db8::7]:4711";proto=http', "2001:db8::7", False),
        ("for=203.0.113.66;proto=http, for=192.0.2.1;proto=https, for=10.1.1.1", "192.0.2.1", True),
        ('for="192.0.2.1";by="a, for=1.1.1.1";host=x', "192.0.2.1", None),
    ],
)
def test_a_forwarded_field_is_read(field: str, client: str, secure: bool | None) -> None:
    assert found(PROXY, "Forwarded", forwarded=field) == Client(packed(client), secure)


@pytest.mark.parametrize(
    "field", ["for=_hidden", "for=unknown", "nonsense", 'for="', "for=1.1.1.1;for=2.2.2.2", ""]
)
def test_a_forwarded_field_that_says_nothing_names_nobody(field: str) -> None:
    assert found(PROXY, "Forwarded", forwarded=field).address is None


def test_the_nearest_proxy_says_the_protocol() -> None:
    assert found(PROXY, x_forwarded_proto="https").secure is True
    assert found(PROXY, x_forwarded_proto="https, http").secure is False
    assert found(PROXY, x_forwarded_proto="gopher").secure is None


def test_a_unix_socket_is_trusted_only_by_name() -> None:
    headers = Headers([(b"x-forwarded-for", b"192.0.2.1")])
    for trusted in (["unix"], []):
        clients = Clients(trusted, "X-Forwarded-For")
        peer = clients.peer("")
        assert peer.trusted is bool(trusted)
        if trusted:
            assert clients.spoken_for(peer, headers).address == packed("192.0.2.1")


@given(st.binary(max_size=200))
def test_no_field_is_beyond_reading(value: bytes) -> None:
    forwarded_elements(value)
    packed_hop(value)
    for field in ("X-Forwarded-For", "Forwarded"):
        clients = Clients(TRUSTED, field)
        headers = Headers([(field.lower().encode(), value)])
        told = clients.spoken_for(clients.peer(PROXY), headers).address
        assert told is None or len(told) in (4, 16)


@pytest.mark.parametrize(
    "field", ["a=b;" + " " * 60_000 + "!", "a" * 60_000, 'a="' + "b" * 60_000, "a=" + "b" * 60_000]
)
def test_a_long_field_takes_no_time_to_read(field: str) -> None:
    # Reading it in all ways that it could be meant would take minutes.
    assert found(PROXY, "Forwarded", forwarded=field).address is None


def test_a_long_chain_is_read_from_the_right() -> None:
    chain = ", ".join(["192.0.2.1"] + ["10.0.0.2"] * 200)
    assert found(PROXY, x_forwarded_for=chain).address == packed("10.0.0.2")


def test_the_memory_of_addresses_is_bounded() -> None:
    clients = Clients(TRUSTED, "Forwarded")
    for number in range(20_000):
        clients.peer(f"2001:db8::{number:x}")
    assert len(clients.peers) < 10_000
