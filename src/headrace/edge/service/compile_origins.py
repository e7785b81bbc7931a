"""Pools, retries and routes as the request path needs them, compiled from the configuration."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

from headrace.config.edge import pools as config
from headrace.config.edge.service import Service as ServiceConfig
from headrace.errors import HeadraceError
from headrace.upstream.endpoint import Endpoint, origin_context
from headrace.upstream.errors import Failure
from headrace.upstream.health import HealthRule
from headrace.upstream.origin_routes import OriginRoute
from headrace.upstream.outliers import OutlierRule
from headrace.upstream.pool import Origin, Pool
from headrace.upstream.request_fields import why_not_signed
from headrace.upstream.retry import RetryPolicy
from headrace.upstream.signing import Credentials

DEFAULT_RETRY = "default"


class SecretUnreadable(HeadraceError):
    """A file with a secret key cannot be read."""


def compile_pools(service: ServiceConfig) -> dict[str, Pool]:
    """Return a service's pools by name, the default one first. Raises HeadraceError, OSError."""
    return {pool.name: _pool(pool, service) for pool in service.all_pools}


def compile_retries(service: ServiceConfig) -> dict[str, RetryPolicy]:
    """Return a service's retries by name; there always is a default."""
    found = {DEFAULT_RETRY: RetryPolicy()}
    found.update({retry.name: _retry(retry) for retry in service.retries})
    return found


def compile_origin_routes(service: ServiceConfig) -> tuple[OriginRoute, ...]:
    """Return a service's routes, in order."""
    return tuple(_rule(route) for route in service.routes)


class UnsignedCheck(HeadraceError):
    """A health check that the edge would not sign."""


def _pool(model: config.Pool, service: ServiceConfig) -> Pool:
    health = model.health
    origins = tuple(_origin(origin, service) for origin in model.origins)
    if health is not None:
        for origin in origins:
            refusal = why_not_signed(origin, b"GET", health.path.encode(), [(b"host", b"")])
            if refusal is not None:
                raise UnsignedCheck(
                    f"pool {model.name!r}: the health check of {origin.name!r} asks for "
                    f"{health.path}, but only GET and HEAD of an object are signed "
                    f"({refusal.message}): name an object in health.path"
                )
    return Pool(
        name=model.name,
        origins=origins,
        choice=model.choice,
        same=model.same,
        overlap_bytes=model.overlap_bytes,
        health=None if health is None else _health(health),
        outlier=_outlier(model.outliers),
        slow_start_s=model.slow_start_s,
        budget=model.retry_budget,
    )


def _outlier(model: config.Outliers) -> OutlierRule:
    return OutlierRule(
        failures=model.failures,
        share=model.share,
        window_s=model.window_s,
        paths=model.paths,
        clients=model.clients,
        ejection_s=model.ejection_s,
        most=model.most,
    )


def _health(model: config.HealthCheck) -> HealthRule:
    return HealthRule(
        path=model.path.encode(),
        interval_s=model.interval_s,
        timeout_s=model.timeout_s,
        statuses=frozenset(model.statuses),
        body=None if model.body is None else model.body.encode(),
        rise=model.rise,
        fall=model.fall,
    )


def _origin(model: config.PoolOrigin, service: ServiceConfig) -> Origin:
    tls = None
    if model.url.startswith("https:"):
        ca = model.ca or service.origin_ca
        verify = service.origin_verify if model.verify is None else model.verify
        tls = origin_context(str(ca) if ca else None, verify=verify)
    endpoint = Endpoint.from_url(model.url, tls, model.sni)
    return Origin(
        name=model.name or endpoint.authority.decode("ascii") + endpoint.prefix.decode("ascii"),
        endpoint=endpoint,
        weight=model.weight,
        backup=model.backup,
        host=_host(model.host or service.host_header, endpoint),
        headers=tuple(
            (name.lower().encode(), value.encode()) for name, value in model.headers.items()
        ),
        credentials=None if model.signing is None else _credentials(model.signing),
        concurrent=model.concurrent,
        switching=model.switching,
    )


def _host(text: str, endpoint: Endpoint) -> bytes | None:
    if text == "client":
        return None
    return endpoint.authority if text == "origin" else text.encode("latin-1")


def _credentials(model: config.Signing) -> Credentials:
    secret = model.secret_key
    if secret is None:
        assert model.secret_file is not None
        secret = _read_secret(model.secret_file)
    return Credentials(
        model.access_key, secret, model.region, model.service,
        query_names=frozenset(name.encode() for name in model.signed_query),
        bucket=model.bucket,
    )  # fmt: skip


def _read_secret(path: Path) -> str:
    try:
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnreadable(f"the secret key in {path} cannot be read: {error}") from error
    if not secret:
        raise SecretUnreadable(f"{path} is empty: write the secret key into it")
    return secret


def _retry(model: config.RetryPolicy) -> RetryPolicy:
    return RetryPolicy(
        name=model.name,
        failures=frozenset(Failure(name) for name in model.retry_on),
        statuses=frozenset(model.retry_statuses),
        tries=model.tries,
        backoff_s=model.backoff_s,
        backoff_most_s=model.backoff_most_s,
        total_s=model.total_s,
        min_rate_bytes_per_s=model.min_rate_bytes_per_s,
        stall_s=model.stall_s,
    )


def _rule(model: config.Route) -> OriginRoute:
    pattern = model.pattern
    return OriginRoute(
        name=model.name,
        path=None if pattern is None else re.compile(pattern.encode()),
        hosts=tuple(host.encode() for host in model.hosts),
        types=frozenset(model.types),
        query=tuple(
            (name, re.compile(fnmatch.translate(glob))) for name, glob in model.query.items()
        ),
        headers=tuple(
            (name.lower().encode(), re.compile(fnmatch.translate(glob).encode()))
            for name, glob in model.headers.items()
        ),
        share=model.share,
        pool=model.pool,
        retry=model.retry,
        rewrite=None if model.rewrite is None else model.rewrite.encode(),
        mirror=model.mirror,
    )
