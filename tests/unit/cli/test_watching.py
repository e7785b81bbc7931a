"""What `headrace log` and `headrace top` print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from headrace.cli.admin_client import AdminUsage, find_admin
from headrace.cli.log import as_text, missed, pointed
from headrace.cli.role_file import RoleName
from headrace.cli.top import size, table
from headrace.node.admin.activity import Client, ServiceRates, Top
from headrace.telemetry.watch import HotObject

LINE: dict[str, Any] = {
    "time": "2026-01-02T03:04:05.678Z",
    "service": "vod",
    "client": "192.0.2.0",
    "method": "GET",
    "host": "video.example",
    "path": "/a",
    "status": 503,
    "bytes": 1000,
    "duration_s": 0.25,
    "first_byte_s": None,
    "cache": "miss",
}
TOP = Top(
    seconds=2.0,
    requests_per_s=20.0,
    hit_ratio=None,
    sent_bytes_per_s=2048,
    origin_bytes_per_s=0,
    connections=3,
    fills=0,
    cache_per_s={"miss": 20.0},
    status_per_s={},
    not_stored_per_s={},
    origins=[],
    services=[ServiceRates("", 1.5, 0.5, 0, 9)],
    objects=[HotObject("vod", "h/" + "x" * 300, 1, 0)],
    objects_sampled=4,
    clients=[Client("192.0.2.0", 3)],
)


def test_a_request_is_one_line() -> None:
    assert as_text(LINE) == (
        "03:04:05.678 503 miss           0.250s       1000 GET video.example/a service=vod "
        "client=192.0.2.0"
    )


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert "\x1b" not in as_text({**LINE, "path": "/\x1b[2J\n", "reason": "a b"})
    assert "\\x1b[2J\\n" in as_text({**LINE, "path": "/\x1b[2J\n"})


def test_more_is_said_where_there_is_more() -> None:
    text = as_text({**LINE, "reason": "no-store", "origin_failures": "a: reset, b: dns"})
    assert 'reason=no-store failed="a: reset, b: dns"' in text


def test_what_is_missing_is_said() -> None:
    assert missed({"dropped": 2, "unexamined": 0}) == (
        "-- 2 more are not shown (see --rate, or read faster)"
    )
    assert "7 were not compared" in missed({"dropped": 0, "unexamined": 7})


def test_the_mark_stands_under_the_character() -> None:
    assert pointed("status = 5", 8) == "  status = 5\n         ^"
    shown, mark = pointed("x" * 500 + "?" + "y" * 500, 501).splitlines()
    assert shown[mark.index("^")] == "?"


def test_a_table_is_as_wide_as_the_terminal() -> None:
    lines = table(TOP, 60)
    assert max(len(line) for line in lines) <= 60
    assert any(line.startswith("(none)") and "50.0%" in line for line in lines)
    assert any("…" in line and line.endswith("25.0%") for line in lines)
    assert not any("ORIGINS" in line for line in lines)


def test_sizes_have_binary_units() -> None:
    assert [size(n) for n in (0, 1023, 1536, 5 * 1024**2)] == [
        "0 B", "1023 B", "1.5 KiB", "5.0 MiB",
    ]  # fmt: skip


def test_a_routers_configuration_is_called_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "router.toml"
    file.write_text('state_dir = "state"\n[admin]\nlisten = "127.0.0.1:1"\n')
    with pytest.raises(AdminUsage, match=r"router\.toml configures a router"):
        find_admin(None, None, file)


def test_log_and_top_may_ask_a_router(tmp_path: Path) -> None:
    file = tmp_path / "router.toml"
    file.write_text(
        'state_dir = "state"\n[[listen]]\naddress = "127.0.0.1:2"\n[network]\nfile = "n"\n'
        '[admin]\nlisten = "127.0.0.1:1"\ntoken = "a-token-for-tests-only"\n'
    )
    found = find_admin(None, None, file, RoleName.EDGE, RoleName.ROUTER)
    assert (str(found.address), found.token) == ("127.0.0.1:1", "a-token-for-tests-only")


def test_a_routers_line_has_no_cache_and_says_where_the_client_went() -> None:
    assert as_text({**LINE, "cache": "", "status": 302, "server": "n1"}) == (
        "03:04:05.678 302    0.250s       1000 GET video.example/a service=vod server=n1 "
        "client=192.0.2.0"
    )


def test_a_routers_table_has_servers_and_dns_and_nothing_of_a_cache() -> None:
    top = msgspec.structs.replace(
        TOP,
        caches=False,
        sent_per_s={"n1": 2.0, "\x1b": 1.0},
        dns_per_s={"NOERROR": 4.0, "NXDOMAIN": 1.0},
        services=[ServiceRates("vod", 1.5, None, 0, 9)],
    )
    lines = table(top, 100)
    assert lines[0] == "20 requests/s   out 2.0 KiB/s   3 connections   5 DNS answers/s"
    assert lines[3] == "sent to  n1 2  \\x1b 1"
    assert any(line.split() == ["CLASS", "REQ/S", "5XX/S", "OUT/S"] for line in lines)
    assert not any("cache" in line or "stored" in line for line in lines)


def test_workers_that_do_not_answer_are_named() -> None:
    assert "no answer from" not in table(TOP, 100)[0]
    silent = ["worker 2 (process 7)"]
    assert table(msgspec.structs.replace(TOP, silent=silent), 100)[0] == (
        "no answer from worker 2 (process 7): its part is missing below"
    )
    gap = {"dropped": 0, "unexamined": 0}
    assert missed({**gap, "silent": silent}) == "-- no answer from worker 2 (process 7)"
    assert missed({**gap, "silent": []}) == "-- all workers answer again"
