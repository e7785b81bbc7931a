"""Ways to steer traffic between sites, compared: `python -m bench.balance [--output DIR]`.

A fluid model of four sites; reports arrive two intervals late, a fifth of them never, and they are
wrong by up to 10 %. The same seeds give the same page. Writes docs/benchmarks/balance.md and a
picture for each scene to docs/images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.balance.measure import CONDITIONS, LAST_S, POLICIES, Played, play
from bench.balance.plot import draw
from bench.balance.scenes import FOLLOW_S, SCENES, Scene

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.balance", description=__doc__)
    parser.add_argument("--output", type=Path, default=DOCS, help="the directory of the docs")
    options = parser.parse_args()
    sections = []
    for scene in SCENES:
        played = [play(scene, policy) for policy in POLICIES]
        image = options.output / "images" / f"balance-{scene.name}.svg"
        image.write_text(draw(scene.title, played))
        sections.append(_section(scene, played))
    page = _page(sections)
    print(page)
    (options.output / "benchmarks" / "balance.md").write_text(page)
    return 0


def _page(sections: list[str]) -> str:
    head = f"""\
# Ways to steer traffic between sites

Written by `python -m bench.balance`. Four sites in a ring, six servers of 10 Gb/s each, targets of
80 %; clients of a site may be served by the next ones after it. Clients follow a weight with a time
constant of {FOLLOW_S:.0f} s. Servers report every {CONDITIONS.report_s:.0f} s; reports arrive
{CONDITIONS.delay_s:.0f} s late, {CONDITIONS.loss:.0%} of them never, and each is wrong by up to
{CONDITIONS.lie:.0%}. A fluid model: no requests, no caches.

- **nothing**: clients stay where the description has them.
- **threshold**: a site above 85 % gets no new clients until it is below 70 %.
- **weights by room**: all sites of a coverage share its clients by what each has left.
- **better of two**: for each client two sites are drawn, and the less loaded one gets it.
- **headrace**: [the balance](../feedback/balance.md), with its defaults.

*Peak* is the highest use of a site after the event, *late* that of the last {LAST_S:.0f} s. *Lost*
is the share of the traffic that was beyond what its site can send. *Swing* is how far the use of a
site goes up and down, beyond what its demand does, in the last {LAST_S:.0f} s, summed up. *Moved*
is how much traffic changed its site, as a multiple of all traffic. *Away* is the share that is not
served by its first site in the end.
"""
    return head + "\n" + "\n".join(sections)


def _section(scene: Scene, played: list[Played]) -> str:
    rows = "\n".join(
        f"| {one.policy} | {one.peak:.0%} | {one.late:.0%} | {one.lost:.2%} | {one.swing:.2f} "
        f"| {one.moved:.2f} | {one.away:.0%} |"
        for one in played
    )
    return f"""\
## {scene.title}

{scene.says}

| | peak | late | lost | swing | moved | away |
|---|--:|--:|--:|--:|--:|--:|
{rows}

![{scene.title}](../images/balance-{scene.name}.svg)
"""


if __name__ == "__main__":
    raise SystemExit(main())
