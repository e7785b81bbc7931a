"""What one worker reports of its requests while it is watched: live lines, and what is hot.

Not watched: `active` is False, and a request pays for that one comparison. Watched: each question
renews a lease, and without one for so long it ends by itself, if the watcher forgot to say so.

Bounded whatever is asked and whatever comes: followers (MOST_FOLLOWERS), bytes and lines that wait
for one of them (QUEUE_BYTES, QUEUE_LINES), lines a second, and the share of the worker's time that
filters may take (EXAMINE_SHARE). What does not fit is dropped or not examined, and counted; a
request never waits for a follower.
"""

from __future__ import annotations

import time
from collections import deque

import msgspec

from headrace.telemetry.access_line import AccessRecord, ClientAddress, LineFormatter
from headrace.telemetry.filter import parse_filter
from headrace.telemetry.heavy import SpaceSaving

MOST_FOLLOWERS = 8
LEASE_S = 5.0
FIGURES_LEASE_S = 75.0  # who watches figures may ask once a minute
QUEUE_LINES = 1000
QUEUE_BYTES = 256 * 1024
BATCH_BYTES = 128 * 1024
EXAMINE_SHARE = 0.1
SAMPLE_BITS = 16

HOT_FULLY = 500  # of a window's requests: all are counted for the hottest objects,
HOT_EVERY = 4  # and of the rest one in so many
HOT_CAPACITY = 256
HOT_KEY_BYTES = 512
MOST_SERVICES = 1000
SERVICES_TOLD = 50
OBJECTS_TOLD = 50
HITS = ("hit", "stale_hit")


class Followed(msgspec.Struct):
    """Lines for a follower since the last answer, as JSON objects, and how many requests did not
    get that far: `dropped` would have been shown, `unexamined` may have been."""

    lines: list[msgspec.Raw] = []
    dropped: int = 0
    unexamined: int = 0


class ServiceFigures(msgspec.Struct):
    """One service's requests in a span of time. `errors` are responses of 500 and above."""

    requests: int = 0
    hits: int = 0
    errors: int = 0
    bytes: int = 0


class HotObject(msgspec.Struct, frozen=True):
    """One of the most requested: `count` of those sampled, too high by `error` at most."""

    service: str
    url: str
    count: int
    error: int


class Figures(msgspec.Struct):
    """What a worker saw in `seconds`; the services beyond the largest are summed up as "other"."""

    seconds: float = 0.0
    services: dict[str, ServiceFigures] = {}
    sampled: int = 0
    objects: list[HotObject] = []


class Watch:
    """All who watch one worker. Times are `time.monotonic()`."""

    def __init__(self, client_address: ClientAddress = "truncated") -> None:
        self.active = False
        self._followers: dict[int, _Following] = {}
        self._figures: _Window | None = None
        self._formatter = LineFormatter(client_address)
        self._encoder = msgspec.json.Encoder()
        self._number = 0
        self._second = 0
        self._spent_s = 0.0

    def show_addresses(self, client_address: ClientAddress) -> None:
        """Show clients' addresses so from now on (see accesslog)."""
        self._formatter = LineFormatter(client_address)

    # What the request path calls, and only while `active`.

    def count(self, service: str, key: bytes | None, cache: str, status: int, sent: int) -> None:
        """Count one response for the figures."""
        self._number += 1
        window = self._figures
        if window is not None:
            window.count(service, cache, status, sent)
            if key is not None and window.samples(self._number):
                window.objects.add(_object(key))

    def examines(self, now_s: float) -> bool:
        """Return whether to build this response's record and `offer` it: there are followers, and
        time.

        Also the place where leases end.
        """
        second = int(now_s)
        if second != self._second:
            self._second, self._spent_s = second, 0.0
            self._expire(now_s)
        if not self._followers:
            return False
        if self._spent_s < EXAMINE_SHARE:
            return True
        for follower in self._followers.values():
            follower.unexamined += 1
        return False

    def offer(self, record: AccessRecord) -> None:
        """Show a record to the followers."""
        began_s = time.perf_counter()
        line = self._formatter.shown(record)
        encoded = b""
        token = (self._number * 40503) & ((1 << SAMPLE_BITS) - 1)
        for follower in self._followers.values():
            if token < follower.threshold and follower.wants(line):
                encoded = encoded or self._encoder.encode(line)
                follower.take(encoded, self._second)
        self._spent_s += time.perf_counter() - began_s

    # What the supervisor's questions call.

    def follow(
        self, follower: int, filter_text: str, lines_per_s: int, sample: float, now_s: float
    ) -> Followed:
        """Return what waits for a follower, who begins with the first call. Raises FilterError."""
        known = self._followers.get(follower)
        if known is None:
            self._expire(now_s)
            if len(self._followers) >= MOST_FOLLOWERS:
                return Followed()
            known = _Following(filter_text, lines_per_s, sample)
            self._followers[follower] = known
            self.active = True
        known.until_s = now_s + LEASE_S
        return known.batch()

    def leave(self, follower: int, now_s: float) -> None:
        """Forget a follower who is gone."""
        self._followers.pop(follower, None)
        self._expire(now_s)

    def figures(self, now_s: float) -> Figures:
        """Return what was seen since the last call; the first one begins to see."""
        window, self._figures = self._figures, _Window(now_s)
        self.active = True
        return Figures() if window is None else window.told(now_s)

    def _expire(self, now_s: float) -> None:
        for follower in [one for one, known in self._followers.items() if known.until_s < now_s]:
            del self._followers[follower]
        if self._figures is not None and self._figures.began_s + FIGURES_LEASE_S < now_s:
            self._figures = None
        self.active = bool(self._followers) or self._figures is not None


class _Following:
    """One follower: what it wants, and what waits for it."""

    __slots__ = (
        "_in_second", "_lines_per_s", "_queue", "_queued_bytes", "_second", "dropped",
        "threshold", "unexamined", "until_s", "wants",
    )  # fmt: skip

    def __init__(self, filter_text: str, lines_per_s: int, sample: float) -> None:
        self.wants = parse_filter(filter_text)
        self.threshold = round(sample * (1 << SAMPLE_BITS))
        self.until_s = 0.0
        self.dropped = self.unexamined = 0
        self._lines_per_s = lines_per_s
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._second = self._in_second = 0

    def take(self, line: bytes, second: int) -> None:
        if second != self._second:
            self._second, self._in_second = second, 0
        full = len(self._queue) >= QUEUE_LINES or self._queued_bytes + len(line) > QUEUE_BYTES
        if full or self._in_second >= self._lines_per_s:
            self.dropped += 1
            return
        self._in_second += 1
        self._queue.append(line)
        self._queued_bytes += len(line)

    def batch(self) -> Followed:
        lines, size = [], 0
        while self._queue and size < BATCH_BYTES:
            line = self._queue.popleft()
            size += len(line)
            lines.append(msgspec.Raw(line))
        self._queued_bytes -= size
        found = Followed(lines, self.dropped, self.unexamined)
        self.dropped = self.unexamined = 0
        return found


class _Window:
    """A span of time in which figures are taken."""

    __slots__ = ("_services", "began_s", "objects")

    def __init__(self, now_s: float) -> None:
        self.began_s = now_s
        self.objects = SpaceSaving(HOT_CAPACITY, HOT_KEY_BYTES)
        self._services: dict[str, ServiceFigures] = {}

    def count(self, service: str, cache: str, status: int, sent: int) -> None:
        figures = self._services.get(service)
        if figures is None:
            if len(self._services) >= MOST_SERVICES:
                service = "other"
            figures = self._services.setdefault(service, ServiceFigures())
        figures.requests += 1
        figures.bytes += sent
        if cache in HITS:
            figures.hits += 1
        if status >= 500:
            figures.errors += 1

    def samples(self, number: int) -> bool:
        return self.objects.total < HOT_FULLY or number % HOT_EVERY == 0

    def told(self, now_s: float) -> Figures:
        return Figures(
            seconds=now_s - self.began_s,
            services=largest_services(self._services, SERVICES_TOLD),
            sampled=self.objects.total,
            objects=[
                _hot_object(heavy.thing, heavy.count, heavy.error)
                for heavy in self.objects.top(OBJECTS_TOLD)
            ],
        )


def largest_services(services: dict[str, ServiceFigures], most: int) -> dict[str, ServiceFigures]:
    """Return the `most` services with most requests; the others together as "other"."""
    ordered = sorted(services.items(), key=lambda entry: -entry[1].requests)
    found = dict(ordered[:most])
    for _name, figures in ordered[most:]:
        found["other"] = plus(found.get("other", ServiceFigures()), figures)
    return found


def plus(one: ServiceFigures, other: ServiceFigures) -> ServiceFigures:
    """Return the sums of two counts, by name."""
    return ServiceFigures(
        one.requests + other.requests,
        one.hits + other.hits,
        one.errors + other.errors,
        one.bytes + other.bytes,
    )


def merged(parts: list[Figures], services: int, objects: int) -> Figures:
    """Return what several workers saw, together."""
    by_service: dict[str, ServiceFigures] = {}
    by_object: dict[tuple[str, str], HotObject] = {}
    for part in parts:
        for name, figures in part.services.items():
            by_service[name] = plus(by_service.get(name, ServiceFigures()), figures)
        for hot in part.objects:
            known = by_object.get((hot.service, hot.url))
            by_object[hot.service, hot.url] = HotObject(
                hot.service,
                hot.url,
                hot.count + (0 if known is None else known.count),
                hot.error + (0 if known is None else known.error),
            )
    hottest = sorted(by_object.values(), key=lambda hot: -hot.count)
    return Figures(
        seconds=max((part.seconds for part in parts), default=0.0),
        services=largest_services(by_service, services),
        sampled=sum(part.sampled for part in parts),
        objects=hottest[:objects],
    )


def _object(key: bytes) -> bytes:
    """Return what of a cache key (service, URL, scheme, by lines) names an object: no query, no
    scheme.
    """
    service, newline, url = key.partition(b"\n")
    return service + newline + url.partition(b"\n")[0].partition(b"?")[0]


def _hot_object(key: bytes, count: int, error: int) -> HotObject:
    service, _newline, url = key.partition(b"\n")
    url = url.partition(b"\n")[0]  # less the mark of https
    return HotObject(
        service.decode("utf-8", "backslashreplace"),
        url.decode("utf-8", "backslashreplace"),
        count,
        error,
    )
