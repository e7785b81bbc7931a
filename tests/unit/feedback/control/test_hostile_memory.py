"""What is adopted as a memory may be anything: it is refused, or a step can go on from it."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.feedback.control.controller import Controller, ControllerRules
from headrace.feedback.control.memory import (
    LARGEST_BYTES,
    Memory,
    MemoryDecodeError,
    decode_memory,
    encode_memory,
)
from headrace.feedback.exchange.document import LONGEST_EVENT_BYTES
from headrace.feedback.observation import Outcome, ProbeRecord
from headrace.feedback.orders import NO_ORDERS, Frozen, Orders, Wish, wish_server
from headrace.feedback.states.model import ServerRecord, SiteRecord, State, States
from headrace.feedback.states.quorum import MOST_EVIDENCE
from headrace.topology.model import Site
from headrace.topology.view_codec import encode_taken
from tests.unit.feedback.networks import GONE, RULES, network, observed

NET = network(sites=2, servers=2)
NAMES = [server.name for server in NET.servers]
CONTROLLER = Controller(NET, ControllerRules(RULES))
AGE = st.sampled_from([0.0, 1e-9, 5.0, 1e9])
RECORD = st.builds(
    ServerRecord,
    state=st.sampled_from(State),
    for_s=AGE,
    ramp=st.sampled_from([0.0, 0.5, 1.0]),
    penalty=AGE,
    suppressed=st.booleans(),
    load_s=AGE,
    silent_s=st.one_of(st.none(), AGE),
)
MEMORY = st.builds(
    Memory,
    at=st.sampled_from([0.0, 1.0, 1e6, 1e11]),
    states=st.builds(
        States,
        st.dictionaries(st.sampled_from([*NAMES, "gone"]), RECORD),
        st.sampled_from([0, 1, 2**53]),
        sites=st.dictionaries(
            st.sampled_from(["s0", "s1", "gone"]),
            st.builds(
                SiteRecord,
                share=st.floats(0.0, 1.0),
                mark=st.floats(0.0, 1e3),
                calm_s=AGE,
                raised=st.booleans(),
                wait_s=AGE,
            ),
        ),
    ),
    orders=st.sampled_from([Orders(), Orders(freezes=(Frozen(True, 2**53),))]),
)


@settings(max_examples=100, deadline=None)
@given(MEMORY, st.sampled_from([0.0, 1.0, 1e9, -5.0, float("nan"), float("inf")]))
def test_a_step_goes_on_from_any_memory_that_is_taken(memory: Memory, elapsed_s: float) -> None:
    taken = decode_memory(encode_memory(memory))
    for _second in range(3):
        step = CONTROLLER.step(taken, observed(NET, {"s0a0": GONE}), 1e6, elapsed_s)
        assert decode_memory(encode_memory(step.memory)) == step.memory
        assert set(step.memory.states.servers) == set(NAMES)
        encode_taken(step.view)
        taken = step.memory


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_are_refused_or_taken(data: bytes) -> None:
    with contextlib.suppress(MemoryDecodeError):
        decode_memory(data)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"null",
        b"[]",
        b'{"format":2}',
        b'{"at":-1}',
        b'{"at":NaN}',
        b'{"states":{"servers":{"":{}}}}',
        b'{"states":{"servers":{"a":{"state":"dead"}}}}',
        b'{"states":{"servers":{"a":{"ramp":1.5}}}}',
        b'{"states":{"servers":{"a":{"penalty":1e300}}}}',
        b'{"states":{"servers":{"a":{"reasons":["x"]}}}}',
        b'{"states":{"steps":-1}}',
        b'{"orders":{"freeze":{"frozen":1,"sequence":0}}}',
        b'{"kept":{"version":0,"made_at":0}}',
        b'{"heavy":{"demand":{"a":{"b":2}}}}',
        b"[" * 100_000,
        b'{"alarms":[' + b'{"kind":"last"},' * 100 + b'{"kind":"last"}]}',
    ],
)
def test_what_no_controller_wrote_is_refused(document: bytes) -> None:
    with pytest.raises(MemoryDecodeError):
        decode_memory(document)


def test_too_much_is_refused_unread() -> None:
    with pytest.raises(MemoryDecodeError, match="at most"):
        decode_memory(b" " * (LARGEST_BYTES + 1))


def test_what_a_later_version_added_is_passed_over() -> None:
    taken = decode_memory(b'{"later":1,"states":{"servers":{"s0a0":{"more":2}}}}')
    assert msgspec.structs.asdict(taken.states.servers["s0a0"])["state"] is State.ONLINE


def test_the_largest_event_fits_into_what_observers_tell_each_other() -> None:
    observers = tuple(f"{number:064}" for number in range(32))
    net = network(sites=1, servers=2)
    long = replace(net.servers[0], name="s" * 64, site="t" * 64)
    net = replace(net, sites=(Site("t" * 64), *net.sites), servers=(long, *net.servers[1:]))
    probe = ProbeRecord(Outcome.UNREACHABLE, 0.123456789, 10**6, 10**6, 0, 1.0)
    seen = observed(net, {"s" * 64: probe}, observers=observers)
    orders = wish_server(NO_ORDERS, "s" * 64, Wish.WITHDRAWN, now=0.0, reason="\x01" * 999)
    controller = Controller(net, ControllerRules(replace(RULES, observers=observers)))
    (change,) = controller.step(Memory(), seen, 1e6, 1.0, orders).changes
    assert len(change.evidence) == MOST_EVIDENCE
    assert len(msgspec.json.encode(change)) < LONGEST_EVENT_BYTES
