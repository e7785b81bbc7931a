"""The access log: what a line says and leaves out, and what happens when the disk is slow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.telemetry.access_line import (
    AccessRecord,
    ClientAddress,
    LineFormatter,
    OriginUse,
    truncated_address,
)
from headrace.telemetry.access_log import AccessLog, AccessLogError

RECORD = AccessRecord(
    started=1_700_000_000.25,
    request_id="r1",
    service="video",
    client="192.0.2.77",
    method=b"GET",
    host=b"example.org",
    path=b"/a.mp4",
    query=b"token=secret",
    status=200,
    bytes_sent=1000,
    duration_s=0.0123456789,
    first_byte_s=0.001,
    cache="hit",
    age_s=12.9,
    range=None,
    protocol="HTTP/1.1",
    tls=None,
    user_agent=b"player/1",
    referer=b"https://user:pw@service.example/private?x=1",
)


def changed(**values: Any) -> AccessRecord:
    return msgspec.structs.replace(RECORD, **values)


def line(
    record: AccessRecord, client_address: ClientAddress = "truncated", *, query: bool = False
) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(LineFormatter(client_address, query=query).line(record))
    return found


def test_what_a_player_says_stands_in_its_line_within_bounds() -> None:
    said = line(changed(cmcd=b'bs,mtp=2500,bl=1500,sid="a"'))
    assert (said["starved"], said["throughput_bps"], said["buffer_s"]) == (True, 2_500_000, 1.5)
    assert line(changed(cmcd=b"mtp=99999999999999")) == line(RECORD) | {"starved": False}
    assert line(changed(cmcd=b"\0")) == line(RECORD)


def test_a_line_says_what_happened() -> None:
    assert line(RECORD) == {
        "time": "2023-11-14T22:13:20.250Z",
        "request_id": "r1",
        "service": "video",
        "client": "192.0.2.0",
        "method": "GET",
        "host": "example.org",
        "path": "/a.mp4",
        "status": 200,
        "bytes": 1000,
        "duration_s": 0.012346,
        "first_byte_s": 0.001,
        "cache": "hit",
        "protocol": "HTTP/1.1",
        "age_s": 12,
        "user_agent": "player/1",
        "referer": "https://service.example",
    }


def test_a_line_says_what_its_origins_did() -> None:
    found = line(changed(origins=OriginUse("p/b", 3, 1, "a: dns, b: body_reset")))
    assert {name: value for name, value in found.items() if name.startswith("origin")} == {
        "origin": "p/b",
        "origin_tries": 3,
        "origin_switches": 1,
        "origin_failures": "a: dns, b: body_reset",
    }


def test_the_query_is_left_out() -> None:
    assert b"secret" not in LineFormatter().line(RECORD)


def test_the_query_of_a_target_that_was_refused_is_left_out() -> None:
    assert line(changed(path=b"/a b?token=secret"))["path"] == "/a b"


def test_the_query_is_kept_when_asked_for() -> None:
    assert line(RECORD, query=True)["query"] == "token=secret"


def test_the_whole_client_address_is_kept_when_asked_for() -> None:
    assert line(RECORD, "full")["client"] == "192.0.2.77"


def test_no_client_address_is_kept_when_asked_for_none() -> None:
    assert line(RECORD, "none")["client"] is None


def test_a_client_of_a_unix_socket_has_no_address() -> None:
    assert line(changed(client=""), "full")["client"] is None


def test_a_response_cut_short_says_why() -> None:
    assert line(changed(ended="client_gone"))["ended"] == "client_gone"


def test_a_broken_referer_is_left_out() -> None:
    assert "referer" not in line(changed(referer=b"http://[broken"))


@given(st.binary(max_size=300))
def test_any_bytes_make_one_valid_line(path: bytes) -> None:
    text = LineFormatter().line(changed(path=path, host=path, user_agent=path, referer=path))
    assert text.count(b"\n") == 1
    json.loads(text)


@given(st.integers(min_value=0, max_value=2**33))
def test_a_time_is_printed_to_the_millisecond(milliseconds: int) -> None:
    assert line(changed(started=milliseconds / 1000))["time"].endswith("Z")


@pytest.mark.parametrize(
    "text",
    [
        "\x9b31m",
        "\x1b[2J",
        "\x7f",
        "\x85next",
        "\u2028next",
        "\u2029next",
        "\u202etxt.exe",
        "\u2066",
    ],
)
def test_a_client_cannot_steer_a_terminal_nor_end_a_line(text: str) -> None:
    sent = ("/a" + text).encode()
    shown = LineFormatter().line(changed(path=sent, user_agent=sent, host=sent)).decode()
    assert shown[:-1].isprintable()
    assert len(shown.splitlines()) == 1
    assert f"{ord(text[0]):04x}" in shown


def test_letters_of_any_language_are_logged_as_they_are() -> None:
    sent = "/caf\u00e9/\u65e5\u672c"
    assert sent in LineFormatter().line(changed(path=sent.encode())).decode()


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("203.0.113.9", "203.0.113.0"),
        ("2001:db8:1:2:3::4", "2001:db8:1::"),
        ("::ffff:203.0.113.9", "203.0.113.0"),
        ("fe80::1%eth0", "fe80::"),
        ("not an address", None),
    ],
)
def test_an_address_is_cut_to_its_network(client: str, network: str | None) -> None:
    assert truncated_address(client) == network


def test_lines_reach_the_file_by_the_time_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(path)
    for _ in range(200):
        log.write(RECORD)
    log.close()
    assert len(path.read_text().splitlines()) == 200


def test_after_a_rotation_lines_go_to_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(path)
    path.rename(tmp_path / "access.log.1")
    log.reopen()
    log.write(RECORD)
    log.close()
    assert len(path.read_text().splitlines()) == 1


def test_a_rotation_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    log = AccessLog(directory / "access.log")
    directory.rename(tmp_path / "moved")
    with pytest.raises(AccessLogError, match="create its directory"):
        log.reopen()
    log.write(RECORD)
    log.close()
    assert len((tmp_path / "moved" / "access.log").read_text().splitlines()) == 1


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccessLogError, match=r"absent/access\.log"):
        AccessLog(tmp_path / "absent" / "access.log")


def test_a_full_queue_drops_and_counts(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "access.log", queue_records=0)
    log.write(RECORD)
    log.close()
    assert log.dropped == 1


def test_a_full_disk_is_counted_and_does_not_stop_the_log() -> None:
    log = AccessLog(Path("/dev/full"))
    log.write(RECORD)
    log.close()
    assert (log.write_errors, log.dropped) == (1, 1)


def test_without_a_path_nothing_is_wanted() -> None:
    assert not AccessLog(None).wanted(500, 0)


def test_errors_are_wanted_whatever_the_sample(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log", sample=0.0)
    assert log.wanted(404, 0)
    assert not log.wanted(200, 0)
    log.close()


@given(st.integers(min_value=0))
def test_a_full_sample_wants_everything(token: int) -> None:
    log = AccessLog(None)
    log.enabled = True
    assert log.wanted(200, token)


def test_a_sample_of_half_wants_half(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log", sample=0.5)
    assert sum(log.wanted(200, token) for token in range(1 << 16)) == 1 << 15
    log.close()


def test_the_queue_is_bounded_in_bytes(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "access.log", queue_bytes=10_000)
    large = msgspec.structs.replace(RECORD, path=b"/" + b"x" * 20_000)
    log.write(large)
    log.write(RECORD)
    log.close()
    assert (log.dropped, len((tmp_path / "access.log").read_text().splitlines())) == (1, 1)


def test_a_pipe_that_no_one_reads_holds_nothing_up(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    log = AccessLog(path, queue_records=100)
    for _ in range(1000):
        log.write(RECORD)
    log.reopen()
    log.close(0.1)
    assert log.dropped > 500


def test_a_reader_that_comes_late_gets_what_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    log = AccessLog(path)
    log.write(RECORD)
    with path.open("rb") as reader:
        assert reader.readline().startswith(b'{"time":')
    for _ in range(3):
        log.write(RECORD)
    with path.open("rb") as reader:
        assert reader.readline().endswith(b"}\n")
    log.close()
    assert log.dropped == 0
