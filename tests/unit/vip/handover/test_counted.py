"""Sums that outlive the kernel's counters, and the kernel's own words about cookies."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from headrace.vip.handover.cookies import QUIET_S, Cookies, cookies_in
from headrace.vip.handover.counted import Counted, read_counters
from headrace.vip.handover.loose import message

LISTING = (
    b'{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"counter": {"family": "ip", '
    b'"name": "taken", "table": "headrace_vip_handover", "handle": 1, "packets": 7, '
    b'"bytes": 99}}, {"counter": '
    b'{"family": "ip", "name": "taken", "table": "other", "handle": 1, "packets": 5, "bytes": 1}}]}'
)


def test_counters_of_other_tables_are_not_ours() -> None:
    assert read_counters(LISTING) == {("ip", "taken"): 7}
    with pytest.raises(msgspec.DecodeError):
        read_counters(b"[]")


def test_sums_go_on_when_counters_begin_again() -> None:
    counted = Counted()
    counted.take({("ip", "taken"): 7, ("ip6", "taken"): 2})
    counted.take({("ip", "taken"): 9, ("ip6", "taken"): 2})
    assert counted.packets["taken"] == 11
    counted.begun_again()
    counted.take({("ip", "taken"): 3})
    assert counted.packets["taken"] == 14
    counted.take({("ip", "taken"): 1})  # somebody else has reset them
    assert counted.packets["taken"] == 15


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
