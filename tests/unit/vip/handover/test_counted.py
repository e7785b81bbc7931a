"""Sums that outlive the kernel's counters, and the kernel's own words about cookies."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from headrace.vip.handover.cookies import QUIET_S, Cookies, cookies_in
from headrace.vip.handover.counted import Counted, Sum, read_table
from headrace.vip.handover.loose import message


def listing(taken: int = 7, rule: str = "accept", table: str = "headrace_vip_handover") -> bytes:
    """Return what `nft -j list table` says."""
    counter = {"family": "ip", "name": "taken", "table": table, "packets": taken, "bytes": 99}
    rules = {"rule": {"family": "ip", "table": table, "handle": 3, "expr": [{rule: None}]}}
    return msgspec.json.encode(
        {"nftables": [{"metainfo": {"version": "1.0.6"}}, {"counter": counter}, rules]}
    )


def test_counters_of_other_tables_are_not_ours() -> None:
    assert read_table(listing()).counters == {("ip", "taken"): Sum(7, 99)}
    assert read_table(listing(table="other")).counters == {}
    for bad in (b"[]", b"{}", b'{"nftables": [{"counter": {"packets": -1}}]}', b"\xff"):
        with pytest.raises(msgspec.DecodeError):
            read_table(bad)


def test_rules_that_changed_are_noticed_and_counters_are_not_rules() -> None:
    assert read_table(listing(7)).rules == read_table(listing(8)).rules
    assert read_table(listing()).rules != read_table(listing(rule="drop")).rules


def test_sums_go_on_when_counters_begin_again() -> None:
    counted = Counted()
    counted.take({("ip", "taken"): Sum(7, 700), ("ip6", "taken"): Sum(2, 200)}, 1.0)
    counted.take({("ip", "taken"): Sum(9, 900), ("ip6", "taken"): Sum(2, 200)}, 2.0)
    assert (counted.packets["taken"], counted.size_bytes["taken"]) == (11, 1100)
    counted.begun_again()
    counted.take({("ip", "taken"): Sum(3, 300)}, 3.0)
    assert (counted.packets["taken"], counted.size_bytes["taken"]) == (14, 1400)
    counted.take({("ip", "taken"): Sum(1, 100)}, 4.0)  # somebody else has reset them
    assert (counted.packets["taken"], counted.size_bytes["taken"]) == (15, 1500)
    counted.take({("ip", "taken"): Sum(1, 100)}, 5.0)
    assert counted.last["taken"] == 4.0


def test_cookies_are_noticed_and_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "netstat"

    def sent(count: int) -> None:
        file.write_text(f"TcpExt: A SyncookiesSent B\nTcpExt: 1 {count} 2\nIpExt: C\nIpExt: 3\n")

    sent(5)
    cookies = Cookies(file)
    assert not cookies.look(0.0)
    sent(6)
    assert cookies.look(1.0)
    assert cookies.look(QUIET_S)
    assert not cookies.look(QUIET_S + 1.0)
    file.unlink()
    assert not cookies.look(QUIET_S + 2.0)
    assert cookies_in("TcpExt: A\nTcpExt: 1\n") is None
    assert cookies_in("") is None


def test_the_request_to_the_kernel_says_its_length() -> None:
    request = message(3)
    assert int.from_bytes(request[:4], sys.byteorder) == len(request)
    assert request.endswith((2).to_bytes(4, sys.byteorder))
