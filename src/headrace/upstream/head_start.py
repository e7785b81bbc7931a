"""A request that was sent at once over a kept connection, before anything waits for its answer.

Who has it looks at what the origin sends as it comes (`read`), without a task. A small answer that
is there whole needs no more than that (`parsed`, `end`). Anything else is given to
`Fetcher.request` with what has come so far, which takes it up as if it had sent the request itself:
the origin is not asked twice. Either way, and when nobody wants the answer any more, it is ended
once.
"""

from __future__ import annotations

from collections.abc import Callable

from headrace.http.parser import BadResponse, ParsedResponseHead, parse_response_head
from headrace.upstream.attempt_log import AttemptLog
from headrace.upstream.idle_connections import IdleConnections
from headrace.upstream.network import Stream
from headrace.upstream.pool import Place
from headrace.upstream.pool_request import Events, fits
from headrace.upstream.retry import Attempts, Stop, Try, is_failed_status

MOST_BYTES = 16 * 1024
"""Of head and body together, so much is taken for small."""
MOST_READS = 3
REST_S = 0.1
"""An answer that has begun is waited for so long here, and then by who can wait better."""

_END = b"\r\n\r\n"


class HeadStart:
    """The first try of a GET. Made by `Fetcher.begin`.

    `stream` is None where no connection was at hand: then nothing was sent. `head` is the request's
    head, empty where no origin may be asked now. `received` is all that came of the answer,
    `unsent` what the connection did not take of the request; `began` is the loop's time at which it
    was sent.
    """

    __slots__ = (
        "_answer", "_at", "_events", "_idle", "_log", "_reads", "_time", "attempts", "began",
        "head", "place", "received", "step", "stream", "unsent",
    )  # fmt: skip

    def __init__(
        self,
        attempts: Attempts,
        step: Try | Stop,
        place: Place | None,
        stream: Stream | None,
        head: bytes,
        idle: IdleConnections,
        events: Events,
        log: AttemptLog,
        time: Callable[[], float],
    ) -> None:
        self.attempts = attempts
        self.step = step
        self.place = place
        self.stream = stream
        self.head = head
        self.received = self.unsent = b""
        self.began = attempts.began
        self._idle = idle
        self._events = events
        self._log = log
        self._time = time
        self._reads = self._at = 0
        self._answer: ParsedResponseHead | None = None

    def wait(self, then: Callable[[bool], None], timeout_s: float) -> None:
        """Call `then` when there is something to read, with False if nothing comes within
        `timeout_s` of the request.
        """
        assert self.stream is not None
        left_s = REST_S if self.received else max(0.0, self.began + timeout_s - self._time())
        self.stream.when_readable(then, left_s)

    def read(self, scratch: memoryview) -> bool:
        """Read what has come; False when that is for others to judge: nothing more comes, or too
        much, or in too many pieces.
        """
        assert self.stream is not None
        try:
            received = self.stream.recv_now(scratch)
        except OSError:
            return False
        if received is None:
            # Bytes of TLS that are no answer's yet: they must not put off the end of waiting.
            self._reads += bool(self.received)
            return True
        if not received:
            return False
        self._reads += 1
        data = bytes(scratch[:received])
        self.received = self.received + data if self.received else data
        return len(self.received) <= MOST_BYTES

    def parsed(self) -> tuple[ParsedResponseHead, bytes] | bool:
        """Return the answer's head and its body, once it is there whole and no more than that.
        True: it may still come. False: it is not of the kind that needs no more than this.
        """
        received, head = self.received, self._answer
        if head is None:
            at = self._at = received.find(_END) + len(_END)
            if at < len(_END):
                return self._reads < MOST_READS
            try:
                head = self._answer = parse_response_head(received[:at], b"GET")
            except BadResponse:
                return False
            status = head.status
            if status < 200 or is_failed_status(status) or self.attempts.retry.covers(status):
                return False
            if head.body_bytes < 0 or not fits(status, []):
                return False
        at = self._at
        left = at + head.body_bytes - len(received)
        if left:
            return 0 < left <= MOST_BYTES - len(received) and self._reads < MOST_READS
        return head, received[at:]

    def final_head(self) -> tuple[ParsedResponseHead, bytes] | None:
        """Return the answer's head and what came behind it, where `parsed` has found it, and it is
        no interim one.
        """
        head = self._answer
        if head is None or head.status < 200:
            return None
        return head, self.received[self._at :]

    def end(self, head: ParsedResponseHead) -> None:
        """Note that the answer came whole, and keep the connection if it may be kept."""
        stream, place, step = self.stream, self.place, self.step
        assert stream is not None
        assert place is not None
        assert isinstance(step, Try)
        self.stream = self.place = None
        now = self._time()
        self._events.waited(self._log, now - self.began)
        place.give_back()
        state = self.attempts.state
        state.succeeded(step.origin, now)
        if head.keep_alive:
            self._idle.keep(state.pool.origins[step.origin].endpoint, stream)
        else:
            stream.close()

    def taken_up(self) -> Stream | None:
        """Return the connection to whoever waits for the answer from now on."""
        stream, self.stream = self.stream, None
        return stream

    def close(self) -> None:
        """Give up whatever nobody took over. Idempotent."""
        stream, place = self.stream, self.place
        self.stream = self.place = None
        if stream is not None:
            stream.close()
        if place is not None:
            place.give_back()
