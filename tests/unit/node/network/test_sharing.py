"""Each worker gets what is in force before anything else, and the newest when it has answered."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.node.messages import Message, NetworkTaken, TakeNetwork
from headrace.node.network.compiling import SealedFile
from headrace.node.network.sharing import Sharing
from headrace.node.network.taking import TakenNetwork
from headrace.topology.snapshot import NetworkSnapshot, encode, version_of
from headrace.topology.view import NO_VIEW, View
from headrace.topology.view_codec import LARGEST_BYTES, decode_view
from tests.harness.networks import two_sites


def sealed(servers: int = 2) -> SealedFile:
    file = SealedFile()
    os.write(file.descriptor, encode(two_sites(servers)))
    file.seal()
    return file


class FakeChannel:
    """Keeps what is sent, with descriptors of its own as the kernel makes them."""

    def __init__(self) -> None:
        self.closed = False
        self.sent: list[tuple[TakeNetwork, list[int]]] = []

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        assert isinstance(message, TakeNetwork)
        self.sent.append((message, [os.dup(one) for one in descriptors]))


class FakeWorker:
    """Takes messages as a worker does, when it is told to."""

    def __init__(self) -> None:
        self.number = 0
        self.channel = FakeChannel()
        self.network_taken: Callable[[NetworkTaken], None] | None = None
        self.taken = TakenNetwork()
        self.has: tuple[NetworkSnapshot, View] | None = None

    def answer(self) -> None:
        """Take the oldest message."""
        message, descriptors = self.channel.sent.pop(0)
        problem = self.taken.take(message, descriptors)
        self.taken.hand_to(self.adopt)
        assert self.network_taken is not None
        self.network_taken(NetworkTaken(message.number, problem))

    def adopt(self, network: NetworkSnapshot, view: View) -> None:
        self.has = (network, view)

    @property
    def state(self) -> tuple[str, int]:
        assert self.has is not None
        return self.has[0].version, self.has[1].version


V2, V3 = version_of(two_sites(2)), version_of(two_sites(3))


def welcomed(sharing: Sharing) -> FakeWorker:
    worker = FakeWorker()
    sharing.welcome(worker)  # type: ignore[arg-type]  # a channel in name
    return worker


def test_a_new_worker_gets_description_and_view() -> None:
    worker = welcomed(Sharing(sealed(), View(4, 1.0)))
    worker.answer()
    assert worker.state == (V2, 4)
    assert not worker.channel.sent


def test_without_a_view_there_is_none() -> None:
    worker = welcomed(Sharing(sealed()))
    worker.answer()
    assert worker.has is not None
    assert worker.has[1] is NO_VIEW


def test_what_did_not_change_is_the_same_object() -> None:
    sharing = Sharing(sealed(), View(4, 1.0))
    worker = welcomed(sharing)
    worker.answer()
    assert worker.has is not None
    network, view = worker.has
    sharing.share(view=View(5, 2.0))
    worker.answer()
    assert worker.has[0] is network
    assert worker.state == (V2, 5)
    view = worker.has[1]
    sharing.share(file=sealed(3))
    worker.answer()
    assert worker.has[1] is view
    assert worker.state == (V3, 5)


def test_who_hangs_holds_one_message_and_then_gets_the_newest() -> None:
    sharing = Sharing(sealed())
    worker = welcomed(sharing)
    for version in range(1, 50):
        sharing.share(file=sealed(3), view=View(version, 1.0))
    assert len(worker.channel.sent) == 1
    assert sharing.behind == 1
    worker.answer()
    worker.answer()
    assert worker.state == (V3, 49)
    assert sharing.behind == 0


def test_the_dead_are_not_told_and_not_missed() -> None:
    sharing = Sharing(sealed())
    worker = welcomed(sharing)
    worker.answer()
    worker.channel.closed = True
    sharing.share(view=View(1, 1.0))
    assert (worker.channel.sent, sharing.behind) == ([], 0)


def test_a_description_that_cannot_be_mapped_leaves_the_one_before() -> None:
    sharing = Sharing(sealed())
    worker = welcomed(sharing)
    worker.answer()
    broken = SealedFile()
    os.write(broken.descriptor, b"no description")
    sharing.share(file=broken)
    worker.answer()
    assert worker.state == (V2, 0)


def test_a_descriptor_is_closed_with_its_last_user() -> None:
    def open_now() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = open_now()
    sharing = Sharing(sealed())
    worker = welcomed(sharing)
    for _ in range(20):
        worker.answer()
        sharing.share(file=sealed(3))
    worker.answer()
    # One memory file, which the worker maps by a descriptor of its own.
    assert open_now() - before <= 2
    del sharing, worker
    assert open_now() == before


@given(st.lists(st.sampled_from(["view", "file", "answer 0", "answer 1", "new"]), max_size=40))
@settings(max_examples=60)
def test_in_whatever_order_all_end_with_the_newest(steps: list[str]) -> None:
    files = [sealed(2), sealed(3)]
    sharing = Sharing(files[0])
    workers = [welcomed(sharing), welcomed(sharing)]
    version, number = 0, 0
    for step in steps:
        if step == "view":
            version += 1
            sharing.share(view=View(version, 1.0))
        elif step == "file":
            number = 1 - number
            sharing.share(file=files[number])
        elif step == "new":
            workers.append(welcomed(sharing))
        elif workers[int(step[-1])].channel.sent:
            workers[int(step[-1])].answer()
    for worker in workers:
        while worker.channel.sent:
            assert len(worker.channel.sent) == 1
            worker.answer()
        assert worker.state == ((V2, V3)[number], version)


def test_what_is_sealed_stays() -> None:
    file = sealed()
    with pytest.raises(PermissionError):
        os.pwrite(file.descriptor, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(file.descriptor, 0)


def test_a_view_that_was_written_short_reaches_the_workers() -> None:
    weights = ",".join(f'"{number:05x}":1e6' for number in range(300_000))
    said = f'{{"version":3,"made_at":1,"coverage":{{"all":{{{weights}}}}}}}'.encode()
    assert len(said) < LARGEST_BYTES
    view = decode_view(said)
    sharing = Sharing(sealed(), view)
    worker = welcomed(sharing)
    worker.answer()
    assert worker.has is not None
    assert worker.has[1] == view
