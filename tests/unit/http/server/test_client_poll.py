"""Client sockets wait in an epoll of their own, of which the loop sees one descriptor."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from headrace.http.server.client_poll import TURN_EVENTS, ClientPoll


class OneReader:
    """The part of an event loop that is used: it watches one descriptor."""

    def __init__(self) -> None:
        self.watched: dict[int, Callable[[], None]] = {}
        self.failures: list[object] = []

    def add_reader(self, descriptor: int, callback: Callable[[], None]) -> None:
        self.watched[descriptor] = callback

    def remove_reader(self, descriptor: int) -> None:
        del self.watched[descriptor]

    def call_exception_handler(self, context: dict[str, object]) -> None:
        self.failures.append(context["exception"])

    def turn(self) -> bool:
        """Do as the loop does once; False when nothing is ready."""
        (descriptor,) = self.watched
        if not select.select([descriptor], [], [], 0)[0]:
            return False
        self.watched[descriptor]()
        return True


@pytest.fixture
def loop() -> OneReader:
    return OneReader()


@pytest.fixture
def poll(loop: OneReader) -> Iterator[ClientPoll]:
    with closing(ClientPoll(loop)) as made:  # type: ignore[arg-type]
        yield made


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


def test_reads_as_long_as_something_is_there(loop: OneReader, poll: ClientPoll, pair: Pair) -> None:
    ours, theirs = pair
    read: list[bytes] = []
    poll.add_reader(ours.fileno(), lambda: read.append(ours.recv(1)))
    assert not loop.turn()
    theirs.send(b"ab")
    assert loop.turn()
    assert loop.turn()
    assert not loop.turn()
    assert read == [b"a", b"b"]


def test_reading_and_writing_come_and_go_apart(
    loop: OneReader, poll: ClientPoll, pair: Pair
) -> None:
    ours, theirs = pair
    called: list[str] = []
    number = ours.fileno()
    poll.add_writer(number, lambda: called.append("write"))
    poll.add_reader(number, lambda: called.append("read"))
    theirs.send(b"a")
    loop.turn()
    assert called == ["read", "write"]
    poll.remove_writer(number)
    loop.turn()
    assert called == ["read", "write", "read"]
    poll.add_writer(number, lambda: called.append("write"))
    poll.remove_reader(number)
    loop.turn()
    assert called[3:] == ["write"]
    poll.remove_writer(number)
    poll.remove_reader(number)
    assert not loop.turn()


def test_a_hang_up_that_nobody_waits_for_wakes_nobody(
    loop: OneReader, poll: ClientPoll, pair: Pair
) -> None:
    ours, theirs = pair
    poll.add_reader(ours.fileno(), lambda: None)
    theirs.close()
    assert loop.turn()
    poll.remove_reader(ours.fileno())
    assert not loop.turn()


def test_a_hang_up_is_told_to_whoever_waits_to_write(
    loop: OneReader, poll: ClientPoll, pair: Pair
) -> None:
    ours, theirs = pair
    with suppress(BlockingIOError):
        while True:
            ours.send(bytes(100_000))
    told: list[str] = []
    poll.add_writer(ours.fileno(), lambda: told.append("write"))
    assert not loop.turn()
    theirs.close()
    assert loop.turn()
    assert told == ["write"]


def test_a_second_callback_takes_the_place_of_the_first(
    loop: OneReader, poll: ClientPoll, pair: Pair
) -> None:
    ours, theirs = pair
    called: list[int] = []
    for number in (1, 2):
        poll.add_reader(ours.fileno(), lambda number=number: called.append(number))  # type: ignore[misc]
    theirs.send(b"a")
    loop.turn()
    assert called == [2]


def test_a_closed_descriptor_costs_no_call_and_its_number_can_be_used_again(
    loop: OneReader, poll: ClientPoll
) -> None:
    for _again in range(2):
        ours, theirs = socket.socketpair()
        called: list[int] = []
        poll.add_reader(ours.fileno(), lambda called=called: called.append(1))  # type: ignore[misc]
        theirs.send(b"a")
        loop.turn()
        assert called == [1]
        poll.closing(ours.fileno())
        ours.close()
        theirs.close()
        assert not loop.turn()


def test_one_that_is_closed_in_a_turn_is_not_called_in_it(
    loop: OneReader, poll: ClientPoll
) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []

    def close_both() -> None:
        called.append(1)
        for ours, _theirs in pairs:
            poll.closing(ours.fileno())
            ours.close()

    for ours, theirs in pairs:
        poll.add_reader(ours.fileno(), close_both)
        theirs.send(b"a")
    loop.turn()
    assert called == [1]
    for _ours, theirs in pairs:
        theirs.close()


def test_a_fault_in_one_callback_is_reported_and_others_have_their_turn(
    loop: OneReader, poll: ClientPoll
) -> None:
    pairs = [socket.socketpair() for _ in range(3)]
    called: list[int] = []

    def broken() -> None:
        called.append(1)
        raise KeyError(len(called))

    for ours, theirs in pairs:
        poll.add_reader(ours.fileno(), broken)
        theirs.send(b"a")
    loop.turn()
    assert len(called) == len(loop.failures) == len(pairs)
    for ours, theirs in pairs:
        poll.closing(ours.fileno())
        ours.close()
        theirs.close()


def test_a_turn_is_bounded_and_nobody_is_left_out(loop: OneReader, poll: ClientPoll) -> None:
    pairs = [socket.socketpair() for _ in range(TURN_EVENTS + 1)]
    called: set[int] = set()
    for number, (ours, theirs) in enumerate(pairs):
        poll.add_reader(ours.fileno(), lambda number=number: called.add(number))  # type: ignore[misc]
        theirs.send(b"a")
    loop.turn()
    assert len(called) == TURN_EVENTS
    loop.turn()
    assert len(called) == len(pairs)
    for ours, theirs in pairs:
        poll.closing(ours.fileno())
        ours.close()
        theirs.close()


def test_closes_twice_and_leaves_the_loop(loop: OneReader, poll: ClientPoll) -> None:
    poll.close()
    poll.close()
    assert not loop.watched


def test_works_below_a_real_loop(pair: Pair) -> None:
    async def run() -> bytes:
        ours, theirs = pair
        loop = asyncio.get_running_loop()
        found: asyncio.Future[bytes] = loop.create_future()
        with closing(ClientPoll(loop)) as poll:
            poll.add_reader(ours.fileno(), lambda: found.set_result(ours.recv(10)))
            loop.call_soon(theirs.send, b"a")
            return await asyncio.wait_for(found, 10)

    assert asyncio.run(run()) == b"a"
