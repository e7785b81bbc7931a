"""Services as the request path needs them: compiled from the configuration, never changed after.

A reload builds a new `Services` and swaps it in; requests that began keep the old one.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field, replace

from headrace.cache.key import KeyRules
from headrace.cache.rules import UNREACHABLE_S, CacheRules
from headrace.config import Config
from headrace.config.edge import service as config_service
from headrace.edge.service.compile_origins import (
    DEFAULT_RETRY,
    compile_origin_routes,
    compile_pools,
    compile_retries,
)
from headrace.http.hosts import HostTable
from headrace.http.target import path_for_rules
from headrace.telemetry.service_tallies import ServiceTallies, ServiceTally
from headrace.upstream.origin_routes import OriginRoute
from headrace.upstream.pool import Pool
from headrace.upstream.request_fields import PreparedFields
from headrace.upstream.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class Service:
    """One service, ready to serve. `path_rules` are tried in order; the first match wins."""

    name: str
    pools: dict[str, Pool]
    retries: dict[str, RetryPolicy]
    origin_routes: tuple[OriginRoute, ...]
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
    tally: ServiceTally = field(default_factory=ServiceTally, compare=False, repr=False)
    prepared: dict[object, PreparedFields] = field(default_factory=dict, compare=False, repr=False)
    """The fields of requests to its origins: see `edge.fill.origin_fields`."""
    signs: bool = field(init=False)
    """Whether requests to any of its origins are signed."""
    sends_ready: bool = field(init=False)
    """Whether a stored head is sent as it is: nothing is to be added for those who debug, and no
    field of the request is part of every key.
    """

    def __post_init__(self) -> None:
        origins = [origin for pool in self.pools.values() for origin in pool.origins]
        signs = any(origin.credentials is not None for origin in origins)
        object.__setattr__(self, "signs", signs)
        as_it_is = not (self.keyed_fields or self.debug or self.server_timing)
        object.__setattr__(self, "sends_ready", as_it_is)

    @property
    def default_pool(self) -> str:
        """The pool that is asked when no route says otherwise."""
        return next(iter(self.pools))

    @property
    def default_retry(self) -> str:
        """The name of the retry policy where none is named."""
        return DEFAULT_RETRY

    def names(self, field: bytes) -> bool:
        """Return whether the operator named this request field (in lower case) for origins to
        see.
        """
        return field in self.keyed_fields or field in self.unkeyed_fields

    def rules_for(self, path: bytes) -> CacheRules:
        """Return the caching rules in force for a normalised path."""
        if not self.path_rules:
            return self.rules
        path = path_for_rules(path)
        for pattern, rules in self.path_rules:
            if pattern.match(path):
                return rules
        return self.rules


class Services:
    """All services, and which serves a host: see `HostTable`."""

    __slots__ = ("all", "find")

    def __init__(self, services: list[tuple[Service, list[str]]]) -> None:
        self.all = tuple(service for service, _hosts in services)
        self.find = HostTable(
            (host.encode(), service) for service, hosts in services for host in hosts
        ).find


def compile_services(config: Config, tallies: ServiceTallies | None = None) -> Services:
    """Build the services of a configuration. Raises HeadraceError or OSError for bad origins.

    `tallies` has what was counted under the configuration before, which they continue.
    """
    names = [service.name for service in config.services]
    planned = (tallies or ServiceTallies()).plan(names, config.metrics.services_max)
    return Services(
        [(_compile(service, planned[service.name]), service.hosts) for service in config.services]
    )


def _compile(service: config_service.Service, tally: ServiceTally) -> Service:
    path_rules = tuple(
        (re.compile(fnmatch.translate(rule.path).encode()), _cache_rules(service.cache_under(rule)))
        for rule in service.rules
    )
    return Service(
        name=service.name,
        pools=compile_pools(service),
        retries=compile_retries(service),
        origin_routes=compile_origin_routes(service),
        forwarded=service.forwarded,
        server_timing=service.server_timing,
        debug=service.debug,
        key_rules=_key_rules(service.key, service.forwarded),
        keyed_fields=_keyed_fields(service),
        unkeyed_fields=frozenset(_names(service.key.unkeyed_fields)),
        methods=frozenset(method.encode() for method in service.methods),
        refuses_dots=service.path_normalisation == "refuse",
        first_host=next((host for host in service.hosts if "*" not in host), "").encode(),
        rules=_cache_rules(service.cache),
        path_rules=path_rules,
        tally=tally,
    )


def _names(values: list[str]) -> tuple[bytes, ...]:
    return tuple(value.lower().encode() for value in values)


def _cache_rules(model: config_service.CacheRules) -> CacheRules:
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


def _keyed_fields(service: config_service.Service) -> tuple[bytes, ...]:
    """Return what the service names, and what its routes look at: by that, too, answers differ."""
    names = set(_names(service.key.request_fields))
    for route in service.routes:
        if route.pool is not None:
            names |= set(_names(list(route.headers)))
    return tuple(sorted(names - set(_names(service.key.unkeyed_fields))))


def _unreachable_s(model: config_service.CacheRules) -> float:
    """Return how long stale content may stand in for origins that cannot be reached."""
    if model.stale_if_unreachable_s is not None:
        return model.stale_if_unreachable_s
    return model.stale_if_error_s or UNREACHABLE_S


def _key_rules(model: config_service.KeyRules, forwarded: bool) -> KeyRules:
    keep = None if model.keep is None else frozenset(name.encode() for name in model.keep)
    return KeyRules(
        query=model.query,
        keep=keep,
        drop=frozenset(name.encode() for name in model.drop),
        sort=model.sort,
        host=model.host,
        scheme=forwarded if model.scheme is None else model.scheme,
    )
