"""The soak's clients, one thread each: steady, slow, impatient and writing ones.

Whatever a client receives is compared with what the response's own ETag says it must be.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.harness.bodies import Checker, WrongByte
from tests.harness.edge import HOST
from tests.harness.wire import Client, ConnectionEnded, Response, WireError

from bench.soak.objects import (
    CHANGING,
    FIXED,
    HUGE,
    PRIVATE,
    Catalogue,
    Named,
    body_by_tag,
)
from bench.soak.tally import Tally

REFUSED_S = 0.05
FAULTS = (500, 502, 503, 504)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class World:
    """What all clients share."""

    catalogue: Catalogue
    tally: Tally
    stop: threading.Event
    plain: tuple[str, int]
    secure: tuple[str, int] = ("", 0)
    context: ssl.SSLContext | None = None


Connect = Callable[[], Client]


def plainly(world: World) -> Connect:
    return lambda: Client(world.plain, timeout_s=30)


def securely(world: World) -> Connect:
    return lambda: Client(
        world.secure, tls=world.context, server_name=HOST, host=HOST, timeout_s=30
    )


def steady(world: World, connect: Connect, seed: int) -> None:
    """GETs of all kinds on connections that are kept as long as they last."""
    chance = random.Random(seed)
    while not world.stop.is_set():
        with minded(world), connect() as client:
            for _ in range(chance.randint(1, 200)):
                if world.stop.is_set():
                    return
                ask(world, client, choose(chance), chance)


def slow(world: World, connect_slowly: Connect, seed: int) -> None:
    """Takes its time over long bodies."""
    chance = random.Random(seed)
    while not world.stop.is_set():
        named = Named("fixed", chance.randrange(0, FIXED, 40))
        with minded(world), connect_slowly() as client:
            client.ask(named.path)
            found = client.head()
            pause_s = chance.uniform(0.0, 0.004)

            def wait(_data: bytes, pause_s: float = pause_s) -> None:
                time.sleep(pause_s)

            if found.status == 200:
                _check_body(world, client, named, found, 0, 0, also=wait)
                world.tally.count("slow readers")


def impatient(world: World, connect: Connect, seed: int) -> None:
    """Leaves in mid-body, by a reset."""
    chance = random.Random(seed)
    while not world.stop.is_set():
        named = choose(chance)
        with minded(world):
            client = connect()
            try:
                client.ask(named.path)
                if chance.random() < 0.7 and client.head().status == 200:
                    with contextlib.suppress(ConnectionEnded):
                        size = len(world.catalogue.body(named))
                        client.read(chance.randint(0, min(1000, size)))
            finally:
                client.reset()
            world.tally.count("aborted by clients")
        time.sleep(0.02)


def writing(world: World, connect: Connect, seed: int) -> None:
    """Posts bodies whose digest the origin tells back, and changes objects by POST."""
    chance = random.Random(seed)
    while not world.stop.is_set():
        with minded(world), connect() as client:
            for _ in range(50):
                if chance.random() < 0.3:
                    _change(world, client, chance.randrange(CHANGING))
                else:
                    _post(world, client, chance)
                if world.stop.wait(0.01):
                    return


def choose(chance: random.Random) -> Named:
    """Popular objects more often than others."""
    kind = chance.choices(["fixed", "changing", "private", "huge"], [70, 20, 5, 5])[0]
    match kind:
        case "fixed":
            return Named(kind, int(FIXED * chance.random() ** 3))
        case "changing":
            return Named(kind, int(CHANGING * chance.random() ** 2))
        case "private":
            return Named(kind, chance.randrange(PRIVATE))
        case _:
            return Named(kind, 0)


@contextlib.contextmanager
def minded(world: World):  # type: ignore[no-untyped-def]
    """Connections break in a soak (workers are killed); wrong bytes never come."""
    try:
        yield
    except WrongByte as error:
        world.tally.note_wrong(str(error))
    except TimeoutError as error:
        world.tally.note_wrong(f"a client waited 30 s: {error}")
    except ConnectionRefusedError:
        world.tally.count("connections refused")
        time.sleep(REFUSED_S)
    except (ConnectionError, ConnectionEnded, ssl.SSLError):
        world.tally.count("connections broken")
        time.sleep(0.01)
    except WireError as error:
        world.tally.note_wrong(f"not HTTP: {error}")


def ask(world: World, client: Client, named: Named, chance: random.Random) -> None:
    """One GET of some kind, and the check of what comes."""
    fields: list[tuple[str, str]] = []
    span = None
    size = len(world.catalogue.body(named))
    if named.kind == "huge" or (size > 1000 and chance.random() < 0.25):
        start = chance.randrange(max(1, min(size, len(HUGE)) - 1))
        end = min(size, start + chance.randint(1, 400_000))
        span = (start, end)
        fields.append(("Range", f"bytes={start}-{end - 1}"))
    elif chance.random() < 0.1:
        fields.append(("If-None-Match", f'"{world.catalogue.body(named).seed}-{size}"'))
    floor = world.catalogue.floors[named.number] if named.kind == "changing" else 0
    client.ask(named.path, *fields)
    found = client.head()
    world.tally.count(f"status {found.status}")
    match found.status:
        case 200:
            _check_body(world, client, named, found, 0, floor)
        case 206 if span is not None:
            _check_part(world, client, named, found, span, floor)
        case 304 if fields and fields[0][0] == "If-None-Match":
            pass
        case 416 if span is not None and named.kind == "changing":
            client.read_body(found)
        case status if status in FAULTS:
            client.read_body(found)
        case status:
            world.tally.note_wrong(f"{named.path} with {fields} was answered with {status}")
            raise ConnectionEnded(reset=False)


def _check_part(
    world: World, client: Client, named: Named, found: Response, span: tuple[int, int], floor: int
) -> None:
    match = _CONTENT_RANGE.fullmatch(found.header("content-range") or "")
    known = body_by_tag(named, found.header("etag"))
    if match is None or known is None:
        world.tally.note_wrong(f"{named.path}: a 206 without a sound Content-Range or ETag")
        raise ConnectionEnded(reset=False)
    start, end, total = int(match[1]), int(match[2]) + 1, int(match[3])
    expected = (span[0], min(span[1], len(known[0])), len(known[0]))
    if (start, end, total) != expected:
        world.tally.note_wrong(f"{named.path}: {match[0]} came for {span}")
        raise ConnectionEnded(reset=False)
    _check_body(world, client, named, found, start, floor, end=end)


def _check_body(
    world: World,
    client: Client,
    named: Named,
    found: Response,
    start: int,
    floor: int,
    *,
    end: int | None = None,
    also: Callable[[bytes], None] | None = None,
) -> None:
    known = body_by_tag(named, found.header("etag"))
    if known is None:
        world.tally.note_wrong(f"{named.path}: ETag {found.header('etag')} is not its own")
        raise ConnectionEnded(reset=False)
    body, version = known
    if version < floor:
        world.tally.note_wrong(
            f"{named.path}: version {version} came after a purge of all before {floor}: "
            f"{found.header('cache-status')}, age {found.header('age')}"
        )
    checker = Checker(body, start)

    def take(data: bytes) -> None:
        checker.feed(data)
        if also is not None:
            also(data)

    client.read_body(found, sink=take)
    world.tally.count("body bytes checked", checker.position - start)
    if not found.complete:
        world.tally.count("bodies cut (visibly)")
        raise ConnectionEnded(reset=False)
    if checker.position != (len(body) if end is None else end):
        world.tally.note_wrong(f"{named.path}: complete with {checker.position} of {len(body)}")
    world.tally.count("bodies whole and right")
    world.tally.count("hits" if found.hit else "not hits")


def _change(world: World, client: Client, number: int) -> None:
    """Change an object by POST: when the answer is here, no older version may be served."""
    found = client.exchange("POST", f"/changing/{number}", body=b"change")
    world.tally.count(f"POST {found.status}")
    if found.status == 204:
        world.catalogue.raise_floor(number, int(found.header("x-version") or 0))


def _post(world: World, client: Client, chance: random.Random) -> None:
    body = chance.randbytes(chance.choice([0, 10, 5000, 400_000]))
    if chance.random() < 0.5:
        client.ask("/post/0", method="POST", body=body)
    else:
        pieces = [body[at : at + 50_000] for at in range(0, len(body), 50_000)]
        client.ask("/post/0", method="POST", chunks=pieces)
    found = client.response("POST")
    world.tally.count(f"POST {found.status}")
    if found.status == 200 and found.header("x-digest") != hashlib.sha256(body).hexdigest():
        world.tally.note_wrong("an upload reached the origin with other bytes")
