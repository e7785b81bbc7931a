"""Reads the heads of GET requests quickly where nothing in them needs care.

Every byte goes through llhttp, as strictly as in `parser`, and what is found is what `parser`
would find. Less happens around it, since what cost most there was Python called back for each
field, and the list made of them:

- Fields that came before, to the byte, are known. Then only the target is asked of llhttp: a
  client's fields stay the same while its URLs change.
- A proxy's fields differ in the client that it names: that line is cut out, as long as it holds
  nothing but addresses, and the rest looked up.
- Other fields are collected by methods that are written in C, and names are put into lower case all
  at once.

What has a body, ends the connection, repeats a name, or is wrong is left to `parser`: only that one
refuses.
"""

from __future__ import annotations

import re

import httptools

from headrace.bounded import BoundedMemory, Door
from headrace.http.message import Headers
from headrace.http.parser import SPECIAL, HeadLimits, RequestHead, says_cmcd

KNOWN_BYTES = 4 * 1024 * 1024
"""For fields that came before."""

LONGEST_BYTES = 2048
"""Fields that are longer together are not remembered."""

DOOR_MARKS = 1024  # of what browsers send, no more fit
FIELD_BYTES = 250  # a field's texts, its tuple and its place in the index
_FAILED = (httptools.HttpParserError, httptools.HttpParserUpgrade)
_START = b"GET "
_VERSION = b" HTTP/1.1\r\n"
_HEAD_END = b"\r\n\r\n"
_1_1 = (1, 1)
_KEEP_ALIVE = b"keep-alive"
_FORWARDED = b"x-forwarded-for"
_FORWARDED_LINE = re.compile(
    rb"\r\n[Xx]-[Ff]orwarded-[Ff]or: "
    rb"([0-9A-Fa-f:.\[](?:[0-9A-Fa-f:., \[\]]*[0-9A-Fa-f.:\]])?)(?=\r\n)"
)
# With these llhttp may be in a body after the head, or take no further request.
_FRAMING = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)


def _cost(lines: bytes, fields: Headers) -> int:
    return 600 + 3 * len(lines) + FIELD_BYTES * len(fields)


class _Targets:
    """Has llhttp tell the targets alone."""

    __slots__ = ("on_url",)

    def __init__(self, targets: list[bytes]) -> None:
        self.on_url = targets.append


class _Everything(_Targets):
    """Has llhttp tell the fields too; of those with one name it keeps one."""

    __slots__ = ("on_header",)

    def __init__(self, targets: list[bytes], lines: dict[bytes, bytes]) -> None:
        super().__init__(targets)
        self.on_header = lines.setdefault


class QuickHeads:
    """Reads whole heads within limits. As `RequestParser`, it keeps nothing of one client's head
    that could change how the next one's is read: after anything but a usual request llhttp is new.

    Fields are remembered in their one form, when they come for the second time; what a stranger
    sends once pushes nobody's out.
    """

    __slots__ = (
        "_door", "_everything", "_feed_everything", "_feed_targets", "_known", "_limits", "_lines",
        "_only_targets", "_targets", "fields",
    )  # fmt: skip

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._targets: list[bytes] = []
        self._lines: dict[bytes, bytes] = {}
        self._only_targets = _Targets(self._targets)
        self._everything = _Everything(self._targets, self._lines)
        self._renew()
        self._door = Door(DOOR_MARKS)
        self._known: BoundedMemory[bytes, Headers] = BoundedMemory(KNOWN_BYTES, _cost)
        self.fields = self._known.entries
        """Those that came before, by their lines. No player says anything in them."""

    def _renew(self) -> None:
        self._targets.clear()
        self._lines.clear()
        self._feed_targets = httptools.HttpRequestParser(self._only_targets).feed_data
        self._feed_everything = httptools.HttpRequestParser(self._everything).feed_data

    def parse(self, head: bytes) -> RequestHead | None:
        """Return the head, if the bytes are one and no more. None says nothing of them."""
        end = head.find(_VERSION)
        fields = self.fields.get(head[end + 11 :])
        if fields is None:
            fields = self._forwarded(head, end)
            if fields is None:
                return self._with_new_fields(head, end)
        limits = self._limits
        if end + 9 > limits.line_bytes or len(head) > limits.head_bytes:
            return None
        if not head.startswith(_START):
            return None
        targets = self._targets
        try:
            self._feed_targets(head)
            target = targets.pop()
        except (*_FAILED, IndexError):
            self._renew()
            return None
        if targets or target != head[4:end]:  # several blanks, for one
            self._renew()
            return None
        return RequestHead(
            _START[:3], target, _1_1, fields, fields.get(b"host"), 0, True, True,
            cmcd=b"CMCD=" in target,
        )  # fmt: skip

    def _forwarded(self, head: bytes, end: int) -> Headers | None:
        """Return the fields of a head, if they are known but for the client that they name."""
        line = _FORWARDED_LINE.search(head, end) if end >= 0 else None
        if line is None:
            return None
        fields = self.fields.get(_without(line, head, end))
        if fields is None or _FORWARDED in fields or len(fields) >= self._limits.header_count:
            return None
        return fields.with_line(_FORWARDED, line[1])

    def _with_new_fields(self, head: bytes, end: int) -> RequestHead | None:
        limits = self._limits
        if (
            not head.startswith(_START)
            or end < 0
            or end + 9 > limits.line_bytes
            or len(head) > limits.head_bytes
            or head.find(_HEAD_END, end) != len(head) - 4
            or b" \r\n" in head
            or b"\t\r\n" in head
        ):
            return None
        targets, lines = self._targets, self._lines
        try:
            self._feed_everything(head)
        except _FAILED:
            self._renew()
            return None
        index = dict(zip(b"\n".join(lines).lower().split(b"\n"), lines.values(), strict=False))
        if targets != [head[4:end]] or head.count(b"\r\n") != len(index) + 2:
            self._renew()
            return None
        targets.clear()
        lines.clear()
        return self._judged(head, end, index)

    def _judged(self, head: bytes, end: int, index: dict[bytes, bytes]) -> RequestHead | None:
        """Return the head by its fields, each of which has one line."""
        plain, lone_range = True, None
        if not _FRAMING.isdisjoint(index) and (
            len(_FRAMING.intersection(index)) > 1
            or index.get(b"connection", b"").lower() != _KEEP_ALIVE
        ):
            self._renew()
            return None
        host = index.get(b"host")
        if host is None or len(index) > self._limits.header_count:
            return None
        if not SPECIAL.isdisjoint(index):
            special = SPECIAL.intersection(index) - _FRAMING
            plain = not special
            lone_range = index.get(b"range") if len(special) == 1 else None
        fields = Headers.of(index)
        target = head[4:end]
        cmcd = says_cmcd(target, index)
        if plain and (not cmcd or not says_cmcd(b"", index)):
            self._remember(head, end, fields)
        return RequestHead(
            _START[:3], target, _1_1, fields, host, 0, True, plain, lone_range, cmcd=cmcd
        )

    def _remember(self, head: bytes, end: int, fields: Headers) -> None:
        """Know these fields, less the client that they name, if they came before."""
        lines = head[end + 11 :]
        line = _FORWARDED_LINE.search(head, end) if _FORWARDED in fields else None
        if line is not None:
            lines, fields = _without(line, head, end), fields.without((_FORWARDED,))
        if len(lines) <= LONGEST_BYTES and self._door.came_before(hash(lines)):
            self._known.put(lines, fields)


def _without(line: re.Match[bytes], head: bytes, end: int) -> bytes:
    """Return the fields of a head less one line, which has the line end in front, not its own."""
    return head[end + 11 : line.start() + 2] + head[line.end() + 2 :]
