"""From a request's host and target to its service, its rules and its cache key, remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from headrace.bounded import BoundedMemory
from headrace.cache.key import HTTPS, key_hash, key_of_target, upstream_target
from headrace.cache.rules import CacheRules
from headrace.edge.service.services import Service, Services
from headrace.http.message import Request
from headrace.http.parser import BadRequest, RequestHead
from headrace.http.target import USUAL_TARGET, BadTarget, is_doubtful, normalise_target
from headrace.reasons import Reason

HostAndTarget = tuple[bytes | None, bytes]

LIMIT_BYTES = 16 * 1024 * 1024
"""For the plain side of a worker, and as much for its TLS side: some 10,000 usual resources
each."""

_MOST_SITES = 512
_canonical = USUAL_TARGET.fullmatch

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


class Site(msgspec.Struct, gc=False):
    """What a Host field and a scheme say of every target: whose it is, and what its keys begin and
    end with.
    """

    service: Service
    authority: bytes
    start: bytes
    end: bytes

    def asked(self, target: bytes) -> tuple[CacheRules, bytes] | None:
        """Return a target's rules and its key's hash, as `Resources.find` would, in fewer steps;
        None for one that is not in its canonical form.
        """
        match = _canonical(target)
        if match is None:
            return None
        service = self.service
        path: bytes = match[1]
        if len(path) != len(target):
            target = upstream_target(path, target[len(path) + 1 :], service.key_rules)
        rules = service.rules_for(path) if service.path_rules else service.rules
        return rules, key_hash(self.start + target + self.end)


class Resources:
    """Finds resources; forgets the oldest when they take too much memory."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._plain = BoundedMemory[HostAndTarget, Resource](LIMIT_BYTES, cost)
        self._tls = BoundedMemory[HostAndTarget, Resource](LIMIT_BYTES, cost)
        self._sites: dict[tuple[bytes | None, bool], Site] = {}
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

    def site(self, host: bytes | None, *, tls: bool) -> Site | None:
        """Return what a Host field names; None where `find` has to say what is wrong with it."""
        found = self._sites.get((host, tls))
        if found is None:
            found = self._site(host, b"https" if tls else b"http")
            if found is not None:
                if len(self._sites) >= _MOST_SITES:
                    self._sites.clear()
                self._sites[(host, tls)] = found
        return found

    def _site(self, host: bytes | None, scheme: bytes) -> Site | None:
        try:
            authority, _path, _query = normalise_target(b"/", host, scheme)
        except BadTarget:
            return None
        service = self.services.find(authority)
        if service is None:
            return None
        rules = service.key_rules
        around = key_of_target(service.name, scheme, authority, b"", rules)
        end = HTTPS if rules.scheme and scheme == b"https" else b""
        return Site(service, authority, around.removesuffix(end), end)

    def _with_care(
        self, head: RequestHead, scheme: bytes
    ) -> tuple[Service, bytes, bytes, bytes | None]:
        """Return service, authority, path and query. Raises BadRequest, NoService."""
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
        return service, authority, path, query

    def _make(self, head: RequestHead, scheme: bytes) -> Resource:
        site, match = self.site(head.host, tls=scheme == b"https"), _canonical(head.target)
        if site is not None and match is not None:
            service, authority, path = site.service, site.authority, match[1]
            query = None if len(path) == len(head.target) else head.target[len(path) + 1 :]
        else:
            service, authority, path, query = self._with_care(head, scheme)
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
