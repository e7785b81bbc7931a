"""What a client of the edge's admin API asks for: the models, and what they mean."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.edge.admin.store_admin import PurgeKind
from headrace.node.admin.problem import ProblemError

TARGETS: tuple[PurgeKind, ...] = ("url", "prefix", "tag", "all")
LARGEST_LISTING = 1000
USUAL_LISTING = 100

Text = Annotated[str, Meta(min_length=1)]


class PurgeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to purge: exactly one of url, prefix, tag and all."""

    url: Annotated[Text | msgspec.UnsetType, Meta(description="One URL, all its variants.")] = (
        msgspec.UNSET
    )
    prefix: Annotated[Text | msgspec.UnsetType, Meta(description="The beginning of URLs.")] = (
        msgspec.UNSET
    )
    tag: Annotated[Text | msgspec.UnsetType, Meta(description="A Surrogate-Key or Cache-Tag.")] = (
        msgspec.UNSET
    )
    all: Annotated[
        bool | msgspec.UnsetType, Meta(description="Everything.", extra_json_schema={"const": True})
    ] = msgspec.UNSET
    soft: Annotated[bool, Meta(description="Mark stale instead of forgetting.")] = False
    service: Annotated[Text | None, Meta(description="Only this service.")] = None

    @property
    def target(self) -> tuple[PurgeKind, str]:
        """What is named: its kind, and the URL, prefix or tag as given, empty for all.

        Raises ProblemError when that is not exactly one.
        """
        named = [kind for kind in TARGETS if getattr(self, kind) is not msgspec.UNSET]
        if len(named) != 1:
            given = " and ".join(named) if named else "none"
            raise ProblemError(
                422, f"give exactly one of url, prefix, tag or all; {given} was given"
            )
        (kind,) = named
        if kind != "all":
            return kind, getattr(self, kind)
        if self.all is not True:
            raise ProblemError(422, "all must be true: it purges everything", field="all")
        return kind, ""


class ListRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page of the stored objects."""

    prefix: Annotated[str | None, Meta(description="Only URLs that begin so.")] = None
    limit: Annotated[int, Meta(ge=1, le=LARGEST_LISTING, description="Objects in a page.")] = (
        USUAL_LISTING
    )
    cursor: Annotated[str | None, Meta(description="Of the page before.")] = None


class UrlRequest(msgspec.Struct, frozen=True):
    """Which object."""

    url: Annotated[
        str, Meta(min_length=1, description="The whole URL.", examples=["http://host/path"])
    ]


class PurgesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many purges."""

    limit: Annotated[int, Meta(ge=1, le=LARGEST_LISTING, description="Purges listed.")] = (
        USUAL_LISTING
    )
