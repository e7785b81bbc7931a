"""`headrace shard`: which servers of which sites hold what a URL asks for, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from headrace.cli.asked import BadQuestion, parts_of, read_view
from headrace.topology.build import load_topology
from headrace.topology.classify import Classes
from headrace.topology.placement import Placement
from headrace.topology.placement_explain import ShardInSite, explain_shard
from headrace.topology.view import NO_VIEW

_COLUMN = 12


class Found(msgspec.Struct):
    """The whole answer."""

    url: str
    content_class: str
    shard: str
    sites: list[ShardInSite]


def shard(
    url: Annotated[str, typer.Argument(metavar="URL", help="What a client asks for.")],
    *,
    network: Annotated[Path, typer.Option(metavar="FILE", help="The network's description.")],
    site: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this site. Unset: all.")
    ] = None,
    view: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A view of the network's state.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print which servers hold what a URL asks for, in order, and why.

    Routers and servers with the same description and the same view come to the same answer.
    """
    found = _find(url, network, site, view)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(found), indent=2, ensure_ascii=False))
        return
    for line in _lines(found):
        typer.echo(line)


def _find(url: str, network: Path, site: str | None, view: Path | None) -> Found:
    """Return where a URL's shard is. Raises HeadraceError."""
    _scheme, authority, path = parts_of(url)
    topology = load_topology(network)
    classified = Classes(topology.classes, topology.servers).of(authority, path)
    if classified is None:
        raise BadQuestion(f"no class of {network} has the host and path of {url}")
    names = [each.name for each in topology.sites]
    if site is not None and site not in names:
        raise BadQuestion(f"{network} has no site {site!r}: write one of {', '.join(names)}")
    placement = Placement(topology, NO_VIEW if view is None else read_view(view))
    places = (
        explain_shard(placement, name, classified.content, classified.shard)
        for name in ([site] if site is not None else names)
    )
    return Found(
        url,
        classified.content.name,
        classified.shard.decode("latin-1"),
        [place for place in places if place is not None],
    )


def _lines(found: Found) -> Iterator[str]:
    """Yield the answer for people."""
    yield f"{'class':{_COLUMN}}{found.content_class}"
    yield f"{'shard':{_COLUMN}}{found.shard}"
    for each in found.sites:
        servers = "one server" if each.width == 1 else f"{each.width} servers"
        demand = f", {each.demand:.2%} of the demand" if each.demand is not None else ""
        yield ""
        yield f"site {each.site}: on {servers}{demand}"
        wide = max((len(place.server) for place in each.servers), default=0)
        for number, place in enumerate(each.servers, 1):
            mark = "  -" if place.role == "left out" else f"{number:>3}"
            yield f"{mark}  {place.server:{wide}}  {place.role:9}  {place.why}"
