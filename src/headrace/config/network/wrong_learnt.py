"""Problems of coverage that is learnt from the ISP. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from headrace.config.locate import TomlPath
from headrace.config.network.learnt import LearntTable
from headrace.config.network.model import NetworkConfig
from headrace.config.problems import Problem, Severity


def wrong_learnt(config: NetworkConfig) -> Iterator[Problem]:
    """Yield every such problem; warnings are among them."""
    edges = [site.name for site in config.sites if site.kind == "edge"]
    files = _files_of_prefixes(config)
    for index, coverage in enumerate(config.coverage):
        learnt = coverage.learnt
        if learnt is None:
            continue
        path: TomlPath = ("coverage", index, "learnt")
        if learnt.site not in edges:
            yield Problem(
                path=(*path, "site"),
                value=repr(learnt.site),
                message="there is no edge site of this name",
                remedy=f"name one of {', '.join(edges[:10])}" if edges else "add a [[site]]",
                concerns=(("site", "name"), ("site", "kind")),
            )
        elif learnt.site not in {choice.name for choice in coverage.sites}:
            yield Problem(
                path=(*path, "site"),
                value=repr(learnt.site),
                message="the site hears whose clients these are, but does not serve them",
                remedy="add it to the sites of this coverage, or learn at one of those",
                concerns=(("coverage", index, "sites"),),
            )
        yield from _bounds(path, learnt)
        other = files.setdefault(learnt.file, path)
        if other != path:
            yield Problem(
                path=(*path, "file"),
                value=repr(str(learnt.file)),
                message="this file is another table's already",
                remedy="give each a file of its own: this one is replaced by what is learnt",
                concerns=(other,),
            )
        if not any(one.vip_listener for one in config.servers if one.site == learnt.site):
            yield Problem(
                path=(*path, "site"),
                value=repr(learnt.site),
                message="no server of the site has a vip_listener, so no node learns from it",
                remedy="add vip_listener to its servers, or write the file in another way",
                severity=Severity.WARNING,
                concerns=(("server", "vip_listener"), ("server", "site")),
            )


def _files_of_prefixes(config: NetworkConfig) -> dict[Path, TomlPath]:
    """Return the files that people write, which nothing may replace."""
    places = [("network", index, one.prefix_file) for index, one in enumerate(config.networks)]
    places += [("coverage", index, one.prefix_file) for index, one in enumerate(config.coverage)]
    return {file: (key, index, "prefix_file") for key, index, file in places if file is not None}


def _bounds(path: TomlPath, learnt: LearntTable) -> Iterator[Problem]:
    if not learnt.within and not learnt.origin_as:
        yield Problem(
            path=path,
            message="nothing says whose clients these may be: a router could take those of anybody",
            remedy="add within, the ISP's blocks of addresses, or origin_as, its AS numbers",
            concerns=((*path, "within"), (*path, "origin_as")),
        )
    for family in ("v4", "v6"):
        shortest, longest = (getattr(learnt, f"{end}_{family}") for end in ("shortest", "longest"))
        if shortest > longest:
            yield Problem(
                path=(*path, f"shortest_{family}"),
                value=str(shortest),
                message=f"the longest prefix taken is of {longest} bits",
                remedy=f"write at most longest_{family}",
                concerns=((*path, f"longest_{family}"),),
            )
