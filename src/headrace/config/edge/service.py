"""The models of what is served: services, their origins, their cache keys and caching rules."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from headrace.config.base import FilePath, Model, Written
from headrace.config.edge.pools import (
    NOT_TO_ADD,
    FieldName,
    HostPattern,
    OriginText,
    Pool,
    PoolOrigin,
    RetryPolicy,
    Route,
)
from headrace.config.units import DurationS, SizeBytes
from headrace.http.methods import GET_OR_HEAD, USUAL
from headrace.http.validators import CONDITIONS

Method = Annotated[str, Field(pattern=r"^[A-Z][A-Z-]{0,31}$")]
PlainName = Annotated[FieldName, Field(pattern=r"^[A-Za-z0-9-]{1,128}$")]
MediaRange = Annotated[str, Field(pattern=r"^[a-z]+/(\*|[a-z0-9][a-z0-9.+-]*)$")]
_OWN_FIELDS = (
    NOT_TO_ADD
    | {name.decode() for name in CONDITIONS}
    | {"accept-encoding", "authorization", "range"}
)


class KeyRules(Model):
    """Which parts of a request distinguish one object from another."""

    query: Literal["keep", "drop"] = Field(
        default="keep",
        description="`keep` makes the query part of the key, `drop` leaves all of it out.",
    )
    keep: list[str] | None = Field(
        default=None,
        description="Only these query parameters are part of the key. Unset: all of them.",
    )
    drop: list[str] = Field(
        default=[],
        description="These query parameters are left out of the key. `CMCD` always is.",
    )
    sort: bool = Field(
        default=True, description="Sort the parameters, so that their order does not matter."
    )
    host: bool = Field(
        default=True,
        description="Keep the hosts of a service apart. Turn off where all its hosts serve the "
        "same; the origin then sees the first of them as Host, whichever was asked for.",
    )
    scheme: bool | None = Field(
        default=None,
        description="Keep http and https apart. Off: one copy serves both, and the origin is not "
        "told which it is for (no X-Forwarded-Proto). Unset: as `forwarded` is.",
    )
    request_fields: list[PlainName] = Field(
        default=[],
        description="Request fields that origins see and that distinguish objects:  `X-Device`. "
        "Others reach them only where a response's Vary names them, or nothing is shared.",
    )
    unkeyed_fields: list[PlainName] = Field(
        default=[],
        description="Request fields that origins see though they distinguish no objects. Any "
        "client can shape by them what all others get: only for what changes no answer.",
    )

    @field_validator("request_fields", "unkeyed_fields")
    @classmethod
    def _not_the_edges_own(cls, names: list[str]) -> list[str]:
        for name in names:
            if name.lower() in _OWN_FIELDS:
                raise ValueError(f"{name} is the edge's own business: leave it out")
        return names


class CacheRules(Model):
    """What is stored, for how long, and how long after that it may be served stale."""

    targeted: list[str] = Field(
        default=["Headrace-Cache-Control", "CDN-Cache-Control"],
        description="Response fields (RFC 9213) that replace Cache-Control here, first found wins.",
    )
    heuristic_fraction: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="Without an explicit lifetime, this share of the time since Last-Modified.",
    )
    heuristic_max_s: DurationS = Field(
        default=86400.0, description="The longest lifetime that is guessed."
    )
    default_lifetime_s: DurationS | None = Field(
        default=None,
        description="The lifetime when the response states none and none can be guessed. Unset: "
        "such a response is not stored.",
    )
    force_lifetime_s: DurationS | None = Field(
        default=None,
        description="The lifetime here whatever a storable response says. Unset: the response "
        "decides.",
    )
    negative_s: Annotated[
        dict[Annotated[int, Field(ge=300, le=599)], DurationS],
        Written("table of status to duration"),
    ] = Field(
        default={404: 1.0, 410: 10.0},
        description="Statuses whose responses are stored for so long if they state no lifetime. "
        "Errors that a request's form or sender may have caused (400, 401, 403, 405, 429…) are "
        "stored only if listed here.",
    )

    @field_validator("negative_s")
    @classmethod
    def _of_a_resource(cls, negative_s: dict[int, float]) -> dict[int, float]:
        for status in (304, 412, 416):
            if status in negative_s:
                raise ValueError(
                    f"{status} answers one request's condition or range and is never stored: "
                    "leave it out"
                )
        if 508 in negative_s:
            raise ValueError(
                "508 answers a loop that a client can claim in Via, and is never stored: "
                "leave it out"
            )
        return negative_s

    error_max_s: DurationS = Field(
        default=10.0,
        description="The longest that an error (4xx, 5xx) is stored, whatever it states; a longer "
        "figure in `negative` counts for its status.",
    )
    honour_request_directives: bool = Field(
        default=True,
        description="Obey Cache-Control in requests (`no-cache`, `max-age`…). Off: clients cannot "
        "force a trip to the origin.",
    )
    stale_while_revalidate_s: DurationS = Field(
        default=0.0,
        description="How long a stale response is served while it is renewed (RFC 5861), where "
        "the response does not say.",
    )
    stale_if_error_s: DurationS = Field(
        default=0.0,
        description="How long a stale response is served while the origin fails (RFC 5861), where "
        "the response does not say.",
    )
    stale_if_unreachable_s: DurationS | None = Field(
        default=None,
        description="How long a stale response is served while no origin can be reached, where the "
        "response does not say (RFC 9111 section 4.2.4). Never against `must-revalidate`, "
        "`proxy-revalidate`, `no-cache` or `s-maxage`. 0: not at all. Unset: as `stale_if_error`, "
        "or a minute where that is 0.",
    )
    store_set_cookie: bool = Field(
        default=False,
        description="Store responses that set cookies (the cookie itself is not stored). Off: "
        "they are not stored.",
    )
    store_post_answers: bool = Field(
        default=False,
        description="Answer GETs with a stored answer to POST (RFC 9110 section 9.3.3), if it has "
        "status 200, a Content-Location equal to its URL, an explicit lifetime and at most 1 MiB. "
        "Turn on only where an origin means that: one client's POST then shapes what others get.",
    )
    bypass_on_cookie: list[str] = Field(
        default=[],
        description="A request with one of these cookies goes to the origin and is not stored.",
    )
    cookie_in_request: Literal["ignore", "bypass"] = Field(
        default="ignore",
        description="What any cookie in a request does: `ignore` caches all the same (Vary and "
        "the response's directives still hold), `bypass` goes to the origin.",
    )
    accept_encodings: list[str] = Field(
        default=["br", "gzip"],
        description="Content codings kept apart where a response varies by Accept-Encoding, best "
        "first. All others count as none.",
    )
    languages: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,35}$")]] = Field(
        default=[],
        description="Languages kept apart where a response varies by Accept-Language. The origin "
        "is asked for the one that suits best, or none. Unset: as clients write it, but for "
        "order and case.",
    )
    media_types: list[MediaRange] = Field(
        default=[],
        description="Store successful responses only if their Content-Type is one of these: "
        "`video/*`. Unset: any.",
    )
    shared: bool = Field(
        default=True,
        description="Off: every request goes to the origin as the client made it, and nothing is "
        "stored.",
    )
    max_object_bytes: SizeBytes | None = Field(
        default=None, description="Larger bodies are passed through, not stored. Unset: no limit."
    )
    slice_bytes: SizeBytes | None = Field(
        default=None,
        ge=64 * 1024,
        description="Bodies under these rules are kept in files of this size; a power of two, at "
        "least 64KiB and no more than `store.slice`. What a range of an unknown object costs the "
        "origin is at most this. Unset: `store.slice`.",
    )

    @field_validator("slice_bytes")
    @classmethod
    def _power_of_two(cls, slice_bytes: int | None) -> int | None:
        if slice_bytes is not None and slice_bytes & (slice_bytes - 1):
            raise ValueError("a slice must be a power of two: write 64KiB, 256KiB, 1MiB…")
        return slice_bytes


class PathRule(CacheRules):
    """Caching rules for some paths of a service: what is set here replaces the service's own."""

    path: str = Field(
        description="The paths meant: `/live/*.m3u8`. A star matches any characters, slashes "
        "included. The path is looked at without parameters (`;x`) and without what follows an "
        "escaped slash, `?`, `#` or `;` in a segment. The first rule that matches wins."
    )

    @field_validator("path")
    @classmethod
    def _rooted(cls, path: str) -> str:
        if not path.startswith(("/", "*")):
            raise ValueError("a path pattern begins with / or *: write /live/*.m3u8")
        if "?" in path or "#" in path:
            raise ValueError("a path pattern has no query: rules match the path alone")
        return path

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        names = type(self).model_fields
        chosen = self.model_fields_set
        unset = {name for name in names if name not in chosen}
        unset |= {names[name].alias or name for name in unset}
        return {key: value for key, value in handler(self).items() if key not in unset}


class Service(Model):
    """A set of hosts, the origin they come from, and how they are cached."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="A unique short name; part of every cache key, in logs and metrics.",
    )
    hosts: list[HostPattern] = Field(
        min_length=1,
        description="Hosts served: `www.example.org`, `*.example.org` (any depth below), or `*` "
        "for whatever no other service claims. The most exact wins.",
    )
    origins: list[OriginText] = Field(
        default=[],
        description="Where the content comes from: `http(s)://host[:port][/prefix]`. Several are "
        "a pool called `default`, the first that is alive is asked. For more choice write "
        "`[[service.pool]]` tables instead.",
    )
    host_header: str = Field(
        default="client",
        min_length=1,
        description="The Host that the origin sees: `client` (what the client asked for), "
        "`origin` (the origin's own), or any other text as it is.",
    )
    methods: list[Method] = Field(
        default=[method.decode() for method in USUAL],
        description="Methods that reach the origin. Of the usual ones, others get 405; of all "
        "others, 501. `GET` and `HEAD` are always among them.",
    )
    path_normalisation: Literal["resolve", "refuse"] = Field(
        default="resolve",
        description="What is done with `/../` and `/./` in paths: `resolve` them, or `refuse` "
        "them, and escaped slashes, with 400.",
    )
    forwarded: bool = Field(
        default=True,
        description="Tell the origin about the client: X-Forwarded-For, -Proto and -Host.",
    )
    server_timing: bool = Field(
        default=False, description="Add Server-Timing to responses, for measuring players."
    )
    debug: bool = Field(
        default=False, description="Show the cache key and more detail in Cache-Status."
    )
    origin_ca: FilePath | None = Field(
        default=None,
        description="PEM file of the authorities trusted for https origins. Unset: the system's.",
    )
    origin_verify: bool = Field(
        default=True,
        description="Verify the certificates of https origins. Turn off in tests only.",
    )
    key: KeyRules = Field(default_factory=KeyRules, description="The cache key.")
    cache: CacheRules = Field(default_factory=CacheRules, description="Caching rules.")
    rules: list[PathRule] = Field(
        default=[], description="Caching rules for some paths, first match wins."
    )
    pools: list[Pool] = Field(
        default=[],
        description="Pools of origins. Without `origins`, the first is asked unless a route names "
        "another.",
    )
    retries: list[RetryPolicy] = Field(default=[], description="When requests are tried again.")
    routes: list[Route] = Field(
        default=[], description="Which requests go to which pool, in order."
    )

    @field_validator("methods")
    @classmethod
    def _reads(cls, methods: list[str]) -> list[str]:
        for method in ("CONNECT", "TRACE"):
            if method in methods:
                raise ValueError(f"{method} is not served by this edge: leave it out")
        for method in (always.decode() for always in GET_OR_HEAD):
            if method not in methods:
                raise ValueError(f"{method} is always served: add it")
        return methods

    @model_validator(mode="after")
    def _has_origins(self) -> Self:
        if not self.origins and not self.pools:
            raise ValueError(
                "there is no origin: write origins = [...] or add a [[service.pool]] table"
            )
        return self

    @property
    def all_pools(self) -> list[Pool]:
        """The pools; the first is asked when no route says otherwise."""
        if not self.origins:
            return self.pools
        origins = [PoolOrigin(url=url) for url in self.origins]
        simple = Pool(name="default", origin=origins)
        return [simple, *self.pools]

    def cache_under(self, rule: PathRule | None) -> CacheRules:
        """Return the caching rules in force for paths that `rule` matches; None: no rule
        matched.
        """
        if rule is None:
            return self.cache
        overrides = {name: getattr(rule, name) for name in rule.model_fields_set if name != "path"}
        return self.cache.model_copy(update=overrides)
