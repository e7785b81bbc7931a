"""An answer that may not be stored is for the request that made the edge ask, and for no other.

Those who waited for the same fill ask the origin themselves; what a renewal in the background
brings is nobody's.
"""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.polling import eventually
from tests.harness.raw_origin import Heard, RawOrigin
from tests.harness.raw_origin import reply as reply_with


def reply(body: bytes, **fields: str) -> bytes:
    return reply_with(body, 200, **fields)


SLICE_BYTES = 256 * 1024
UNSHARED = pytest.mark.parametrize(
    "fields",
    [
        {"cache_control": "private"},
        {"cache_control": "max-age=600", "set_cookie": "session=alice"},
        {"cache_control": "no-store"},
    ],
    ids=["private", "set-cookie", "no-store"],
)


@UNSHARED
def test_who_waited_asks_for_himself(
    raw_origin: RawOrigin, raw_edge: Edge, path: str, fields: dict[str, str]
) -> None:
    with raw_edge.client() as alice, raw_edge.client() as bob:
        alice.ask(path)
        hers = raw_origin.hears()
        bob.ask(path)
        raw_origin.hears_nothing(0.2)  # bob waits with her

        hers.says(reply(b"for alice", **fields))
        his = raw_origin.hears()
        his.says(reply(b"for bob", **fields))

        assert alice.response().body == b"for alice"
        assert bob.response().body == b"for bob"


@UNSHARED
def test_no_one_gets_the_answer_of_someone_who_left(
    raw_origin: RawOrigin, raw_edge: Edge, path: str, fields: dict[str, str]
) -> None:
    with raw_edge.client() as bob, raw_edge.client() as alice:
        alice.ask(path)
        hers = raw_origin.hears()
        bob.ask(path)
        raw_origin.hears_nothing(0.2)
        alice.reset()
        eventually(lambda: raw_edge.metric("headrace_connections") == 1, "alice has left")

        hers.says(reply(b"for alice", **fields))
        raw_origin.hears().says(reply(b"for bob", **fields))

        assert bob.response().body == b"for bob"


@UNSHARED
def test_a_renewal_in_the_background_is_nobodys(
    raw_origin: RawOrigin, raw_edge: Edge, path: str, fields: dict[str, str]
) -> None:
    with raw_edge.client() as alice, raw_edge.client() as bob:
        alice.ask(path)
        raw_origin.hears().says(
            reply(b"old", cache_control="max-age=0, stale-while-revalidate=600", etag='"1"')
        )
        assert alice.response().body == b"old"

        alice.ask(path)
        assert alice.response().body == b"old"
        renewal = raw_origin.hears()
        assert renewal.header("if-none-match") == '"1"'
        bob.ask(path, ("Cache-Control", "no-cache"))  # waits for what the renewal brings
        raw_origin.hears_nothing(0.2)

        renewal.says(reply(b"for whose fields caused it", **fields))
        raw_origin.hears().says(reply(b"for bob", **fields))
        assert bob.response().body == b"for bob"


def test_early_hints_do_not_reach_another_request(
    raw_origin: RawOrigin, raw_edge: Edge, path: str
) -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </%s>\r\n\r\n"
    with raw_edge.client() as alice, raw_edge.client() as bob:
        alice.ask(path)
        heard = raw_origin.hears()
        bob.ask(path)
        raw_origin.hears_nothing(0.2)
        heard.says(hint % b"alice.css" + reply(b"shared", cache_control="max-age=60"))
        assert [len(client.response().interim) for client in (alice, bob)] == [1, 0]


def test_one_clients_credentials_do_not_keep_an_object_out_of_the_cache(
    raw_origin: RawOrigin, raw_edge: Edge, path: str
) -> None:
    answer = {"cache_control": "max-age=600"}
    with raw_edge.client() as mallory, raw_edge.client() as alice, raw_edge.client() as bob:
        mallory.ask(path, ("Authorization", "Basic bWFsbG9yeQ=="))
        raw_origin.hears().says(reply(b"for mallory", **answer))
        assert mallory.response().body == b"for mallory"

        alice.ask(path)
        heard = raw_origin.hears()
        bob.ask(path)
        raw_origin.hears_nothing(0.2)
        heard.says(reply(b"for all", **answer))
        assert [client.response().body for client in (alice, bob)] == [b"for all", b"for all"]


def test_fifty_who_wait_each_get_an_answer_of_their_own(
    raw_origin: RawOrigin, raw_edge: Edge, path: str
) -> None:
    clients = [raw_edge.client() for _ in range(50)]
    for client in clients:
        client.ask(path)
    eventually(lambda: raw_edge.metric("headrace_connections") >= 50, "all have come")
    answered: list[Heard] = []
    for number in range(50):
        heard = raw_origin.hears()
        heard.says(reply(b"%d" % number, cache_control="private"))
        answered.append(heard)
    bodies = [client.response().body for client in clients]
    assert sorted(bodies) == sorted(b"%d" % number for number in range(50))
    for client in clients:
        client.close()


@UNSHARED
def test_a_slice_that_is_one_clients_completes_nothing(
    raw_origin: RawOrigin, raw_edge: Edge, path: str, fields: dict[str, str]
) -> None:
    """The origin changes its mind in the middle of an object, and keeps the tag."""
    second = ("Range", f"bytes={SLICE_BYTES}-{SLICE_BYTES + 4}")

    def part(number: int, letter: bytes, **said: str) -> bytes:
        start, end = number * SLICE_BYTES, (number + 1) * SLICE_BYTES
        body = letter * SLICE_BYTES
        span = f"bytes {start}-{end - 1}/{2 * SLICE_BYTES}"
        return reply_with(body, 206, content_range=span, etag='"1"', **said)

    with raw_edge.client() as alice, raw_edge.client() as bob, raw_edge.client() as carol:
        alice.ask(path, ("Range", "bytes=0-4"))
        raw_origin.hears().says(part(0, b"a", cache_control="max-age=600"))
        assert alice.response().body == b"aaaaa"

        bob.ask(path, second)
        heard = raw_origin.hears()
        assert heard.header("if-range") == '"1"'
        heard.says(part(1, b"b", **fields))
        raw_origin.hears().says(reply_with(b"not so", 403))
        assert bob.response().status == 403

        carol.ask(path, second)
        raw_origin.hears().says(reply_with(b"nor you", 403))
        assert carol.response().status == 403


def test_a_slice_is_asked_for_without_credentials_where_they_might_matter(
    raw_origin: RawOrigin, raw_edge: Edge, path: str
) -> None:
    """What is stored does not say `public`, so nobody's credentials may shape the rest of it."""
    said = {"etag": '"1"', "cache_control": "max-age=600"}
    body = b"a" * SLICE_BYTES
    with raw_edge.client() as alice, raw_edge.client() as bob:
        alice.ask(path, ("Range", "bytes=0-4"))
        span = f"bytes 0-{SLICE_BYTES - 1}/{2 * SLICE_BYTES}"
        raw_origin.hears().says(reply_with(body, 206, content_range=span, **said))
        assert alice.response().body == b"aaaaa"

        second = ("Range", f"bytes={SLICE_BYTES}-{SLICE_BYTES + 4}")
        bob.ask(path, second, ("Authorization", "Basic Ym9i"))
        heard = raw_origin.hears()
        assert heard.header("authorization") is None
        span = f"bytes {SLICE_BYTES}-{2 * SLICE_BYTES - 1}/{2 * SLICE_BYTES}"
        heard.says(reply_with(body, 206, content_range=span, **said))
        assert bob.response().body == b"aaaaa"


@pytest.mark.parametrize("answer", ["public, max-age=600", "max-age=600"])
def test_a_slice_got_with_credentials_says_itself_that_it_is_for_all(
    raw_origin: RawOrigin, raw_edge: Edge, path: str, answer: str
) -> None:
    body = b"a" * SLICE_BYTES
    with raw_edge.client() as alice, raw_edge.client() as bob:
        alice.ask(path, ("Range", "bytes=0-4"))
        said = {"etag": '"1"', "cache_control": "public, max-age=600"}
        span = f"bytes 0-{SLICE_BYTES - 1}/{2 * SLICE_BYTES}"
        raw_origin.hears().says(reply_with(body, 206, content_range=span, **said))
        assert alice.response().body == b"aaaaa"

        bob.ask(path, ("Range", f"bytes={SLICE_BYTES}-"), ("Authorization", "Basic Ym9i"))
        heard = raw_origin.hears()
        assert heard.header("authorization") == "Basic Ym9i"
        span = f"bytes {SLICE_BYTES}-{2 * SLICE_BYTES - 1}/{2 * SLICE_BYTES}"
        said["cache_control"] = answer
        heard.says(reply_with(body, 206, content_range=span, **said))
        assert bob.response().status == (206 if answer.startswith("public") else 502)


def test_a_slice_that_is_one_clients_fails_alone_when_he_has_credentials(
    raw_origin: RawOrigin, raw_edge: Edge, path: str
) -> None:
    """Else anybody could empty the cache with credentials of his own."""
    said = {"etag": '"1"', "cache_control": "public, max-age=600"}
    body = b"a" * SLICE_BYTES
    with raw_edge.client() as alice, raw_edge.client() as mallory:
        alice.ask(path, ("Range", "bytes=0-4"))
        span = f"bytes 0-{SLICE_BYTES - 1}/{2 * SLICE_BYTES}"
        raw_origin.hears().says(reply_with(body, 206, content_range=span, **said))
        assert alice.response().body == b"aaaaa"

        credentials = ("Authorization", "Basic bWFsbG9yeQ==")
        mallory.ask(path, ("Range", f"bytes={SLICE_BYTES}-"), credentials)
        said["cache_control"] = "private"
        span = f"bytes {SLICE_BYTES}-{2 * SLICE_BYTES - 1}/{2 * SLICE_BYTES}"
        raw_origin.hears().says(reply_with(body, 206, content_range=span, **said))
        assert mallory.response().status == 502

        alice.ask(path, ("Range", "bytes=0-4"))
        assert alice.response().hit
