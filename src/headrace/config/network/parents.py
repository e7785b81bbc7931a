"""Parents of sites that cannot be: unknown ones, such that are no mid sites, circles. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headrace.config.network.model import NetworkConfig
from headrace.config.network.places import SiteTable
from headrace.config.problems import Problem, Severity

_SITES = (("site", "name"), ("site", "kind"))


def wrong_parents(config: NetworkConfig) -> Iterator[Problem]:
    """Yield every such problem."""
    kinds = {site.name: site.kind for site in config.sites}
    mids = sorted(name for name, kind in kinds.items() if kind == "mid")
    remedy = f"name a mid site ({', '.join(mids[:10]) or 'there is none'})"
    for index, site in enumerate(config.sites):
        yield from _of_one(index, site, kinds, remedy)
    yield from _circles(config)
    asked = {parent for site in config.sites for parent in site.parents}
    for index, site in enumerate(config.sites):
        if site.kind == "mid" and site.name not in asked:
            yield Problem(
                path=("site", index),
                message=f"{site.name!r} is a mid site that no site asks",
                remedy=f'add it to the parents of sites, parents = ["{site.name}"], or remove it',
                severity=Severity.WARNING,
                concerns=(("site", "parents"),),
            )


def _of_one(
    index: int, site: SiteTable, kinds: Mapping[str, str], remedy: str
) -> Iterator[Problem]:
    if site.kind == "external" and site.parents:
        yield Problem(
            path=("site", index, "parents"),
            message="an external site asks no parents",
            remedy="remove parents",
            concerns=(("site", index, "kind"),),
        )
        return
    for place, name in enumerate(site.parents):
        path = ("site", index, "parents", place)
        if name in site.parents[:place]:
            yield Problem(path, "the parent is named twice", "name it once", repr(name))
        elif name not in kinds:
            yield Problem(
                path, "there is no site of this name", remedy, repr(name), concerns=_SITES
            )
        elif kinds[name] != "mid":
            yield Problem(
                path,
                f"a parent must be a mid site, and this is of kind {kinds[name]}",
                remedy,
                repr(name),
                concerns=_SITES,
            )


def _circles(config: NetworkConfig) -> Iterator[Problem]:
    """Yield a problem for each parent through which a site would in the end ask itself."""
    indexes = {site.name: index for index, site in enumerate(config.sites)}
    done: set[str] = set()
    for site in config.sites:
        # The way from a site up; on it, each site with how many of its parents have been followed.
        way = [site.name] if site.name not in done else []
        followed = [0]
        while way:
            index = indexes[way[-1]]
            parents = config.sites[index].parents
            place = followed[-1]
            if place == len(parents):
                done.add(way.pop())
                followed.pop()
                continue
            followed[-1] += 1
            parent = parents[place]
            if parent in way:
                circle = " → ".join([*way[way.index(parent) :], parent])
                yield Problem(
                    path=("site", index, "parents", place),
                    value=repr(parent),
                    message=f"its servers would in the end ask themselves: {circle}",
                    remedy="remove one of these parents",
                    concerns=_SITES,
                )
            elif parent in indexes and parent not in done:
                way.append(parent)
                followed.append(0)
