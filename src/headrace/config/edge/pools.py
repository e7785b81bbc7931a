"""The models of where content comes from: pools of origins, retry policies, routes between them."""

from __future__ import annotations

import fnmatch
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from headrace.config.base import FilePath, Model
from headrace.config.units import DurationS, SizeBytes
from headrace.http.hosts import normalise_host_pattern
from headrace.http.origin_url import parse_origin_url

ShortName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
FieldName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$")]
FieldValue = Annotated[str, Field(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$|^$")]
Status = Annotated[int, Field(ge=200, le=599)]
FailureWord = Literal[
    "dns", "connect_refused", "connect_timeout", "tls", "send", "first_byte_timeout",
    "reset_before_head", "invalid_response",
]  # fmt: skip
CONTENT_KINDS = ("manifest", "segment", "key", "captions", "image", "other")
ALL_FAILURES: tuple[FailureWord, ...] = (
    "dns", "connect_refused", "connect_timeout", "tls", "send", "first_byte_timeout",
    "reset_before_head", "invalid_response",
)  # fmt: skip


NOT_TO_ADD = frozenset(
    ("host", "connection", "content-length", "expect", "keep-alive", "te", "trailer",
     "transfer-encoding", "upgrade", "via")
)  # fmt: skip
_MEDIA_TYPE = re.compile(r"[a-z]+/([a-z0-9][a-z0-9.+-]*|\*)")
_REWRITE = re.compile(r"(?:[\x21-\x5b\x5d-\x7e]|\\[0-9]{1,2})*")


def _origin_text(text: str) -> str:
    return str(parse_origin_url(text))


def _path_text(text: str) -> str:
    if not text.startswith("/") or not text.isascii() or " " in text:
        raise ValueError("a path begins with / and has no blanks: write /health")
    return text


def _content_type(text: str) -> str:
    if text not in CONTENT_KINDS and not _MEDIA_TYPE.fullmatch(text):
        raise ValueError(
            f"no kind of content: write one of {', '.join(CONTENT_KINDS)}, "
            "or a media type such as video/mp4 or image/*"
        )
    return text


HostPattern = Annotated[str, AfterValidator(normalise_host_pattern)]
OriginText = Annotated[str, AfterValidator(_origin_text)]
PathText = Annotated[str, AfterValidator(_path_text)]
ContentType = Annotated[str, AfterValidator(_content_type)]


class Signing(Model):
    """Signs requests for an S3-compatible store (AWS Signature Version 4)."""

    access_key: str = Field(min_length=1, description="The access key's name.")
    secret_key: str | None = Field(
        default=None,
        min_length=1,
        repr=False,
        description="The secret key. Better: `secret_file`.",
    )
    secret_file: FilePath | None = Field(
        default=None, description="A file with the secret key, read at start and at each reload."
    )
    region: str = Field(default="us-east-1", min_length=1, description="The store's region.")
    service: str = Field(default="s3", min_length=1, description="The service's name.")
    signed_query: list[str] = Field(
        default=[],
        description="Query parameters that a signed request may have: `versionId`. A request with "
        "any other is refused. Mind that `acl`, `uploads` or `response-content-type` let "
        "every client use them with this key.",
    )
    bucket: Literal["path", "host"] | None = Field(
        default=None,
        description="Where the bucket is named if the URL has no path: in the request's `path` or "
        "in the `host`. Unset: in a host such as `bucket.s3.example.net`, else in the path.",
    )

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if (self.secret_key is None) == (self.secret_file is None):
            raise ValueError("give the secret once: set secret_file, or secret_key")
        return self


class PoolOrigin(Model):
    """One origin server of a pool."""

    url: OriginText = Field(description="Where it is: `http(s)://host[:port][/prefix]`.")
    name: ShortName | None = Field(
        default=None, description="Its name in logs and metrics. Unset: the host and port."
    )
    weight: float = Field(
        default=1.0, gt=0, le=1000, description="Its share, where the pool's choice is weighted."
    )
    backup: bool = Field(
        default=False,
        description="Ask it only when no other origin of the pool can be asked.",
    )
    host: str | None = Field(
        default=None,
        pattern=r"^[\x21-\x7e]+$",
        description="The Host it sees: `client`, `origin`, or any other text. Unset: the service's "
        "`host_header`.",
    )
    sni: str | None = Field(
        default=None,
        min_length=1,
        description="The server name for TLS, which its certificate must have. Unset: the URL's.",
    )
    headers: dict[FieldName, FieldValue] = Field(
        default={},
        repr=False,
        description="Request fields to add for it, replacing the client's.",
    )
    ca: FilePath | None = Field(
        default=None,
        description="PEM file of the authorities trusted for it. Unset: the service's.",
    )

    verify: bool | None = Field(
        default=None, description="Verify its certificate. Unset: as the service does."
    )
    concurrent: int = Field(
        default=1024, ge=1, description="Requests each worker sends it at the same time, at most."
    )
    switching: bool = Field(
        default=True,
        description="When it fails, in the middle of a body too, continue from another origin.",
    )
    signing: Signing | None = Field(
        default=None, repr=False, description="Unset: requests are not signed."
    )

    @field_validator("headers")
    @classmethod
    def _may_be_added(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if name.lower() in NOT_TO_ADD:
                raise ValueError(f"{name} is the edge's own business: for Host set host")
        return headers


class HealthCheck(Model):
    """A request that each worker sends to every origin of the pool from time to time."""

    path: PathText = Field(description="What to ask for.")
    interval_s: DurationS = Field(default=5.0, gt=0, description="How often.")
    timeout_s: DurationS = Field(default=2.0, gt=0, description="How long an answer may take.")
    statuses: list[Status] = Field(
        default=[200], min_length=1, description="The statuses that are good."
    )
    body: str | None = Field(
        default=None, description="A text that the body must have in it (first 64 KiB)."
    )
    rise: int = Field(default=2, ge=1, description="Good answers in a row that bring it back.")
    fall: int = Field(default=3, ge=1, description="Bad ones in a row that take it out.")


class Outliers(Model):
    """Leaves an origin alone for a while when too many requests to it fail.

    Failures that a request can have caused (a reset, an error status) count only from several
    objects and several clients, so that one of them cannot take an origin away from all others.
    """

    failures: int = Field(
        default=5, ge=0, description="Failures within `window` that eject an origin. 0: never."
    )
    share: float = Field(
        default=0.5, gt=0, le=1, description="The share of its requests that they must be."
    )
    window_s: DurationS = Field(
        default=10.0, gt=0, le=3600, description="The time over which they are counted."
    )
    paths: int = Field(
        default=3, ge=0, le=100, description="From how many different objects they must come."
    )
    clients: int = Field(
        default=3,
        ge=0,
        le=100,
        description="From how many client addresses (IPv6: /64 networks) they must come. 1 where "
        "all requests come through one proxy.",
    )
    ejection_s: DurationS = Field(
        default=10.0, gt=0, description="For how long at first; longer each time it fails again."
    )
    most: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="The share of a pool that may be ejected, at most; never its last origin.",
    )


class Pool(Model):
    """Origins that have the same content."""

    name: ShortName = Field(description="A name, unique in its service.")
    choice: Literal["first", "weighted", "consistent"] = Field(
        default="first",
        description="`first` asks the first that is alive, `weighted` spreads by weight, "
        "`consistent` asks the same one for the same object.",
    )
    same: Literal["etag", "modified", "overlap"] = Field(
        default="etag",
        description="What proves that two origins have the same body: an equal strong `etag`, "
        "equal Last-Modified and length (`modified`), or equal length and last bytes (`overlap`).",
    )
    overlap_bytes: SizeBytes = Field(
        default=4096, gt=0, le=1048576, description="How many last bytes `overlap` compares."
    )
    retry_budget: float = Field(
        default=0.2, ge=0, le=10, description="Retries, as a share of requests, at most."
    )
    slow_start_s: DurationS = Field(
        default=0.0, description="An origin that returns gets its share bit by bit for so long."
    )
    origins: list[PoolOrigin] = Field(
        alias="origin", min_length=1, description="Its origins, in order."
    )
    health: HealthCheck | None = Field(default=None, description="Unset: none are checked.")
    outliers: Outliers = Field(default_factory=Outliers, description="Ejection.")


class RetryPolicy(Model):
    """When a request to a pool is tried again."""

    name: ShortName = Field(description="A name, unique in its service. `default` is for all.")
    retry_on: list[FailureWord] = Field(
        default=list(ALL_FAILURES), description="Failures after which to try again."
    )
    retry_statuses: list[Status] = Field(
        default=[500, 502, 503, 504],
        description="Statuses after which to try again; add 404 for live segments that one "
        "packager has before the other.",
    )
    tries: int | None = Field(
        default=None, ge=1, le=100, description="At most. Unset: as many as the pool has origins."
    )
    backoff_s: DurationS = Field(
        default=0.1,
        description="When all have been tried: a random pause up to this, doubled each time.",
    )
    backoff_most_s: DurationS = Field(default=2.0, description="The longest such pause.")
    total_s: DurationS = Field(
        default=30.0, gt=0, description="No try begins later than this, nor takes longer."
    )
    min_rate_bytes_per_s: SizeBytes = Field(
        default=0, description="A body that comes slower than this has failed. 0: never."
    )
    stall_s: DurationS | None = Field(
        default=None,
        gt=0,
        description="The time over which `min_rate` is measured, and that may pass without a "
        "byte. Unset: `timeouts.origin_between_bytes`.",
    )


class Route(Model):
    """Sends some requests to another pool. The first that matches and names a pool decides."""

    name: ShortName = Field(description="A name, unique in its service; shown by `explain`.")
    hosts: list[HostPattern] = Field(default=[], description="Only these hosts. Unset: all.")
    path: str | None = Field(
        default=None,
        description="Only these paths: `/live/*.m3u8`. A star matches any characters.",
    )
    prefix: PathText | None = Field(
        default=None, description="Only paths that begin so. What follows is `\\1` for `rewrite`."
    )
    regex: str | None = Field(
        default=None,
        description="Only paths that match as a whole; groups are `\\1`… for `rewrite`.",
    )
    types: list[ContentType] = Field(
        default=[],
        description="Only these kinds of content, known by the path's ending: `manifest`, "
        "`segment`, `key`, `captions`, `image`, `other`, or media types: `video/mp4`, `image/*`.",
    )
    query: dict[str, str] = Field(
        default={}, description="Query parameters, each with a glob for its value."
    )
    headers: dict[FieldName, str] = Field(
        default={}, description="Request fields, each with a glob for its value."
    )
    share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Only this share of the objects, always the same ones.",
    )
    pool: ShortName | None = Field(
        default=None, description="The pool to ask. Unset: continue with the next route."
    )
    retry: ShortName | None = Field(default=None, description="The retry policy. Unset: as before.")
    rewrite: str | None = Field(
        default=None, description="The path to ask for instead, such as `/new/\\1`."
    )
    mirror: ShortName | None = Field(
        default=None, description="A pool to ask as well, only to compare what it answers."
    )

    @field_validator("rewrite")
    @classmethod
    def _only_groups(cls, rewrite: str | None) -> str | None:
        if rewrite is not None and not _REWRITE.fullmatch(rewrite):
            raise ValueError(
                "rewrite has visible ASCII and groups such as \\1: escape other characters as %XX"
            )
        return rewrite

    @field_validator("regex")
    @classmethod
    def _compiles(cls, regex: str | None) -> str | None:
        if regex is not None:
            try:
                re.compile(regex)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from None
        return regex

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if sum(given is not None for given in (self.path, self.prefix, self.regex)) > 1:
            raise ValueError("a route has one of path, prefix and regex: remove the others")
        if self.pool is None and self.retry is None and self.mirror is None:
            raise ValueError("a route that changes nothing: name a pool, a retry or a mirror")
        if self.rewrite is not None:
            if self.pool is None and self.mirror is None:
                raise ValueError("rewrite is for the pool that the route names: add pool")
            pattern = self.pattern
            try:
                if pattern is not None:
                    _check_groups(re.compile(pattern), self.rewrite)
                    re.compile(pattern).sub(self.rewrite, "")
            except (re.error, IndexError) as error:
                raise ValueError(f"rewrite does not fit the pattern: {error}") from None
            if not self.rewrite.startswith("/"):
                raise ValueError("rewrite is a whole path, so it begins with /")
        return self

    @property
    def pattern(self) -> str | None:
        """What the whole path must match, as a regular expression."""
        if self.regex is not None:
            return self.regex
        if self.prefix is not None:
            return re.escape(self.prefix) + "(.*)"
        if self.path is not None:
            return fnmatch.translate(self.path)
        return None


def _check_groups(pattern: re.Pattern[str], rewrite: str) -> None:
    """Raises re.error when `rewrite` uses a group that the pattern does not have."""
    for number in re.findall(r"\\(\d{1,2})", rewrite):
        if int(number) > pattern.groups:
            raise re.error(f"there is no group {number}")
