"""Maintenance that is known before: its model, and what is wrong with it beside other tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field

from headrace.config.base import Model, Written
from headrace.config.locate import TomlPath
from headrace.config.network.words import Name
from headrace.config.problems import Problem
from headrace.config.units import DurationS

_EXAMPLE = "2026-12-01T02:00:00+01:00"


def _moment(value: object) -> datetime:
    """Return the moment that is written. Raises ValueError, with the remedy."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(
            f"not a moment: write date, time and offset from UTC: {_EXAMPLE}"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"a time without its offset from UTC: write {_EXAMPLE}, or end it with Z")
    return moment


Moment = Annotated[datetime, BeforeValidator(_moment), Written("date and time with offset")]


class WithdrawalTable(Model):
    """Maintenance that is known before: a server, or all of a site, is left alone for a time. The
    feedback loop sees to it."""

    server: Name | None = Field(default=None, description="The server.")
    site: Name | None = Field(default=None, description="Or the site: all of its servers.")
    from_: Moment = Field(
        alias="from", description=f"When it begins: `{_EXAMPLE}`, with the offset from UTC."
    )
    until: Moment = Field(description="When it ends: then they return by themselves.")
    drain_s: DurationS = Field(
        default=0.0,
        ge=0,
        le=7 * 86_400,
        description="How long before it begins they get no new clients: as long as a client stays.",
    )
    reason: str = Field(default="", max_length=300, description="Why, for people.")


def wrong_withdrawals(
    withdrawals: Sequence[WithdrawalTable], servers: Collection[str], sites: Mapping[str, str]
) -> Iterator[Problem]:
    """Yield a problem for each withdrawal of nothing, of what is not there, or that ends before it
    begins. `sites` are their kinds by name.
    """
    for index, one in enumerate(withdrawals):
        path: TomlPath = ("withdrawal", index)
        if (one.server is None) == (one.site is None):
            yield Problem(
                path,
                "it is of one server or of one site",
                "write either server or site",
                concerns=((*path, "server"), (*path, "site")),
            )
        elif one.server is not None and one.server not in servers:
            yield Problem(
                (*path, "server"),
                "there is no server of this name",
                "name a [[server]], or remove the withdrawal",
                repr(one.server),
                concerns=(("server", "name"),),
            )
        elif one.site is not None and sites.get(one.site, "external") == "external":
            yield Problem(
                (*path, "site"),
                "an external site has no servers to withdraw"
                if one.site in sites
                else "there is no site of this name",
                "name an edge or a mid site, or remove the withdrawal",
                repr(one.site),
                concerns=(("site", "name"), ("site", "kind")),
            )
        if one.until <= one.from_:
            yield Problem(
                (*path, "until"),
                "it ends before it begins",
                "write a later time",
                one.until.isoformat(),
                concerns=((*path, "from"),),
            )
