"""Request heads that were seen before, to the byte, so that they need not be parsed again.

Players and pollers repeat themselves. One that reads a file in ranges repeats all but its Range
line: that line is cut out, the rest looked up.
"""

from __future__ import annotations

import re

from headrace.bounded import BoundedMemory, Door
from headrace.http.parser import RequestHead, RequestParser
from headrace.http.quick_heads import FIELD_BYTES, QuickHeads

LIMIT_BYTES = 8 * 1024 * 1024
HEAD_BYTES = 1024
PARSED_BYTES = 600  # a parsed head and its list of fields
_RANGE_BYTES = 64
_RANGE_LINE = re.compile(rb"\r\n[Rr]ange: (bytes=[0-9]{1,18}-[0-9]{0,18})(?=\r\n)")
_RANGE_WORD = b"ange: bytes="
_HEAD_END = b"\r\n\r\n"


def cost(text: bytes, head: RequestHead) -> int:
    """Return the bytes that a known head takes: its text, the fields cut from it, the objects."""
    return PARSED_BYTES + 3 * len(text) + FIELD_BYTES * len(head.headers.fields)


class HeadCache:
    """The heads that need no more than a look-up in the cache, bounded in bytes.

    `exact` has them by their bytes.
    """

    def __init__(self, parser: RequestParser) -> None:
        self._known: BoundedMemory[bytes, RequestHead] = BoundedMemory(LIMIT_BYTES, cost)
        self.exact = self._known.entries
        self._door = Door()
        self._parser = parser
        self._parse_quickly = QuickHeads(parser.limits).parse
        # None that a Range line would take beyond the limits is known.
        self._longest = min(HEAD_BYTES, parser.limits.head_bytes - _RANGE_BYTES)

    def read(self, data: bytes) -> RequestHead | None:
        """Return the head that `data` is, if that is a whole one and no more and can be told
        quickly. It is known the next time, if it came before.
        """
        if _RANGE_WORD in data:
            head = self.ranged(data)
            if head is not None:
                return head
        head = self._parse_quickly(data)
        if head is not None and len(data) <= self._longest:
            if head.plain:
                if self._door.came_before(hash(data)):
                    self._keep(data, head)
            elif head.lone_range is not None:
                self.remember(data, head)
        return head

    def ranged(self, data: bytes) -> RequestHead | None:
        """Return the head that `data` is, if it is a known one with one simple Range line added."""
        if len(data) > HEAD_BYTES + _RANGE_BYTES or not data.endswith(_HEAD_END):
            return None
        line = _RANGE_LINE.search(data)
        if line is None:
            return None
        begin, end = line.span()
        known = self.exact.get(data[:begin] + data[end:])
        if known is None:
            return None
        value = line[1]
        return RequestHead(
            known.method, known.target, known.version,
            known.headers.and_line(b"range", value),
            known.host, 0, known.keep_alive, False, value, cmcd=known.cmcd,
        )  # fmt: skip

    def remember(self, text: bytes, head: RequestHead) -> None:
        """Note a head that was parsed from `text`, if it is of the kind and came before; the oldest
        are forgotten.

        Of one with a Range line the rest is noted. None that a Range line would take beyond the
        limits: a head is known only if parsing would accept it.
        """
        if len(text) > self._longest:
            return
        if head.plain:
            if self._door.came_before(hash(text)):
                self._keep(text, head)
        elif head.lone_range is not None:
            line = _RANGE_LINE.search(text)
            if line is not None:
                rest = text[: line.start()] + text[line.end() :]
                if self._door.came_before(hash(rest)):
                    self._keep(rest, self._parser.parse(rest))

    def _keep(self, text: bytes, head: RequestHead) -> None:
        if len(head.headers) < self._parser.limits.header_count:
            head.known = True
            self._known.put(text, head)
