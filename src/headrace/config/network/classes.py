"""The model of a class of content: which requests it means, and how the network treats them."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from headrace.config.base import Model
from headrace.config.edge.pools import ContentType, HostPattern
from headrace.config.network.safe_patterns import check_pattern
from headrace.config.network.words import Name
from headrace.config.units import DurationS

_PathPattern = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[/*][\x21-\x7e]*$")]
_TEMPLATE = re.compile(r"(?:[\x21-\x7a|\x7e]|\{([A-Za-z_][A-Za-z0-9_]{0,63})\})+")
_NAME_IN_TEMPLATE = re.compile(r"\{([^}]*)\}")


def names_in(template: str) -> list[str]:
    """Return the names that stand in braces in a template. Raises ValueError where braces have
    none.
    """
    if not _TEMPLATE.fullmatch(template):
        raise ValueError(
            "not a template: write visible ASCII, with names in braces, such as "
            "{programme}/{version}"
        )
    return _NAME_IN_TEMPLATE.findall(template)


class WideningTable(Model):
    """When a popular shard is held by more servers of a site than one."""

    above: float = Field(
        default=0.25,
        gt=0,
        le=10,
        description="The width doubles when each server that holds the shard would serve more of "
        "it than this share of what a server serves on average.",
    )
    below: float = Field(
        default=0.1,
        ge=0,
        le=10,
        description="It halves when each would serve less than this share. Well below half of "
        "`above`, or it goes back and forth.",
    )
    most: int | None = Field(
        default=None, ge=1, le=1000, description="The widest. Unset: all servers of the site."
    )

    @model_validator(mode="after")
    def _has_hysteresis(self) -> Self:
        if self.below * 2 > self.above:
            raise ValueError(
                "a shard that was just widened would be narrowed at once: make below at most half "
                "of above"
            )
        return self


class ClassTable(Model):
    """Requests that are treated alike. The first class that matches is a request's."""

    name: Name = Field(description="A unique short name.")
    hosts: list[HostPattern] = Field(
        default=[],
        max_length=10_000,
        description="Only these hosts: `vod.example.org`, `*.example.org`. Unset: all.",
    )
    paths: list[_PathPattern] = Field(
        default=[],
        max_length=1000,
        description="Only these paths: `/vod/*`. A star matches any characters. Unset: all.",
    )
    kinds: list[ContentType] = Field(
        default=[],
        max_length=64,
        description="Only these kinds of content, known by the path's ending: `manifest`, "
        "`segment`, `key`, `captions`, `image`, `other`, or media types: `video/mp4`, `image/*`. "
        "Unset: all.",
    )
    shard_pattern: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        description="A regular expression that the path must match from its start, with named "
        "groups for `shard_key`: `/vod/(?P<programme>[^/]+)/(?P<version>[^/]+)/`. It must be one "
        "that no path can keep busy: no backreferences, no look-around, no repeated groups.",
    )
    shard_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        description="What a shard is called, and so which requests stay together: a template with "
        "`{path}` and the groups of `shard_pattern`: `{programme}/{version}`. Unset: `{path}`, so "
        "that every object is by itself.",
    )
    replicas: int = Field(
        default=1, ge=1, le=64, description="How many servers of a site hold a shard at least."
    )
    widening: WideningTable | None = Field(
        default=None, description="Unset: shards are not widened."
    )
    tiering: bool = Field(
        default=True,
        description="Ask the shard's owner in the site, and then mid sites, before the origins.",
    )
    store: Literal["own", "popular", "always"] = Field(
        default="own",
        description="What a server stores of what another server of its site owns: nothing "
        "(`own`), what has been asked for often (`popular`), or everything (`always`).",
    )
    popular_after: int = Field(
        default=3, ge=1, le=255, description="After how many requests `popular` stores."
    )
    external: bool = Field(default=True, description="Whether external sites may carry it.")
    redirect: Literal[302, 307] = Field(
        default=302, description="The status that clients are redirected with."
    )
    server_host: str | None = Field(
        default=None,
        max_length=253,
        description="The name that clients are sent to; `{server}` stands for the server's name. "
        "Unset: the server's own host.",
    )
    ttl_s: DurationS = Field(
        default=30.0,
        ge=0,
        le=86400,
        description="How long an answer about it holds: in DNS, and for applications.",
    )

    @field_validator("shard_pattern")
    @classmethod
    def _cannot_keep_busy(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            check_pattern(pattern)
        return pattern

    @field_validator("shard_key")
    @classmethod
    def _is_a_template(cls, template: str | None) -> str | None:
        if template is not None:
            names_in(template)
        return template

    @field_validator("server_host")
    @classmethod
    def _names_the_server(cls, template: str | None) -> str | None:
        for name in names_in(template) if template is not None else ():
            if name != "server":
                raise ValueError(f"{{{name}}} is not known here: write {{server}}")
        return template

    @model_validator(mode="after")
    def _key_fits_the_pattern(self) -> Self:
        if self.shard_pattern is not None and self.shard_key is None:
            raise ValueError(
                "shard_pattern alone changes nothing: add shard_key, with groups of the pattern"
            )
        groups = re.compile(self.shard_pattern or "").groupindex
        for name in names_in(self.shard_key) if self.shard_key is not None else ():
            if name not in {"host", "path", *groups}:
                raise ValueError(
                    f"shard_key has {{{name}}}, which is no named group of shard_pattern: name the "
                    f"group (?P<{name}>…), or write {{path}} or {{host}}"
                )
        if self.widening is not None and (self.widening.most or 1000) < self.replicas:
            raise ValueError("a shard would be narrower than its replicas: raise widening.most")
        return self
