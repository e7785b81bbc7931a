"""What `headrace log` and `headrace top` print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.cli.admin_client import AdminUsage, find_admin
from headrace.cli.log import as_text, missed, pointed
from headrace.cli.top import size, table
from headrace.edge.admin.top import Client, ServiceRates, Top
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
