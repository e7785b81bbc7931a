"""The limit on responses to a client network: what is beyond it, and who it does not hold for."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, IPv6Address

import dns.flags
import dns.message

from headrace.router.dns.rate_limit import PLACES, Allowed, RateLimit, network_of
from tests.harness.dns_messages import NOW_S, Asked, cookie_of, option, query, values
from tests.harness.dns_server import dns_config

LIMITED = {"responses_per_second": 10, "slip": 2}


def test_a_network_gets_its_share_each_second_and_others_theirs() -> None:
    limit = RateLimit(10, 2)
    victim, other = b"\xc0\0\2", b"\xc0\0\3"
    got = Counter(limit.count(victim, 5) for _ in range(30))
    assert got == {Allowed.ALL: 10, Allowed.SLIP: 10, Allowed.NOTHING: 10}
    assert limit.count(other, 5) is Allowed.ALL
    assert limit.count(victim, 6) is Allowed.ALL


def test_no_limit_and_no_slip() -> None:
    free = RateLimit(0, 2)
    assert {free.count(b"\0\0\0", 1) for _ in range(5000)} == {Allowed.ALL}
    silent = RateLimit(1, 0)
    assert [silent.count(b"\0\0\0", 1) for _ in range(3)] == [Allowed.ALL, *[Allowed.NOTHING] * 2]


def test_the_table_never_grows() -> None:
    limit = RateLimit(1, 0)
    for number in range(3 * PLACES):
        limit.count(number.to_bytes(3, "big"), 1)
    assert len(limit._counts) == PLACES


def test_addresses_of_one_network_count_together() -> None:
    assert network_of(IPv4Address("192.0.2.1").packed) == network_of(
        IPv4Address("192.0.2.255").packed
    )
    assert network_of(IPv6Address("2001:db8::1").packed) == network_of(
        IPv6Address("2001:db8:0:ff:1::").packed
    )
    assert network_of(IPv6Address("2001:db8::1").packed) != network_of(
        IPv6Address("2001:db8:0:100::").packed
    )


def test_beyond_its_share_a_network_gets_truncated_answers_or_silence() -> None:
    asked = Asked(dns_config(limits=LIMITED))
    answers = [asked.raw(query(f"c{number}.vod.example")) for number in range(30)]
    whole = [each for each in answers if each and dns.message.from_wire(each).answer]
    cut = [each for each in answers if each and dns.message.from_wire(each).flags & dns.flags.TC]
    assert (len(whole), len(cut), answers.count(None)) == (10, 10, 10)
    assert all(len(each) <= len(query("c10.vod.example")) for each in cut)
    assert dict(asked.metrics.dns_limited) == {"slip": 10, "nothing": 10}


def test_the_limit_holds_for_repeated_questions_and_for_garbage_too() -> None:
    for data in (query("vod.example"), query("example.net"), b"\0\0\0\0\0\2" + b"\0" * 20):
        asked = Asked(dns_config(limits={"responses_per_second": 10, "slip": 0}))
        assert sum(asked.raw(data) is not None for _ in range(30)) == 10


def test_over_tcp_there_is_no_such_limit() -> None:
    asked = Asked(dns_config(limits=LIMITED))
    assert all(values(asked.ask("vod.example", udp=False)) for _ in range(30))


def test_who_shows_our_cookie_is_answered_and_who_shows_another_is_not() -> None:
    asked = Asked(dns_config(limits=LIMITED))
    first = asked.ask("vod.example", options=[option(10, b"8 bytes.")])
    cookie = cookie_of(first)
    for _ in range(50):
        asked.raw(query("vod.example"))
    assert values(asked.ask("vod.example", options=[option(10, cookie)]))
    forged = cookie[:-1] + bytes([cookie[-1] ^ 1])
    slipped = [
        asked.raw(query("vod.example", options=[option(10, forged)]), now_s=NOW_S)
        for _ in range(10)
    ]
    read = [dns.message.from_wire(each) for each in slipped if each]
    assert len(read) == 5
    assert not any(message.answer for message in read)
    # What is cut brings the cookie that makes the next question count.
    new = cookie_of(read[0])
    assert values(asked.ask("vod.example", options=[option(10, new)]))
