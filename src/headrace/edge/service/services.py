"""Sites as the request path needs them: compiled from the configuration, never changed after.

A reload builds a new `Sites` and swaps it in; requests that began keep the old one.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field, replace

from headrace.cache.key import KeyRules
from headrace.cache.rules import UNREACHABLE_S, CacheRules
from headrace.config import Config
from headrace.config import service as config_site
from headrace.edge.service.compile_origins import (
    DEFAULT_POLICY,
    compile_policies,
    compile_pools,
    compile_rules,
)
from headrace.http.target import path_for_rules
from headrace.telemetry.service_tallies import SiteTallies, SiteTally
from headrace.upstream.origin_routes import Rule
from headrace.upstream.pool import Pool
from headrace.upstream.retry import Policy


@dataclass(frozen=True, slots=True)
class Site:
    """One site, ready to serve. `path_rules` are tried in order; the first match wins."""

    name: str
    pools: dict[str, Pool]
    policies: dict[str, Policy]
    rules_of_origins: tuple[Rule, ...]
    forwarded: bool
    server_timing: bool
    debug: bool
    key_rules: KeyRules
    keyed_fields: tuple[bytes, ...]
    unkeyed_fields: frozenset[bytes]
    methods: frozenset[bytes]
    refuses_dots: bool
    first_host: bytes
    rules: CacheRules
    path_rules: tuple[tuple[re.Pattern[bytes], CacheRules], ...]
    tally: SiteTally = field(default_factory=SiteTally, compare=False, repr=False)

    @property
    def default_pool(self) -> str:
        """The pool that is asked when no route says otherwise."""
        return next(iter(self.pools))

    @property
    def default_policy(self) -> str:
        return DEFAULT_POLICY

    @property
    def signs(self) -> bool:
        """Whether requests to any of its origins are signed."""
        return any(
            origin.credentials is not None
            for pool in self.pools.values()
            for origin in pool.origins
        )

    def names(self, field: bytes) -> bool:
        """Whether the operator named this request field (in lower case) for origins to see."""
        return field in self.keyed_fields or field in self.unkeyed_fields

    def rules_for(self, path: bytes) -> CacheRules:
        """The caching rules in force for a normalised path."""
        path = path_for_rules(path)
        for pattern, rules in self.path_rules:
            if pattern.match(path):
                return rules
        return self.rules


class Sites:
    """Finds the site of a host: an exact name, then the longest `*.` pattern, then `*`."""

    __slots__ = ("_default", "_exact", "_suffixes", "all")

    def __init__(self, sites: list[tuple[Site, list[str]]]) -> None:
        self.all = tuple(site for site, _hosts in sites)
        self._exact: dict[bytes, Site] = {}
        self._default: Site | None = None
        suffixes: list[tuple[bytes, Site]] = []
        for site, hosts in sites:
            for host in hosts:
                if host == "*":
                    self._default = site
                elif host.startswith("*."):
                    suffixes.append((host[1:].lower().encode(), site))
                else:
                    self._exact[host.lower().encode()] = site
        self._suffixes = tuple(sorted(suffixes, key=lambda pair: -len(pair[0])))

    def find(self, authority: bytes) -> Site | None:
        """The site that serves this host (port ignored), or None."""
        site = self._exact.get(authority)
        if site is not None:
            return site
        host = host_only(authority)
        site = self._exact.get(host)
        if site is not None:
            return site
        for suffix, candidate in self._suffixes:
            if host.endswith(suffix):
                return candidate
        return self._default


def host_only(authority: bytes) -> bytes:
    """The host of `host[:port]`; an IPv6 address keeps its brackets."""
    if authority.startswith(b"["):
        return authority[: authority.find(b"]") + 1]
    return authority.split(b":", 1)[0]


def compile_sites(config: Config, tallies: SiteTallies | None = None) -> Sites:
    """Build the sites of a configuration. Raises HeadraceError or OSError for bad origins.

    `tallies` has what was counted under the configuration before, which they go on with.
    """
    names = [site.name for site in config.sites]
    planned = (tallies or SiteTallies()).plan(names, config.metrics.sites_max)
    return Sites([(_compile(site, planned[site.name]), site.hosts) for site in config.sites])


def _compile(site: config_site.Site, tally: SiteTally) -> Site:
    path_rules = tuple(
        (re.compile(fnmatch.translate(rule.path).encode()), _cache_rules(site.cache_under(rule)))
        for rule in site.rules
    )
    return Site(
        name=site.name,
        pools=compile_pools(site),
        policies=compile_policies(site),
        rules_of_origins=compile_rules(site),
        forwarded=site.forwarded,
        server_timing=site.server_timing,
        debug=site.debug,
        key_rules=_key_rules(site.key, site.forwarded),
        keyed_fields=_keyed_fields(site),
        unkeyed_fields=frozenset(_names(site.key.unkeyed_fields)),
        methods=frozenset(method.encode() for method in site.methods),
        refuses_dots=site.path_normalisation == "refuse",
        first_host=next((host for host in site.hosts if "*" not in host), "").encode(),
        rules=_cache_rules(site.cache),
        path_rules=path_rules,
        tally=tally,
    )


def _names(values: list[str]) -> tuple[bytes, ...]:
    return tuple(value.lower().encode() for value in values)


def _cache_rules(model: config_site.CacheRules) -> CacheRules:
    return replace(
        CacheRules(),
        targeted=_names(model.targeted),
        heuristic_fraction=model.heuristic_fraction,
        heuristic_max_s=model.heuristic_max_s,
        default_lifetime_s=model.default_lifetime_s,
        force_lifetime_s=model.force_lifetime_s,
        negative_s=dict(model.negative_s),
        error_max_s=model.error_max_s,
        honour_request_directives=model.honour_request_directives,
        stale_while_revalidate_s=model.stale_while_revalidate_s,
        stale_if_error_s=model.stale_if_error_s,
        stale_if_unreachable_s=_unreachable_s(model),
        store_set_cookie=model.store_set_cookie,
        store_post_answers=model.store_post_answers,
        bypass_on_cookie=tuple(name.encode() for name in model.bypass_on_cookie),
        cookie_in_request=model.cookie_in_request,
        accept_encodings=_names(model.accept_encodings),
        languages=_names(model.languages),
        media_types=_names(model.media_types),
        shared=model.shared,
        max_object_bytes=model.max_object_bytes,
        slice_bytes=model.slice_bytes,
    )


def _keyed_fields(site: config_site.Site) -> tuple[bytes, ...]:
    """What the site names, and what its routes look at: by that, too, answers differ."""
    names = set(_names(site.key.request_fields))
    for route in site.routes:
        if route.pool is not None:
            names |= set(_names(list(route.headers)))
    return tuple(sorted(names - set(_names(site.key.unkeyed_fields))))


def _unreachable_s(model: config_site.CacheRules) -> float:
    """How long stale content may stand in for origins that cannot be reached."""
    if model.stale_if_unreachable_s is not None:
        return model.stale_if_unreachable_s
    return model.stale_if_error_s or UNREACHABLE_S


def _key_rules(model: config_site.KeyRules, forwarded: bool) -> KeyRules:
    keep = None if model.keep is None else frozenset(name.encode() for name in model.keep)
    return KeyRules(
        query=model.query,
        keep=keep,
        drop=frozenset(name.encode() for name in model.drop),
        sort=model.sort,
        host=model.host,
        scheme=forwarded if model.scheme is None else model.scheme,
    )
