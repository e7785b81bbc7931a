"""Whatever is asked, in whatever order: what is put together from what is known is what reading the
message would have answered.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import dns.edns
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headrace.config.router.dns import Dns
from headrace.router.dns.cookies import Cookies
from headrace.topology.model import Coverage, SiteChoice, Topology
from headrace.topology.prefix_set import PrefixSet
from headrace.topology.view import ServerState, ServerView, View
from tests.harness.dns_messages import NOW_S, SECRET, Asked, option, query
from tests.harness.dns_server import dns_config, dns_network

CLIENTS = [IPv4Address("192.0.2.7").packed, IPv6Address("2001:db8::7").packed]
NAMES = [
    "vod.example", "a.vod.example", "b.c.vod.example", "s1.shards.example", "s2.shards.example",
    "cdn.example", "nothing.cdn.example", "www.about.cdn.example", "example.net",
]  # fmt: skip
KINDS = ["A", "AAAA", "HTTPS", "CNAME", "SOA", "TXT", "ANY", "MX", "AXFR"]


def network() -> Topology:
    """Return a network with coverage longer and shorter than what decisions are kept by."""
    coverage = (
        Coverage(
            "finer", (SiteChoice("south"),), prefixes=PrefixSet.of(["10.0.1.0/28", "2001:db8::/60"])
        ),
        Coverage(
            "both",
            (SiteChoice("north", 2.0), SiteChoice("south", 1.0)),
            prefixes=PrefixSet.of(["10.0.0.0/20", "2001:db8::/40"]),
        ),
        Coverage("others", (SiteChoice("north"), SiteChoice("south", order=2)), default=True),
    )
    return replace(dns_network(), coverage=coverage)


def pair(config: Dns | None = None) -> tuple[Asked, Asked]:
    """Return one that knows what it was asked, and one that reads every message."""
    view = View(servers={"north1": ServerView(ServerState.FAILED)})
    quick, slow = (Asked(config, network(), view=view) for _ in range(2))
    slow.answerer._layouts = {}
    return quick, slow


@st.composite
def subnet_options(draw: st.DrawFn) -> bytes:
    """Return the data of a client subnet, mostly a good one."""
    family, bits, base = draw(st.sampled_from([(1, 32, 0x0A000000), (2, 128, 0x20010DB8 << 96)]))
    length = draw(st.sampled_from([24, 24, 32, 20, 16] if family == 1 else [48, 56, 64, 128, 45]))
    low = draw(st.integers(0, 1 << 12)) << (8 if family == 1 else 72)
    address = (base | low | draw(st.integers(0, 255))).to_bytes(bits // 8, "big")
    data = bytes((0, family, length, 0)) + address[: (length + 7) // 8]
    if draw(st.integers(0, 9)) == 0:
        data = draw(st.sampled_from([b"\0\0\0\0", b"\0\1\0\0", data[:-1], data + b"\0"]))
    return data


OURS = Cookies([SECRET]).reply(b"8 bytes.", CLIENTS[0], NOW_S)[0]
options = st.lists(
    st.one_of(
        st.tuples(st.just(8), subnet_options()),
        st.tuples(
            st.just(10),
            st.sampled_from([b"8 bytes.", b"8 others", OURS, b"8 bytes." + bytes(16), bytes(20)]),
        ),
        st.tuples(st.just(65001), st.binary(max_size=12)),
    ),
    max_size=3,
)


@st.composite
def questions(draw: st.DrawFn) -> bytes:
    """Return a message."""
    edns: dict[str, Any] = {}
    if draw(st.integers(0, 4)):
        said: list[dns.edns.Option] = [option(code, data) for code, data in draw(options)]
        payload = draw(st.sampled_from([512, 1232, 4096]))
        edns = {
            "use_edns": 0,
            "options": said,
            "payload": payload,
            "want_dnssec": draw(st.booleans()),
        }
    data = bytearray(
        query(draw(st.sampled_from(NAMES)), draw(st.sampled_from(KINDS)), id=7, **edns)
    )
    end = data.index(0, 12)
    for at in range(12, end):
        if 97 <= data[at] <= 122 and draw(st.booleans()):
            data[at] -= 32
    if draw(st.integers(0, 19)) == 0:
        data[draw(st.integers(2, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


@given(st.lists(st.tuples(questions(), st.sampled_from(CLIENTS)), min_size=1, max_size=8))
@example([(query("vod.example", options=[option(8, b"\0\0\0\0")], id=1), CLIENTS[0])] * 2)
@settings(max_examples=150, deadline=None)
def test_quick_answers_are_those_of_whoever_reads_all(asked: list[tuple[bytes, bytes]]) -> None:
    quick, slow = pair()
    for _round in range(2):
        for data, client in asked:
            assert quick.raw(data, client) == slow.raw(data, client)
    for name in ("dns_queries", "dns_answers", "dns_subnets", "routed_servers", "routed_reasons"):
        assert getattr(quick.metrics, name) == getattr(slow.metrics, name)


@given(st.lists(questions(), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_the_limit_is_the_same_for_both(asked: list[bytes]) -> None:
    quick, slow = pair(dns_config(limits={"responses_per_second": 5, "slip": 2}))
    for _round in range(2):
        for data in asked:
            assert quick.raw(data) == slow.raw(data)
    assert quick.metrics.dns_limited == slow.metrics.dns_limited
