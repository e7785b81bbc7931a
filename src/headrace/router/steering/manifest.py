"""The steering manifest: one JSON for HLS (rfc8216bis section 7) and DASH (ETSI TS 103 998).

Every URL in it is absolute: Shaka Player takes no other RELOAD-URI. The priority is never empty
and names no pathway twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

import msgspec

from headrace.router.steering.choose import Known, Option

PATH = "/v1/steering"
TOLD, SLOW = "told", "slow"


class Replacement(msgspec.Struct, rename="upper"):
    """What a clone changes in its base's URLs."""

    host: str


class Clone(msgspec.Struct, rename={"base_id": "BASE-ID", "id": "ID", "uris": "URI-REPLACEMENT"}):
    """A pathway made from another one."""

    base_id: str
    id: str
    uris: Replacement


class Manifest(
    msgspec.Struct,
    omit_defaults=True,
    rename={
        "version": "VERSION",
        "ttl": "TTL",
        "reload_uri": "RELOAD-URI",
        "priority": "PATHWAY-PRIORITY",
        "clones": "PATHWAY-CLONES",
    },
):
    """The document."""

    version: int
    ttl: int
    reload_uri: str
    priority: list[str]
    clones: list[Clone] = []


def manifest(
    options: Sequence[Option],
    named: Sequence[str],
    rest: Sequence[str],
    *,
    ttl: int,
    reload_uri: str,
) -> Manifest:
    """Return the document for pathways in order; those in `rest` come behind them.

    Clones are made from the first pathway that the playlist names.
    """
    clones = [
        Clone(named[0], option.pathway, Replacement(option.host))
        for option in options
        if option.host and named
    ]
    priority = list(dict.fromkeys([*(option.pathway for option in options), *rest]))
    return Manifest(1, ttl, reload_uri, priority, clones)


def reload_uri(base: str, url: str, named: Sequence[str], need: str | None, known: Known) -> str:
    """Return where a player asks next, with what must be known then."""
    parameters = {"url": url}
    if named:
        parameters["pathways"] = ",".join(named)
    if need is not None:
        parameters["need"] = need
    if known.told:
        parameters[TOLD] = known.told
    if known.slow:
        parameters[SLOW] = ",".join(known.slow)
    return f"{base}{PATH}?{urlencode(parameters, quote_via=quote, safe=',')}"
