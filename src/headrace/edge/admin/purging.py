"""Which keys of which services a URL means, by the services' own key rules. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from headrace.cache.key import KeyRules, UnusableUrl, keys_for_url, prefix_for_url, without_scheme
from headrace.config import Config
from headrace.edge.admin.requests import PurgeRequest
from headrace.edge.admin.store_admin import Purge, PurgeKind
from headrace.edge.service.services import compile_services
from headrace.http.hosts import host_matches
from headrace.node.admin.problem import ProblemError
from headrace.store.purge_rules import LONGEST_VALUE


@dataclass(frozen=True, slots=True)
class ServiceKeys:
    """One service as far as its keys go: its name, its host patterns and its key rules."""

    name: str
    hosts: tuple[bytes, ...]
    rules: KeyRules

    def answers(self, host: str) -> bool:
        """Return whether any of the service's patterns means this host (lower case, without a
        port).
        """
        wanted = host.encode(errors="replace")
        return any(host_matches(pattern, wanted) for pattern in self.hosts)


@dataclass(frozen=True, slots=True)
class Directory:
    """All services of a config by their keys."""

    services: tuple[ServiceKeys, ...]

    @classmethod
    def of(cls, config: Config) -> Self:
        """Raises HeadraceError or OSError as compile_services does."""
        rules = {service.name: service.key_rules for service in compile_services(config).all}
        return cls(
            tuple(
                ServiceKeys(
                    service.name,
                    tuple(host.encode() for host in service.hosts),
                    rules[service.name],
                )
                for service in config.services
            )
        )

    def keys(self, url: str, *, service: str | None, field: str) -> list[tuple[str, bytes]]:
        """Return the service names and cache keys that this URL has.

        They are of each service that may hold it: both schemes', where it keeps them apart.

        Raises ProblemError, which names `field`.
        """
        return self._each(keys_for_url, url, service, field)

    def prefixes(self, url: str, *, service: str | None, field: str) -> list[tuple[str, bytes]]:
        """Return the same for the beginnings of the keys that begin like this URL."""
        return self._each(_one_prefix, url, service, field)

    def named(self, service: str) -> ServiceKeys:
        """Return the service of that name. Raises ProblemError."""
        for candidate in self.services:
            if candidate.name == service:
                return candidate
        known = ", ".join(candidate.name for candidate in self.services)
        raise ProblemError(
            422, f"there is no service {service!r}; there are: {known}", field="service"
        )

    def _each(
        self,
        keys: Callable[[str, str, KeyRules], list[bytes]],
        url: str,
        service: str | None,
        field: str,
    ) -> list[tuple[str, bytes]]:
        try:
            return [
                (found.name, key)
                for found in self._holders(url, service, field)
                for key in keys(found.name, url, found.rules)
            ]
        except UnusableUrl as error:
            raise ProblemError(422, str(error), field=field) from error

    def _holders(self, url: str, service: str | None, field: str) -> Sequence[ServiceKeys]:
        if service is not None:
            return [self.named(service)]
        host = _host(url, field)
        # Every service that matches, not only the one that serves the host now: before a reload
        # another may have stored under it.
        holders = [candidate for candidate in self.services if candidate.answers(host)]
        if not holders:
            raise ProblemError(
                422,
                f"no service serves the host {host!r}: correct it, or name a service",
                field=field,
            )
        return holders


def plan_purge(request: PurgeRequest, directory: Directory) -> list[Purge]:
    """Return the store's purges that carry out a request, for each service concerned.

    Raises ProblemError when it names not exactly one thing, or one that no key can be as long as,
    or when the URL or the service is unknown.
    """
    kind, named = request.target
    purges = _purges(request, kind, named, directory)
    if any(len(purge.value) > LONGEST_VALUE for purge in purges):
        raise ProblemError(
            422, f"{kind} is longer than any key, {LONGEST_VALUE} bytes: shorten it", field=kind
        )
    return purges


def _purges(
    request: PurgeRequest, kind: PurgeKind, named: str, directory: Directory
) -> list[Purge]:
    soft, service = request.soft, request.service
    match kind:
        case "url":
            found = directory.keys(named, service=service, field="url")
            # One rule is for both schemes (see the store's rules).
            both = {(name, without_scheme(key)): None for name, key in found}
            return [Purge("url", key, soft, name) for name, key in both]
        case "prefix":
            found = directory.prefixes(named, service=service, field="prefix")
            return [Purge("prefix", key, soft, name) for name, key in found]
        case "tag":
            if service is not None:
                directory.named(service)
            return [Purge("tag", named.encode(), soft, service)]
        case "all" if service is None:
            return [Purge("all", b"", soft)]
        case "all":
            # A key begins with its service's name and a line end.
            return [Purge("prefix", directory.named(service).name.encode() + b"\n", soft, service)]


def _one_prefix(service: str, url: str, rules: KeyRules) -> list[bytes]:
    """Return a prefix for both schemes: keys have theirs at the end."""
    return [prefix_for_url(service, url, rules)]


def _host(url: str, field: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise ProblemError(422, f"{field} is not a URL: {error}", field=field) from error
    if parts.scheme not in {"http", "https"} or not host:
        raise ProblemError(
            422, f"{field} must be a whole URL such as http://host/path, not {url!r}", field=field
        )
    return f"[{host}]" if ":" in host else host
