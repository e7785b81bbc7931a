"""From a request's host and target to its service, its rules and its cache key, remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from headrace.bounded import BoundedMemory
from headrace.cache.key import key_hash, key_of_target, upstream_target
from headrace.cache.rules import CacheRules
from headrace.edge.service.services import Service, Services
from headrace.http.message import Request
from headrace.http.parser import BadRequest, RequestHead
from headrace.http.target import BadTarget, is_doubtful, normalise_target
from headrace.reasons import Reason

HostAndTarget = tuple[bytes | None, bytes]

LIMIT_BYTES = 16 * 1024 * 1024
"""For the plain side of a worker, and as much for its TLS side: some 10,000 usual resources
each."""

RESOURCE_BYTES = 800  # the object, its hash and what is around its texts


class Hot(Protocol):
    """A prepared answer, made from the resource and above it: `hot.HotEntry`."""

    def end(self) -> None:
        """Release what it holds."""


@dataclass(slots=True)
class Resource:
    """Where a target leads. `hot` is its prepared answer when it has one and does not vary.

    `upstream_target` is what origins are asked for when the answer is shared; `keyed_query` is its
    query.
    """

    service: Service
    rules: CacheRules
    scheme: bytes
    authority: bytes
    path: bytes
    query: bytes | None
    key: bytes
    key_hash: bytes
    upstream_target: bytes
    keyed_query: bytes | None
    hot: Hot | None = None
    vary: tuple[bytes, ...] | None = None
    pass_until: float = field(default=0.0)
    pass_reason: Reason = Reason.NONE  # why the answer before was not to be stored

    def request(self, head: RequestHead) -> Request:
        """Return the parsed request with its normalised target."""
        return Request(
            head.method, head.target, self.scheme, self.authority, self.path, self.query,
            head.version, head.headers,
        )  # fmt: skip


class NoService(BadRequest):
    """No service serves this host (RFC 9110 section 15.5.20)."""

    def __init__(self, authority: bytes) -> None:
        host = authority.decode("latin-1") or "a request without a host"
        super().__init__(421, f"no service here serves {host}")


class Misdirected(BadRequest):
    """The connection is another host's (RFC 9110 sections 7.4 and 15.5.20)."""

    def __init__(self, authority: bytes) -> None:
        host = authority.decode("latin-1")
        super().__init__(421, f"the certificate of this connection does not cover {host}")


def cost(asked: HostAndTarget, resource: Resource) -> int:
    """Return the bytes that a resource holds: each text of it may be as long as a request may
    be. A hot entry, which may come and go, is counted where those are kept.
    """
    host, target = asked
    query = resource.query or b""
    return (
        RESOURCE_BYTES
        + len(host or b"")
        + len(target)
        + len(resource.authority)
        + len(resource.path)
        + len(query)
        + len(resource.keyed_query or b"")
        + len(resource.key)
        + len(resource.upstream_target)
    )


class Resources:
    """Finds resources; forgets the oldest when they take too much memory."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._plain = BoundedMemory[HostAndTarget, Resource](LIMIT_BYTES, cost)
        self._tls = BoundedMemory[HostAndTarget, Resource](LIMIT_BYTES, cost)
        # The same, to be looked into directly.
        self.plain, self.tls = self._plain.entries, self._tls.entries

    def find(self, head: RequestHead, *, tls: bool) -> Resource:
        """Return the resource of a request head. Raises BadRequest (400, 414) and NoService
        (421).
        """
        known = self.tls if tls else self.plain
        resource = known.get((head.host, head.target))
        if resource is None:
            resource = self._make(head, b"https" if tls else b"http")
            (self._tls if tls else self._plain).put((head.host, head.target), resource)
        return resource

    def _make(self, head: RequestHead, scheme: bytes) -> Resource:
        try:
            authority, path, query = normalise_target(head.target, head.host, scheme)
        except BadTarget as error:
            raise BadRequest(error.status, str(error)) from error
        if path == b"*":
            raise BadRequest(400, "the target * belongs to OPTIONS")
        service = self.services.find(authority)
        if service is None:
            raise NoService(authority)
        if service.refuses_dots and is_doubtful(head.target):
            raise BadRequest(400, "the path has dot segments or an escaped slash")
        rules = service.key_rules
        target = upstream_target(path, query, rules)
        key = key_of_target(service.name, scheme, authority, target, rules)
        _path, mark, keyed_query = target.partition(b"?")
        return Resource(
            service=service,
            rules=service.rules_for(path),
            scheme=scheme,
            authority=authority,
            path=path,
            query=query,
            key=key,
            key_hash=key_hash(key),
            upstream_target=target,
            keyed_query=keyed_query if mark else None,
        )
