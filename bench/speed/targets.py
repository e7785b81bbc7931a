"""What Headrace wants to reach, as ratios within rounds, and whether it does. Pure.

A target for throughput must be reached by throughput and by processor time for an answer: where the
load generator is the limit, throughput makes a slow server look as good as a fast one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.speed.compared import OWN, Compared, all_works
from bench.speed.figures import median
from bench.speed.result import Aside, Result

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """`value` is None when there is no figure to judge; then `met` is None, or False when the
    work failed.
    """

    work: str
    target: str
    limit: float
    value: float | None
    met: bool | None


@dataclass(frozen=True, slots=True)
class Found:
    """One machine's works by letter, and what else it measured."""

    works: Mapping[str, Compared]
    aside: Aside


@dataclass(frozen=True, slots=True)
class _Target:
    letter: str
    work: str
    text: str
    limit: float
    value: Callable[[Found, str], float | None]
    at_most: bool = False


def to_best(*, by_cost: bool = True) -> Callable[[Found, str], float | None]:
    """The lowest ratio to any other server."""

    def value(found: Found, letter: str) -> float | None:
        work = found.works.get(letter)
        return None if work is None else _lowest(work, list(work.ratios), by_cost=by_cost)

    return value


def to(*names: str, by_cost: bool = True) -> Callable[[Found, str], float | None]:
    """The lowest ratio to one of these, when there is one to each."""

    def value(found: Found, letter: str) -> float | None:
        work = found.works.get(letter)
        if work is None or not all(name in work.ratios for name in names):
            return None
        return _lowest(work, names, by_cost=by_cost)

    return value


def _lowest(work: Compared, names: Sequence[str], *, by_cost: bool) -> float | None:
    ratios = [work.ratios[name].median for name in names]
    if by_cost:
        ratios += [work.cpu_ratios[name].median for name in names if name in work.cpu_ratios]
    return min(ratios) if ratios else None


def own(found: Found, letter: str) -> float | None:
    """Our own figure."""
    work = found.works.get(letter)
    if work is None or OWN not in work.figures:
        return None
    return work.figures[OWN].median


def stores(found: Found) -> list[str]:
    """The works of stores of more and more objects that we have figures for."""
    return sorted(
        letter for letter, work in found.works.items()
        if letter.startswith("s") and OWN in work.cpu_us
    )  # fmt: skip


def fullest_store(found: Found, _letter: str) -> float | None:
    """The ratio to nginx with most objects stored."""
    letters = stores(found)
    return to("nginx")(found, letters[-1]) if letters else None


def growth(found: Found, _letter: str) -> float | None:
    """What an answer costs with most objects stored, as a multiple of that with fewest."""
    letters = stores(found)
    if len(letters) < 2:
        return None
    first, last = (found.works[letter].cpu_us[OWN].median for letter in (letters[0], letters[-1]))
    return last / first


def seconds_for_a_million(found: Found, _letter: str) -> float | None:
    """In proportion, where fewer were stored."""
    sizes = found.aside.fill_s.get(OWN)
    if not sizes:
        return None
    most = max(sizes)
    return sizes[most] * MILLION / most if most else None


def workers(found: Found, _letter: str) -> float | None:
    """Segments/s over TLS of two workers as a multiple of one's."""
    rates = found.aside.workers_per_s.get("TLS 1.3", {})
    if len(rates) < 2 or not all(rates.values()):
        return None
    return median(rates[max(rates)]) / median(rates[min(rates)])


def _aside(values: Callable[[Aside], list[float]]) -> Callable[[Found, str], float | None]:
    def value(found: Found, _letter: str) -> float | None:
        kept = values(found.aside)
        return median(kept) if kept else None

    return value


TARGETS = (
    _Target("a", "segments, plain", "≥ 1.05 × the best", 1.05, to_best()),
    _Target("b1", "segments, TLS, AES-128", "≥ 1.0 × the best", 1.0, to_best()),
    _Target("b2", "segments, TLS, AES-256", "≥ 1.0 × the best", 1.0, to_best()),
    _Target("c", "manifests, plain", "≥ 0.85 × the best", 0.85, to_best()),
    _Target("c", "manifests, plain", "≥ 1.15 × nginx", 1.15, to("nginx")),
    _Target("d", "manifests, TLS", "≥ 0.9 × the best", 0.9, to_best()),
    _Target("d", "manifests, TLS", "≥ 1.0 × nginx", 1.0, to("nginx")),
    _Target("e1", "mixed, throughput", "≥ 1.0 × nginx", 1.0, to("nginx")),
    _Target("e3", "first byte at a fixed rate, p99", "≥ 1.0 × the best of nginx and Varnish", 1.0,
            to("nginx", "varnish", by_cost=False)),
    _Target("e4", "first byte at a fixed rate, p99.9", "≥ 1.0 × the best of nginx and Varnish",
            1.0, to("nginx", "varnish", by_cost=False)),
    _Target("f1", "misses of 2 MB", "≥ 1.0 × the best of nginx and Varnish", 1.0,
            to("nginx", "varnish")),
    _Target("f1", "misses of 2 MB", "≥ 0.7 × Traffic Server", 0.7, to("trafficserver")),
    _Target("f2", "a hundred clients, one cold object fetched once: until the last has it",
            "≥ 1.2 × the best", 1.2, to_best(by_cost=False)),
    _Target("f3", "misses of 1 KB", "≥ 1.0 × nginx", 1.0, to("nginx")),
    _Target("g", "ranges", "≥ 1.05 × nginx", 1.05, to("nginx")),
    _Target("h1", "new connections, plain", "≥ 0.9 × nginx", 0.9, to("nginx")),
    _Target("h2", "new connections, TLS, full handshake", "≥ 0.85 × nginx", 0.85, to("nginx")),
    _Target("h3", "new connections, TLS, resumed", "≥ 0.9 × nginx", 0.9, to("nginx")),
    _Target("i1", "memory of an idle connection, plain", "≤ 10 KiB", 10.0, own, at_most=True),
    _Target("i2", "memory of an idle connection, TLS", "≥ 1.0 × nginx", 1.0,
            to("nginx", by_cost=False)),
    _Target("s", "small objects not in memory, most stored", "≥ 0.8 × nginx", 0.8, fullest_store),
    _Target("s", "processor time with most objects stored, against fewest", "≤ 1.3", 1.3, growth,
            at_most=True),
    _Target("s", "seconds to store a million objects of 1 KB, in proportion", "≤ 400", 400.0,
            seconds_for_a_million, at_most=True),
    _Target("k", "segments over TLS, two workers against one", "≥ 1.7", 1.7, workers),
    _Target("l", "hits' p99 beside cold objects, against warm ones", "≤ 2", 2.0,
            _aside(lambda aside: [each[2] for each in aside.cold_ms.get(OWN, [])]), at_most=True),
    _Target("m", "processor time of a miss with three origins, against one", "≤ 1.03", 1.03,
            _aside(lambda aside: aside.pools), at_most=True),
    _Target("n", "extra requests and connections for a switch", "≤ 2", 2.0,
            _aside(lambda aside: [s.requests + s.connects_unkept for s in aside.switching]),
            at_most=True),
    _Target("n", "extra connections where they are kept open", "≤ 0", 0.0,
            _aside(lambda aside: [s.connects for s in aside.switching]), at_most=True),
    _Target("n", "a stalled origin is given up after, in time limits", "≤ 1.1", 1.1,
            _aside(lambda aside: [s.left_after for s in aside.switching]), at_most=True),
)  # fmt: skip


def verdicts(result: Result) -> list[Verdict]:
    """One for each target, also for those of which there is no figure."""
    works = {each.letter: each for each in all_works(result)}
    return judged(Found(works, result.aside))


def judged(found: Found) -> list[Verdict]:
    """The same, of what was compared already."""
    verdicts = []
    for target in TARGETS:
        value = target.value(found, target.letter)
        met = None
        if value is not None:
            met = value <= target.limit if target.at_most else value >= target.limit
        work = found.works.get(target.letter)
        if work is not None and OWN in work.failures:
            met = False
        verdicts.append(
            Verdict(f"{target.letter} {target.work}", target.text, target.limit, value, met)
        )
    return verdicts
