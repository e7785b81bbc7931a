"""What a worker tells those who look, and that it stays within its bounds whoever looks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.telemetry.access_line import AccessRecord
from headrace.telemetry.filter_words import FilterError
from headrace.telemetry.watch import (
    FIGURES_LEASE_S,
    HOT_EVERY,
    HOT_FULLY,
    LEASE_S,
    MOST_FOLLOWERS,
    QUEUE_BYTES,
    QUEUE_LINES,
    Figures,
    Followed,
    HotObject,
    ServiceFigures,
    Watch,
    largest_services,
    merged,
)


def record(**changed: Any) -> AccessRecord:
    given: dict[str, Any] = {
        "started": 1.0,
        "request_id": "r",
        "service": "vod",
        "client": "192.0.2.77",
        "method": b"GET",
        "host": b"h",
        "path": b"/a",
        "query": b"token=secret",
        "status": 200,
        "bytes_sent": 10,
        "duration_s": 0.1,
        "first_byte_s": 0.1,
        "cache": "hit",
        "age_s": None,
        "range": None,
        "protocol": "HTTP/1.1",
        "tls": None,
        "user_agent": None,
        "referer": None,
    }
    return AccessRecord(**{**given, **changed})


def follow(watch: Watch, now_s: float, text: str = "", **changed: Any) -> Followed:
    asked: dict[str, Any] = {"follower": 1, "lines_per_s": 1000, "sample": 1.0, **changed}
    return watch.follow(filter_text=text, now_s=now_s, **asked)


def told(followed: Followed) -> list[dict[str, Any]]:
    return [json.loads(bytes(line)) for line in followed.lines]


def pass_by(watch: Watch, now_s: float, *records: AccessRecord) -> None:
    """As the recorder does it."""
    for one in records:
        if watch.active:
            watch.count("vod", b"vod\nh/a?token=secret", one.cache, one.status, one.bytes_sent)
            if watch.examines(now_s):
                watch.offer(one)


def test_no_one_watches_at_first() -> None:
    assert not Watch().active


def test_a_follower_gets_what_the_filter_wants_and_no_secret() -> None:
    watch = Watch()
    assert follow(watch, 0.0, "status >= 500").lines == []
    pass_by(watch, 0.1, record(), record(status=503))
    lines = told(follow(watch, 0.2, "status >= 500"))
    assert [(line["status"], line["client"]) for line in lines] == [(503, "192.0.2.0")]
    assert "secret" not in json.dumps(lines)


def test_the_filter_sees_of_an_address_what_is_shown() -> None:
    watch = Watch()
    follow(watch, 0.0, 'client == "192.0.2.77"')
    follow(watch, 0.0, 'client == "192.0.2.0"', follower=2)
    pass_by(watch, 0.1, record())
    assert follow(watch, 0.2).lines == []
    assert len(follow(watch, 0.2, follower=2).lines) == 1
    watch.show_addresses("none")
    pass_by(watch, 0.3, record())
    assert follow(watch, 0.3, follower=2).lines == []


def test_a_follower_who_does_not_look_again_is_forgotten() -> None:
    watch = Watch()
    follow(watch, 0.0)
    pass_by(watch, LEASE_S + 1.5, record())
    assert not watch.active


def test_a_follower_who_leaves_is_gone_at_once() -> None:
    watch = Watch()
    follow(watch, 0.0)
    watch.leave(1, 0.1)
    assert not watch.active


def test_followers_are_few() -> None:
    watch = Watch()
    for number in range(MOST_FOLLOWERS + 3):
        follow(watch, 0.0, follower=number)
    pass_by(watch, 0.1, record())
    lines = [len(follow(watch, 0.2, follower=number).lines) for number in range(MOST_FOLLOWERS + 3)]
    assert lines == [1] * MOST_FOLLOWERS + [0] * 3


def test_a_slow_follower_loses_lines_and_holds_little() -> None:
    watch = Watch()
    follow(watch, 0.0, lines_per_s=10**6)
    for number in range(QUEUE_LINES * 2):
        pass_by(watch, float(number % 4), record(path=b"x" * 2000))
    got, size, dropped = 0, 0, 0
    while (batch := follow(watch, 4.0)).lines:
        got += len(batch.lines)
        size += sum(len(bytes(line)) for line in batch.lines)
        dropped += batch.dropped
    assert size <= QUEUE_BYTES
    assert got + dropped == QUEUE_LINES * 2


def test_more_than_the_rate_is_dropped_and_counted() -> None:
    watch = Watch()
    follow(watch, 0.0, lines_per_s=5)
    pass_by(watch, 1.0, *[record()] * 8)
    pass_by(watch, 2.0, *[record()] * 3)
    batch = follow(watch, 2.0)
    assert (len(batch.lines), batch.dropped) == (8, 3)


def test_filters_get_a_share_of_the_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr("headrace.telemetry.watch.time.perf_counter", lambda: float(next(clock)))
    watch = Watch()
    follow(watch, 0.0)
    pass_by(watch, 1.0, *[record()] * 5)  # the first takes a whole second, by this clock
    pass_by(watch, 2.0, record())
    batch = follow(watch, 2.0)
    assert (len(batch.lines), batch.unexamined) == (2, 4)


def test_a_sample_is_a_share() -> None:
    watch = Watch()
    follow(watch, 0.0, sample=0.25, lines_per_s=10**6)
    pass_by(watch, 0.5, *[record()] * 800)
    assert 150 <= len(follow(watch, 0.6).lines) <= 250


def test_a_bad_filter_makes_no_follower() -> None:
    watch = Watch()
    with pytest.raises(FilterError):
        follow(watch, 0.0, "no")
    assert not watch.active


def test_figures_begin_with_the_first_call_and_begin_again_with_each() -> None:
    watch = Watch()
    pass_by(watch, 0.0, record())
    assert watch.figures(0.0) == Figures()
    pass_by(watch, 0.5, *[record()] * 8, record(status=500, cache="error"))
    seen = watch.figures(1.0)
    assert seen.seconds == 1.0
    assert seen.services == {"vod": ServiceFigures(9, 8, 1, 90)}
    assert seen.objects == [HotObject("vod", "h/a", 9, 0)]  # without its query
    assert watch.figures(2.0).services == {}


def test_an_object_is_one_whatever_its_scheme_and_query() -> None:
    watch = Watch()
    watch.figures(0.0)
    for key in (b"vod\nh/a", b"vod\nh/a\nhttps", b"vod\nh/a?x=1\nhttps"):
        watch.count("vod", key, "hit", 200, 1)
    assert watch.figures(1.0).objects == [HotObject("vod", "h/a", 3, 0)]


def test_of_many_requests_one_in_a_few_is_sampled() -> None:
    watch = Watch()
    watch.figures(0.0)
    pass_by(watch, 0.5, *[record()] * (HOT_FULLY + 10 * HOT_EVERY))
    seen = watch.figures(1.0)
    assert seen.services["vod"].requests == HOT_FULLY + 10 * HOT_EVERY
    assert seen.sampled == HOT_FULLY + 10


def test_figures_end_when_no_one_watches_any_more() -> None:
    watch = Watch()
    watch.figures(0.0)
    pass_by(watch, FIGURES_LEASE_S - 1, record())
    assert watch.active
    pass_by(watch, FIGURES_LEASE_S + 1, record())
    assert not watch.active


def test_small_services_are_reported_together() -> None:
    services = {f"s{n}": ServiceFigures(requests=n, bytes=1) for n in range(10)}
    found = largest_services(services, 3)
    assert set(found) == {"s9", "s8", "s7", "other"}
    assert found["other"] == ServiceFigures(requests=sum(range(7)), bytes=7)


def test_workers_are_added_up() -> None:
    one = Figures(1.0, {"a": ServiceFigures(1, 1, 0, 5)}, 4, [HotObject("a", "u", 3, 1)])
    two = Figures(2.0, {"a": ServiceFigures(1, 0, 1, 5)}, 4, [HotObject("a", "u", 2, 0)])
    assert merged([one, two], 5, 5) == Figures(
        2.0, {"a": ServiceFigures(2, 1, 1, 10)}, 8, [HotObject("a", "u", 5, 1)]
    )
