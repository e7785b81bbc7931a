"""From results of several machines to the text of one page: ratios first. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.speed import sections, targets
from bench.speed.compared import Compared, all_works, closest
from bench.speed.result import Result
from bench.speed.tables import NOTHING, cell, number, ratio, share, table

INTRO = """\
All servers are up and warm at once, each with one worker, on one core; the origin (nginx) and the \
load have another. They take turns at each work in slices of {slice_s:g} s, in rounds that begin \
with another server each time, so that what slows the machine for a while slows all of them. \
Everything is on loopback, and in the page cache unless said otherwise. Latencies count from the \
moment a request was due.

**A ratio above 1 is in Headrace's favour**, whether more is better (GB/s) or less (ms, KiB, \
processor time). It is the median of the ratios within each round, with the range of the middle \
nine tenths in brackets, so it is not exactly the quotient of two medians in the tables of \
figures. *The best* is the server that Headrace compares worst with. Percentiles need many \
answers: they are taken over all rounds together, and their range is estimated by resampling the \
rounds (bootstrap).

`make bench` adds the machine that it runs on. What `python -m bench.speed --json FILE` wrote on \
another machine is added by `.venv/bin/python scripts/add_bench_machine.py FILE`."""

TARGETS_INTRO = """\
What Headrace wants to reach. Where both throughput and processor time were measured, the lower of \
the two ratios counts: throughput alone would flatter a server that waits for the load generator."""

CEILING_INTRO = """\
The ceiling is a bare loop that only sends the same bytes, unencrypted, on the same core. It \
copies them (`send`): a server that lets the kernel send from a file (`sendfile`) may exceed it."""

CONFIGURATIONS = """\
The other servers' configurations are in `bench/speed/configs`, their options and Headrace's \
configuration in `bench/speed/peers.py`: its defaults, but for limits that the load would exceed, \
and for s so little memory that objects come from the store. If you know a better one, send it."""

CPU_INTRO = """\
Processor time of all of a server's processes for one answer. It tells servers apart where the \
load generator was the limit of throughput."""


def document(results: Sequence[Result], findings: str, images: Mapping[str, Sequence[str]]) -> str:
    """The whole page. `images` are names of files by machine."""
    works = {result.machine.name: all_works(result) for result in results}
    slices = max((result.slice_s for result in results), default=0.0)
    return sections_of(results, works, findings, images, INTRO.format(slice_s=slices))


def sections_of(
    results: Sequence[Result], works: Mapping[str, Sequence[Compared]], findings: str,
    images: Mapping[str, Sequence[str]], intro: str,
) -> str:  # fmt: skip
    """The parts of the page, with an end of line."""
    parts = [
        "# Speed, side by side",
        intro,
        "## Ratios\n\n" + side_by_side(works),
        f"## Targets\n\n{TARGETS_INTRO}\n\n" + judged(results, works),
        "## Machines\n\n" + machines(results),
        findings.rstrip(),
        *(one(result, works[result.machine.name], images.get(result.machine.name, ()))
          for result in results),
        CONFIGURATIONS,
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def titles(works: Mapping[str, Sequence[Compared]]) -> dict[str, str]:
    """Letter and title of each work that any machine did, in order."""
    found = {each.letter: each.title for known in works.values() for each in known}
    return dict(sorted(found.items()))


def side_by_side(works: Mapping[str, Sequence[Compared]]) -> str:
    """Ratios to the best other server and to nginx, by throughput and by cost, of all machines."""
    by_letter = {name: {each.letter: each for each in known} for name, known in works.items()}
    rows = []
    for letter, title in titles(works).items():
        row = [f"{letter} {title}"]
        for known in by_letter.values():
            work = known.get(letter)
            row += [NOTHING] * 4 if work is None else _ratios(work)
        rows.append(row)
    heads = [
        head if len(works) == 1 else f"{name}: {head}"
        for name in works
        for head in (
            "to the best",
            "to nginx",
            "processor time, to the best",
            "processor time, to nginx",
        )
    ]
    return table(["work", *heads], rows)


def _ratios(work: Compared) -> list[str]:
    found = []
    for ratios in (work.ratios, work.cpu_ratios):
        best = closest(ratios)
        found.append(NOTHING if best is None else f"**{ratio(best[1])}** {best[0]}")
        found.append(ratio(ratios.get("nginx")))
    return found


def judged(results: Sequence[Result], works: Mapping[str, Sequence[Compared]]) -> str:
    """All targets, a column for each machine."""
    found = [
        targets.judged(
            targets.Found({each.letter: each for each in works[result.machine.name]}, result.aside)
        )
        for result in results
    ]
    rows = []
    for verdicts in zip(*found, strict=True):
        cells = [_judgement(each) for each in verdicts]
        rows.append([verdicts[0].work, verdicts[0].target, *cells])
    return table(["work", "target", *(result.machine.name for result in results)], rows)


def _judgement(verdict: targets.Verdict) -> str:
    if verdict.value is None:
        return "not measured" if verdict.met is None else "**failed**"
    value = number(verdict.value)
    if verdict.value < 100:
        # Two places, or as many as it takes not to show a limit that was missed.
        texts = [f"{verdict.value:.{places}f}" for places in (2, 3, 4)]
        value = next(
            (text for text in texts if verdict.met or float(text) != verdict.limit), texts[-1]
        )
    return f"{value} {'met' if verdict.met else '**not met**'}"


def machines(results: Sequence[Result]) -> str:
    """What was measured on, a column for each."""
    known = [result.machine for result in results]
    rows = [
        ["processor", *(each.processor for each in known)],
        ["its instructions for AES", *(each.aes or "nothing" for each in known)],
        ["cores, memory", *(f"{each.cores}, {each.memory_gib} GiB" for each in known)],
        ["Linux", *(each.kernel for each in known)],
        ["Python, its OpenSSL", *(f"{each.python}, {each.openssl}" for each in known)],
        ["instructions for an answer", *("counted" if each.instructions_counted else "not counted"
                           for each in known)],
        ["processor time taken by the host's other guests",
         *(share(each.stolen) for each in known)],
        ["date", *(each.date for each in known)],
        ["measuring took", *(f"{result.took_s / 60:.0f} min" for result in results)],
    ]  # fmt: skip
    for peer in dict.fromkeys(peer for each in known for peer in each.versions):
        rows.append([peer, *(each.versions.get(peer, NOTHING) for each in known)])
    return table(["", *(each.name for each in known)], rows)


def one(result: Result, works: Sequence[Compared], images: Sequence[str]) -> str:
    """What one machine found, in figures."""
    name, peers, aside = result.machine.name, result.peers, result.aside
    counted = [each for each in works if each.instructions]
    title = "Instructions for an answer, in user mode and in the kernel"
    return "\n\n".join(
        part
        for part in (
            f"## Figures: {name}",
            figures(works, peers),
            *(f"![{_caption(image)}]({image})" for image in images),
            f"### Processor time for an answer: {name}\n\n{CPU_INTRO}\n\n" + costs(works, peers),
            f"### {title}: {name}\n\n" + instructions(counted, peers) if counted else "",
            f"### Who was busy: {name}\n\n" + busy(works, peers),
            f"### Share of the ceiling: {name}\n\n{CEILING_INTRO}\n\n" + shares(works, peers),
            *sections.all_of(aside, name),
            f"### Not measured, or not in every round: {name}\n\n" + failures(works, aside.notes),
        )
        if part
    )


def _caption(image: str) -> str:
    """What a picture shows, for those who do not see it."""
    if "growth" in image:
        return "Processor time for an answer, by objects stored and by connections"
    return "Ratio to each other server in each work, with its range; right of 1 Headrace is better"


def figures(works: Sequence[Compared], peers: Sequence[str]) -> str:
    """Medians, and where nine tenths of the slices lie."""
    rows = [
        [f"{work.letter} {work.title}", work.unit,
         *(cell(work.figures.get(peer)) for peer in peers)]
        for work in works
    ]  # fmt: skip
    return table(["work", "unit", *peers], rows)


def costs(works: Sequence[Compared], peers: Sequence[str]) -> str:
    """Microseconds for an answer."""
    rows = [
        [f"{work.letter} {work.title}", *(cell(work.cpu_us.get(peer)) for peer in peers)]
        for work in works
        if work.cpu_us
    ]
    return table(["µs for an answer", *peers], rows)


def instructions(works: Sequence[Compared], peers: Sequence[str]) -> str:
    """Instructions for an answer, and the ratio to the best."""
    rows = []
    for work in works:
        best = closest(work.instruction_ratios)
        rows.append([
            f"{work.letter} {work.title}",
            *(cell(work.instructions.get(peer)) for peer in peers),
            NOTHING if best is None else f"**{ratio(best[1])}** {best[0]}",
        ])  # fmt: skip
    return table(["instructions for an answer", *peers, "to the best"], rows)


def busy(works: Sequence[Compared], peers: Sequence[str]) -> str:
    """Shares of their cores that server, load and origin took."""
    rows = [
        [work.letter, *(
            " + ".join(share(each) for each in work.shares[peer])
            if peer in work.shares else NOTHING
            for peer in peers
        )]
        for work in works
        if any(any(each is not None for each in found) for found in work.shares.values())
    ]  # fmt: skip
    intro = (
        "Shares of a core: server + load + origin. Load and origin share one: where they take "
        "nearly all of it together, throughput is a lower bound for the server."
    )
    return f"{intro}\n\n{table(['work', *peers], rows)}"


def shares(works: Sequence[Compared], peers: Sequence[str]) -> str:
    """Each figure as a share of what the bare loop sends."""
    rows = []
    for work in works:
        ceiling = work.ceiling
        if not ceiling or work.unit == "ms":
            continue
        cells = [
            share(work.figures[peer].median / ceiling) if peer in work.figures else NOTHING
            for peer in peers
        ]
        rows.append([f"{work.letter} {work.title}", f"{ceiling:,.3g} {work.unit}", *cells])
    return table(["work", "ceiling", *peers], rows)


def failures(works: Sequence[Compared], notes: Sequence[str]) -> str:
    """What could not be measured, or not in every round, and why, as a Markdown list."""
    items = [
        f"- {work.letter} {work.title}, {peer}: {_how_often(work, peer)}{reason}"
        for work in works
        for peer, reason in work.failures.items()
    ]
    items += [f"- {note}" for note in notes]
    items += [line for work in works if (line := _fewer(work))]
    return "\n".join(items) if items else "Nothing: every server did all that it was asked."


def _most_rounds(work: Compared) -> int:
    return max((each.count for each in work.figures.values()), default=0)


def _fewer(work: Compared) -> str:
    """Who was measured in fewer rounds although nothing failed; "" for nobody."""
    most = _most_rounds(work)
    found = {
        peer: each.count
        for peer, each in work.figures.items()
        if each.count < most and peer not in work.failures
    }
    if not found:
        return ""
    counts = ", ".join(f"{peer} {count}" for peer, count in found.items())
    return f"- {work.letter} {work.title}: {counts} of {most} rounds, as no target is set by them"


def _how_often(work: Compared, peer: str) -> str:
    """In how many rounds a peer was measured, where it was in some."""
    own = work.figures.get(peer)
    if own is None:
        return ""
    return f"{own.count} of {_most_rounds(work)} rounds; "
