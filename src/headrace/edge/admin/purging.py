"""Which keys of which sites a URL means: purges and listings by the sites' own key rules. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from headrace.cache.key import KeyRules, UnusableUrl, keys_for_url, prefix_for_url, without_scheme
from headrace.config import Config
from headrace.edge.admin.requests import PurgeRequest
from headrace.edge.admin.store_admin import Purge
from headrace.edge.service.services import compile_sites
from headrace.node.admin.problem import ProblemError


@dataclass(frozen=True, slots=True)
class SiteKeys:
    """One site as far as its keys go: its name, its host patterns and its key rules."""

    name: str
    hosts: tuple[str, ...]
    rules: KeyRules

    def answers(self, host: str) -> bool:
        """Whether any of the site's patterns takes this host (lower case, without port)."""
        return any(_matches(pattern, host) for pattern in self.hosts)


@dataclass(frozen=True, slots=True)
class Directory:
    """All sites of a config by their keys."""

    sites: tuple[SiteKeys, ...]

    @classmethod
    def of(cls, config: Config) -> Self:
        """Raises HeadraceError or OSError as compile_sites does."""
        rules = {site.name: site.key_rules for site in compile_sites(config).all}
        return cls(
            tuple(
                SiteKeys(site.name, tuple(host.lower() for host in site.hosts), rules[site.name])
                for site in config.sites
            )
        )

    def keys(self, url: str, *, site: str | None, field: str) -> list[tuple[str, bytes]]:
        """The site names and cache keys that this URL has, for each site that may hold it: both
        schemes', where it keeps them apart.

        Raises ProblemError, which names `field`.
        """
        return self._each(keys_for_url, url, site, field)

    def prefixes(self, url: str, *, site: str | None, field: str) -> list[tuple[str, bytes]]:
        """The same for the beginnings of the keys that begin like this URL."""
        return self._each(_one_prefix, url, site, field)

    def named(self, site: str) -> SiteKeys:
        """The site of that name. Raises ProblemError."""
        for candidate in self.sites:
            if candidate.name == site:
                return candidate
        known = ", ".join(candidate.name for candidate in self.sites)
        raise ProblemError(422, f"there is no site {site!r}; there are: {known}", field="site")

    def _each(
        self,
        keys: Callable[[str, str, KeyRules], list[bytes]],
        url: str,
        site: str | None,
        field: str,
    ) -> list[tuple[str, bytes]]:
        try:
            return [
                (found.name, key)
                for found in self._holders(url, site, field)
                for key in keys(found.name, url, found.rules)
            ]
        except UnusableUrl as error:
            raise ProblemError(422, str(error), field=field) from error

    def _holders(self, url: str, site: str | None, field: str) -> Sequence[SiteKeys]:
        if site is not None:
            return [self.named(site)]
        host = _host(url, field)
        # Every site that matches, not only the one that serves the host now: before a reload
        # another may have stored under it.
        holders = [candidate for candidate in self.sites if candidate.answers(host)]
        if not holders:
            raise ProblemError(
                422, f"no site serves the host {host!r}: correct it, or name a site", field=field
            )
        return holders


def plan_purge(request: PurgeRequest, directory: Directory) -> list[Purge]:
    """The store's purges that carry out a request, for each site concerned.

    Raises ProblemError when the URL or the site is unknown.
    """
    soft, site = request.soft, request.site
    match request.kind:
        case "url":
            found = directory.keys(request.value, site=site, field="url")
            # One rule is for both schemes (see the store's rules).
            both = {(name, without_scheme(key)): None for name, key in found}
            return [Purge("url", key, soft, name) for name, key in both]
        case "prefix":
            found = directory.prefixes(request.value, site=site, field="prefix")
            return [Purge("prefix", key, soft, name) for name, key in found]
        case "tag":
            if site is not None:
                directory.named(site)
            return [Purge("tag", request.value.encode(), soft, site)]
        case "all" if site is None:
            return [Purge("all", b"", soft)]
        case "all":
            # A key begins with its site's name and a line end.
            return [Purge("prefix", directory.named(site).name.encode() + b"\n", soft, site)]


def _one_prefix(site: str, url: str, rules: KeyRules) -> list[bytes]:
    """A prefix is one for both schemes: keys have theirs at the end."""
    return [prefix_for_url(site, url, rules)]


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


def _matches(pattern: str, host: str) -> bool:
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern
