"""Tables that configurations of the demo and of a lab have in common. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from headrace.lab.assets import PROBE_PATH

CLASS = "video"
SETTLED_SOON = """\
# A server that has failed often is kept out for half a minute, not for half an hour.
[states]
successes = 3
ramp = "6s"
half_life = "20s"
suppress = 2000
longest_suppress = "30s"
"""
"""Of an observer, where somebody watches."""


def classes() -> list[str]:
    """Return what a description says of content: every server has what it is probed for itself, so
    that its answer says nothing of other servers.
    """
    return [
        f'[[class]]\nname = "probes"\npaths = ["{PROBE_PATH}"]\ntiering = false\n',
        f'[[class]]\nname = "{CLASS}"\nstore = "own"\nttl = "3s"\n',
    ]


def service(origins: Mapping[str, str]) -> str:
    """Return the service of an edge; its origins are URLs by name."""
    lines = (
        f'[[service.pool.origin]]\nname = "{name}"\nurl = "{url}"\n'
        for name, url in origins.items()
    )
    return (
        f'[[service]]\nname = "{CLASS}"\nhosts = ["*"]\n\n[service.key]\nhost = false\n\n'
        '[[service.pool]]\nname = "origins"\n' + "\n".join(lines)
    )


def admin(listen: object, token_file: Path) -> str:
    """Return where an admin API answers, and to whom."""
    return f'[admin]\nlisten = "{listen}"\ntoken_file = "{token_file}"\n'


def network(description: Path, secret_file: Path) -> str:
    """Return which network a node is of. More keys of this table may follow."""
    return f'[network]\nfile = "{description}"\nsecret_file = "{secret_file}"\n'


def follows(observers: Iterable[str]) -> str:
    """Return whose view a node follows, as a key of the network's table; nobody's where there are
    no observers.
    """
    urls = ", ".join(f'"{url}"' for url in observers)
    return f"view_from = [{urls}]\n" if urls else ""


def observers(urls: Mapping[str, str]) -> str:
    """Return the observers of a network, by name."""
    return "\n".join(
        f'[[observer]]\nnode_id = "{name}"\nurl = "{url}"\n' for name, url in urls.items()
    )


def routers(urls: Mapping[str, str]) -> str:
    """Return the request routers that an observer asks, by name."""
    return "\n".join(
        f'[[router]]\nname = "{name}"\nadmin = "{url}"\n' for name, url in urls.items()
    )


def probe(kind: str, host: str, sha256: str) -> str:
    """Return what a server is asked for: a `probe` of an observer, a `check` of what announces."""
    return f'[[{kind}]]\nhost = "{host}"\npath = "{PROBE_PATH}"\nsha256 = "{sha256}"\n'
