"""What the matrix does not say: several switches, other proofs, slow origins, what cannot go on."""

from __future__ import annotations

import hashlib
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.harness.bodies import Body
from tests.harness.replies import End, Pause, Recorded, Reply, cacheable, headers
from tests.harness.wire import Response

from .conftest import STALL_S, Lab

BODY = Body(411, 600_000)
DATE = "Mon, 01 Jan 2024 00:00:00 GMT"


def get(lab: Lab, path: str, host: str, *fields: tuple[str, str]) -> Response:
    return lab.edge.get(path, ("Host", f"{host}.test"), *fields)


def then_gone(reply: Reply) -> list[Reply]:
    """This reply once, and resets from then on."""
    return [reply, Reply(end=End("before_head", reset=True))]


def serve(lab: Lab, path: str, *replies: Reply | list[Reply]) -> None:
    for origin, reply in zip(lab.origins, replies, strict=True):
        origin.serve(path, reply)


def whole(found: Response, body: Body = BODY) -> bool:
    return found.complete and found.body == body.read()


def test_several_switches_in_one_response(lab: Lab, path: str) -> None:
    good = cacheable(BODY)
    lab.origins[0].serve(path, [replace(good, end=End(100_000)), good])
    lab.origins[1].serve(path, replace(good, end=End(150_000, reset=True)))
    lab.origins[2].serve(path, replace(good, end=End(200_000)))
    assert whole(get(lab, path, "scripted-switch"))
    assert lab.counts(path) == [2, 1, 1]  # the third before the first is asked again
    asked = [lab.origins[n].asked(path)[-1].header("range") or "" for n in (1, 2, 0)]
    starts = [int(value.removeprefix("bytes=").removesuffix("-599999")) for value in asked]
    assert starts == sorted(set(starts))
    assert lab.origins[1].asked(path)[0].header("if-range") == cacheable(BODY).header("etag")


def test_another_representation_is_not_mixed_in(lab: Lab, path: str) -> None:
    other = cacheable(Body(412, 600_000))
    serve(lab, path, then_gone(replace(cacheable(BODY), end=End(100_000))), other, other)
    found = get(lab, path, "scripted-switch")
    assert not found.complete
    assert found.body == BODY.read(0, len(found.body))
    serve(lab, path, cacheable(BODY), cacheable(BODY), cacheable(BODY))
    assert whole(get(lab, path, "scripted-switch"))


def test_the_third_goes_on_when_the_second_has_another(lab: Lab, path: str) -> None:
    good = cacheable(BODY)
    serve(lab, path, replace(good, end=End(100_000)), cacheable(Body(413, 600_000)), good)
    assert whole(get(lab, path, "scripted-switch"))


@pytest.mark.parametrize("same", ["scripted-switch", "by-modified", "by-overlap"])
def test_an_origin_that_ignores_range_is_skipped(lab: Lab, path: str, same: str) -> None:
    good = cacheable(BODY, last_modified=DATE)
    deaf = replace(good, ranges=False)
    serve(lab, path, replace(good, end=End(300_000)), deaf, deaf)
    assert whole(get(lab, path, same))
    assert lab.counts(path) == [1, 1, 0]


def test_an_origin_that_ignores_range_and_has_another_beginning_is_refused(
    lab: Lab, path: str
) -> None:
    changed = bytearray(BODY.read())
    changed[5] ^= 1
    good = cacheable(BODY)
    other = replace(cacheable(bytes(changed), etag=good.header("etag") or ""), ranges=False)
    serve(lab, path, then_gone(replace(good, end=End(300_000))), other, other)
    found = get(lab, path, "scripted-switch")
    assert found.body == BODY.read(0, len(found.body))  # never a byte of the other
    assert lab.counts(path)[1:] == [1, 1]


def test_a_part_goes_on_inside_a_whole_and_ends_where_it_was_to_end(lab: Lab, path: str) -> None:
    good = cacheable(BODY)
    deaf = replace(good, ranges=False)
    serve(lab, path, replace(good, end=End(100_000)), deaf, deaf)
    found = get(lab, path, "scripted-switch", ("Range", "bytes=300000-500000"))
    assert (found.status, found.complete) == (206, True)
    assert found.body == BODY.read(300_000, 500_001)
    assert lab.origins[0].asked(path)[0].header("range") == "bytes=262144-524287"
    again = get(lab, path, "scripted-switch", ("Range", "bytes=262144-524287"))
    assert (again.hit, again.body == BODY.read(262_144, 524_288)) == (True, True)


def test_overlap_joins_origins_with_other_etags(lab: Lab, path: str) -> None:
    first = replace(cacheable(BODY, etag='"one"'), end=End(300_000))
    serve(lab, path, first, cacheable(BODY, etag='"two"'), cacheable(BODY, etag='"three"'))
    assert whole(get(lab, path, "by-overlap"))
    (asked,) = lab.origins[1].asked(path)
    assert asked.header("range") == f"bytes={300_000 - 4096}-599999"
    assert asked.header("if-range") is None


def test_overlap_notices_another_body(lab: Lab, path: str) -> None:
    first = replace(cacheable(BODY, etag='"one"'), end=End(300_000))
    other = cacheable(Body(414, 600_000), etag='"two"')
    serve(lab, path, then_gone(first), other, other)
    found = get(lab, path, "by-overlap")
    assert (found.complete, found.body == BODY.read(0, len(found.body))) == (False, True)


def test_dates_and_lengths_join_origins_without_etags(lab: Lab, path: str) -> None:
    good = Reply(headers=headers(cache_control="max-age=60", last_modified=DATE), body=BODY)
    serve(lab, path, replace(good, end=End(300_000)), good, good)
    assert whole(get(lab, path, "by-modified"))
    later = headers(cache_control="max-age=60", last_modified="Tue, 02 Jan 2024 00:00:00 GMT")
    broken = then_gone(replace(good, end=End(300_000)))
    serve(lab, path + "x", broken, *(replace(good, headers=later),) * 2)
    assert not get(lab, path + "x", "by-modified").complete


def test_chunks_without_any_name_go_on_by_their_hash(lab: Lab, path: str) -> None:
    good = Reply(headers=headers(cache_control="max-age=60"), body=BODY, framing="chunked")
    serve(lab, path, replace(good, end=End(300_000)), good, good)
    assert whole(get(lab, path, "scripted-switch"))


def test_what_is_not_stored_is_switched_as_well(lab: Lab, path: str) -> None:
    good = replace(cacheable(BODY), headers=headers(cache_control="no-store", etag='"n"'))
    serve(lab, path, replace(good, end=End(300_000)), good, good)
    found = get(lab, path, "scripted-switch")
    assert (whole(found), found.hit) == (True, False)


def test_a_post_is_sent_once(lab: Lab, path: str) -> None:
    serve(lab, path, *(Reply(end=End("before_head", reset=True)),) * 3)
    found = lab.edge.exchange("POST", path, ("Host", "scripted-switch.test"), body=b"x")
    assert found.status == 502
    assert sum(lab.counts(path)) == 1


def test_a_stalled_origin_is_left_in_time(lab: Lab, path: str) -> None:
    good = cacheable(BODY)
    serve(lab, path, replace(good, pause=Pause(300_000, seconds=5)), good, good)
    left: list[float] = []

    def second(_request: Recorded) -> Reply:
        left.append(time.monotonic())
        return good

    lab.origins[1].serve(path, second)
    began = time.monotonic()
    assert whole(get(lab, path, "scripted-switch"))
    # The bound is the time limit itself; nothing here depends on how fast the machine is.
    assert left[0] - began >= STALL_S


def test_a_head_that_drips_has_no_longer_than_one_that_does_not_come(lab: Lab, path: str) -> None:
    good = cacheable(BODY)
    serve(lab, path, replace(good, head_drip_s=0.1), good, good)
    assert whole(get(lab, path, "scripted-switch"))
    assert lab.counts(path) == [1, 1, 0]
    assert lab.logged(path)["origin_failures"] == "a: first_byte_timeout"


def test_framing_that_drips_is_no_progress(lab: Lab, path: str) -> None:
    good = replace(cacheable(BODY), framing="chunked")
    fields = "".join(f"{name}: {value}\r\n" for name, value in good.headers)
    begun = f"HTTP/1.1 200 OK\r\n{fields}Transfer-Encoding: chunked\r\n\r\n5;".encode()
    dripping = Reply(raw=begun + b"x" * 200, raw_drip=(len(begun), 0.1))
    serve(lab, path, dripping, good, good)
    assert whole(get(lab, path, "scripted-switch"))
    assert lab.counts(path) == [1, 1, 0]
    assert lab.logged(path)["origin_failures"] == "a: between_bytes_timeout"


def test_when_all_fail_an_answer_says_more_than_our_error(lab: Lab, path: str) -> None:
    missing = Reply(status=404, headers=headers(cache_control="no-store"), body=b"not here")
    down = Reply(end=End("before_head", reset=True))
    serve(lab, path, down, missing, Reply(status=503, body=b"sorry"))
    found = get(lab, path, "scripted-switch")
    assert (found.status, found.body) == (404, b"not here")


def test_who_did_what_is_reported_only_where_a_service_is_debugged(lab: Lab, path: str) -> None:
    serve(lab, path, *(Reply(end=End("before_head", reset=True)),) * 3)
    assert get(lab, path, "scripted-switch").header("headrace-tried") is None
    found = get(lab, path, "debugged")
    assert found.status == 502
    told = found.header("headrace-tried") or ""
    assert told == "a: reset_before_head, b: reset_before_head, c: reset_before_head"
    assert str(lab.origins[0].port).encode() not in found.body


def test_metrics_tell_of_tries_and_switches(lab: Lab, path: str) -> None:
    before = lab.edge.metric("headrace_origin_switches_total", reason="short_body")
    good = cacheable(BODY)
    serve(lab, path, replace(good, end=End(300_000)), good, good)
    assert whole(get(lab, path, "scripted-switch"))
    assert lab.edge.metric("headrace_origin_switches_total", reason="short_body") == before + 1
    assert lab.edge.metric("headrace_origin_requests_total", origin="scripted-switch/p/b") >= 1


RESPONSES = 1_000
SEED = 20_261


def faulty(chance: random.Random, body: Body) -> Reply:
    """A reply that fails somewhere, in one of many ways."""
    good = cacheable(body)
    where = chance.randrange(len(body))
    match chance.randrange(6):
        case 0:
            return replace(good, end=End("before_head", reset=True))
        case 1:
            return replace(good, end=End(where, reset=True))
        case 2:
            return replace(good, framing="chunked", end=End(where))
        case 3:
            return Reply(status=503, headers=headers(cache_control="no-store"))
        case 4:
            return Reply(raw=b"HTTP/1.1 abc\r\n\r\n")
        case _:
            return replace(good, end=End(where))


def test_a_thousand_responses_while_two_of_three_origins_fail(lab: Lab, path: str) -> None:
    """Seeded: each object's faults, and which two origins have them, are drawn at random."""
    chance = random.Random(SEED)
    bodies = [Body(1000 + n, chance.randrange(1, 400_000)) for n in range(RESPONSES)]
    for number, body in enumerate(bodies):
        sound = chance.randrange(3)
        for index, origin in enumerate(lab.origins):
            reply = cacheable(body) if index == sound else faulty(chance, body)
            origin.serve(f"{path}/{number}", reply)

    def one(number: int) -> tuple[int, bool, str]:
        found = get(lab, f"{path}/{number}", "scripted-switch")
        return found.status, found.complete, hashlib.sha256(found.body).hexdigest()

    with ThreadPoolExecutor(8) as pool:
        for number, found in enumerate(pool.map(one, range(RESPONSES))):
            assert found == (200, True, bodies[number].sha256()), f"{number}, seed {SEED}"
        # Afterwards all that is stored is right, and given without the origins.
        for origin in lab.origins:
            for number in range(RESPONSES):
                origin.serve(f"{path}/{number}", Reply(status=500))
        for number, found in enumerate(pool.map(one, range(RESPONSES))):
            assert found == (200, True, bodies[number].sha256()), f"stored {number}, seed {SEED}"


def test_the_access_log_says_what_a_response_took(lab: Lab, path: str) -> None:
    good = cacheable(BODY)
    serve(lab, path, Reply(503), replace(good, end=End(100_000, reset=True)), good)
    assert whole(get(lab, path, "scripted-switch"))
    line = lab.logged(path)
    assert (line["origin"], line["origin_tries"], line["origin_switches"]) == ("p/c", 3, 1)
    assert line["origin_failures"] == "a: status_503, b: reset_in_body"


def test_the_access_log_says_little_where_nothing_failed(lab: Lab, path: str) -> None:
    serve(lab, path, cacheable(BODY), cacheable(BODY), cacheable(BODY))
    assert whole(get(lab, path, "scripted-switch"))
    line = lab.logged(path)
    assert (line["origin"], line["origin_tries"]) == ("p/a", 1)
    assert not {"origin_switches", "origin_failures"} & line.keys()


def test_the_access_log_says_who_failed_where_all_did(lab: Lab, path: str) -> None:
    serve(lab, path, Reply(500), Reply(503), Reply(500))
    assert get(lab, path, "scripted-retry").status >= 500
    failures = lab.logged(path)["origin_failures"]
    assert failures == "a: status_500, b: status_503, c: status_500"
