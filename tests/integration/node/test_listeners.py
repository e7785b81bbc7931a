"""Reserving addresses, and opening them in workers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from headrace.config import Listener
from headrace.node.listeners import (
    ListenError,
    ReservedAddress,
    open_listener,
    rebind,
    reserve,
    reserve_all,
)
from headrace.node.messages import Binding


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def taken(held: ExitStack, listener: Listener) -> ReservedAddress:
    reservation = reserve(listener)
    held.callback(reservation.release)
    return reservation


def test_port_0_becomes_a_real_port(held: ExitStack) -> None:
    reservation = taken(held, Listener(address="127.0.0.1:0"))
    assert reservation.binding.port > 0
    assert reservation.url == f"http://127.0.0.1:{reservation.binding.port}"


def test_a_reserved_address_takes_no_connection_before_a_worker_listens(held: ExitStack) -> None:
    binding = taken(held, Listener(address="127.0.0.1:0")).binding
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", binding.port))


def test_two_workers_listen_on_one_reserved_address(held: ExitStack) -> None:
    binding = taken(held, Listener(address="127.0.0.1:0")).binding
    with open_listener(binding), open_listener(binding):
        socket.create_connection(("127.0.0.1", binding.port)).close()


def test_a_second_server_cannot_share_an_address_that_workers_listen_on(held: ExitStack) -> None:
    binding = taken(held, Listener(address="127.0.0.1:0")).binding
    with (
        open_listener(binding),
        pytest.raises(ListenError, match="another process uses it"),
    ):
        reserve(Listener(address=f"127.0.0.1:{binding.port}"))


def test_an_ipv6_address_is_written_in_brackets(held: ExitStack) -> None:
    reservation = taken(held, Listener(address="[::1]:0"))
    assert reservation.url == f"http://[::1]:{reservation.binding.port}"


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ListenError, match="does not have that address"):
        reserve(Listener(address="192.0.2.1:0"))


@pytest.mark.parametrize("address", ["192.0.2.1:0", "[2001:db8::1]:0"])
def test_an_address_that_comes_later_is_listened_on(held: ExitStack, address: str) -> None:
    binding = taken(held, Listener(address=address, freebind=True)).binding
    assert binding.freebind
    open_listener(binding).close()


def test_a_worker_cannot_open_a_unix_socket_itself() -> None:
    with pytest.raises(ListenError, match="descriptor comes by message"):
        open_listener(Binding("unix:/run/x", None, 0))


def test_a_unix_socket_gets_its_mode(held: ExitStack, tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    taken(held, Listener(address=f"unix:{path}", unix_mode=0o600))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_unix_socket_that_a_dead_server_left_is_replaced(held: ExitStack, tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    taken(held, Listener(address=f"unix:{path}"))


def test_a_unix_socket_in_use_is_refused(held: ExitStack, tmp_path: Path) -> None:
    listener = Listener(address=f"unix:{tmp_path / 'edge.sock'}")
    taken(held, listener)
    with pytest.raises(ListenError, match="another process listens there"):
        reserve(listener)


def test_a_file_that_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ListenError, match="is not a socket"):
        reserve(Listener(address=f"unix:{path}"))
    assert path.read_text() == "data"


def test_releasing_leaves_a_socket_that_someone_else_put_there(tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    reservation = reserve(Listener(address=f"unix:{path}"))
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(path))
        reservation.release()
        assert path.exists()


def test_all_addresses_are_taken_or_none(tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    with pytest.raises(ListenError):
        reserve_all([Listener(address=f"unix:{path}"), Listener(address="192.0.2.1:0")])
    assert not path.exists()


def test_a_kept_address_keeps_its_socket(held: ExitStack) -> None:
    first = taken(held, Listener(address="127.0.0.1:0"))
    wanted, added = rebind([first], [Listener(address="127.0.0.1:0", backlog=7)])
    assert wanted[0].socket is first.socket
    assert (wanted[0].binding.port, wanted[0].binding.backlog) == (first.binding.port, 7)
    assert added == []


def test_only_new_addresses_are_taken(held: ExitStack) -> None:
    first = taken(held, Listener(address="127.0.0.1:0"))
    wanted, added = rebind([first], [Listener(address="[::1]:0"), Listener(address="127.0.0.1:0")])
    held.callback(added[0].release)
    assert wanted == [added[0], wanted[1]]
    assert wanted[1].socket is first.socket
