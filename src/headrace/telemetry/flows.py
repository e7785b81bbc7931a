"""What clients get, by their coverage and the class of content: counted with two additions.

A worker counts; the supervisor reads all workers' counts each second, so they travel as one string
of bytes, and the names of what is counted once.
"""

from __future__ import annotations

from array import array
from operator import attrgetter

from headrace.telemetry.load_report import MOST_PAIRS, OTHER

Pair = tuple[str, str]

MOST_COUNTED = MOST_PAIRS - 1
"""Pairs of a coverage and a class; the others are counted together."""

ALL_OTHERS = (OTHER, OTHER)


_BYTES, _REQUESTS = attrgetter("bytes"), attrgetter("requests")


class FlowCount:
    """The bytes and the requests of one coverage and class. They only grow."""

    __slots__ = ("bytes", "requests")

    def __init__(self) -> None:
        self.bytes = 0
        self.requests = 0


class Row(dict[str, FlowCount]):
    """The flows of one coverage by class: `row[content]`, made when it is first asked for."""

    __slots__ = ("_coverage", "_flows")

    def __init__(self, flows: Flows, coverage: str) -> None:
        super().__init__()
        self._flows = flows
        self._coverage = coverage

    def __missing__(self, content: str) -> FlowCount:
        flow = self[content] = self._flows.of(self._coverage, content)
        return flow


class Flows:
    """All that one worker counts, in the order in which it came."""

    def __init__(self, most: int = MOST_COUNTED) -> None:
        self.pairs: list[Pair] = []
        self._counts: list[FlowCount] = []
        self._known: dict[Pair, FlowCount] = {}
        self._rows: dict[str, Row] = {}
        self._most = most

    def of(self, coverage: str, content: str) -> FlowCount:
        """Return where a flow is counted."""
        pair = (coverage, content)
        found = self._known.get(pair)
        if found is not None:
            return found
        if pair == ALL_OTHERS or len(self.pairs) >= self._most:
            return self._known.get(ALL_OTHERS) or self._add(ALL_OTHERS, FlowCount())
        return self._add(pair, FlowCount())

    def row(self, coverage: str) -> Row:
        """Return the flows of a coverage."""
        row = self._rows.get(coverage)
        if row is None:
            row = self._rows[coverage] = Row(self, coverage)
        return row

    def end(self) -> None:
        """Empty all rows: whoever kept one learns so that it counts no more."""
        for row in self._rows.values():
            row.clear()

    def _add(self, pair: Pair, count: FlowCount) -> FlowCount:
        self._known[pair] = count
        self.pairs.append(pair)
        self._counts.append(count)
        return count

    def packed(self) -> bytes:
        """Return all counts in the order of `pairs`: the bytes of all flows, then the requests."""
        numbers = array("Q", map(_BYTES, self._counts))
        numbers.extend(map(_REQUESTS, self._counts))
        return numbers.tobytes()


def unpacked(data: bytes) -> list[int]:
    """Return the numbers that `packed` wrote on this machine."""
    numbers = array("Q")
    numbers.frombytes(data[: len(data) // 16 * 16])
    return numbers.tolist()
