"""What an edge with this configuration would do with a request, as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from headrace.cache.reuse import Action, decide_reuse
from headrace.cache.rules import CacheRules
from headrace.config import Config
from headrace.edge.explain_network import KnownNetwork, explain_network
from headrace.edge.service.resource import Resource, Resources
from headrace.edge.service.services import Service, compile_services
from headrace.errors import HeadraceError
from headrace.http.content import content_of
from headrace.http.message import Field, Headers, Request
from headrace.http.methods import GET_OR_HEAD
from headrace.http.parser import BadRequest, HeadLimits, RequestHead, RequestParser
from headrace.reasons import Reason
from headrace.upstream.origin_routes import apply_routes
from headrace.upstream.pool import Pool, PoolState
from headrace.upstream.retry import Attempts, RetryPolicy, Stop, Try
from headrace.upstream.target import Target

MOST_TRIES_SHOWN = 8
NAME_COLUMNS = 15


class RequestRefused(HeadraceError):
    """The edge would refuse the request. The text begins with the status."""


def explain_request(
    config: Config,
    method: bytes,
    scheme: bytes,
    authority: bytes,
    target: bytes,
    fields: list[Field],
    *,
    now: float,
    network: KnownNetwork | None = None,
) -> Iterator[str]:
    """Yield the explanation, line by line: a name in the first `NAME_COLUMNS`, blank where a line
    adds to the one before, then the text.

    Raises RequestRefused, or HeadraceError for a service that cannot be compiled.
    """
    lines = [method + b" " + target + b" HTTP/1.1", b"host: " + authority]
    lines += [name + b": " + value for name, value in fields if name != b"host"]
    try:
        head = RequestParser(HeadLimits()).parse(b"\r\n".join(lines) + b"\r\n\r\n")
        resource = Resources(compile_services(config)).find(head, tls=scheme == b"https")
    except BadRequest as error:
        raise RequestRefused(f"{error.status}: {error}") from error
    request = _request(resource, head)
    yield f"service        {resource.service.name}"
    yield f"key            {resource.key.decode('latin-1').replace(chr(10), ' ')}"
    content = content_of(resource.path)
    media_type = f" ({content.media_type})" if content.media_type else ""
    yield f"content type   {content.kind}{media_type}"
    reuse = decide_reuse(request, None, resource.rules, now)
    cached = request.method in GET_OR_HEAD and reuse.action is not Action.BYPASS
    if network is not None:
        yield from explain_network(network, resource, cached=cached)
    yield from _where(resource, request, now)
    yield from _cache(resource.rules, cached=cached, reason=reuse.reason)


def _request(resource: Resource, head: RequestHead) -> Request:
    found = resource.request(head)
    return Request(
        found.method, found.target, found.scheme, found.authority, found.path, found.query,
        found.version, Headers(list(head.headers)),
    )  # fmt: skip


def _where(resource: Resource, request: Request, now: float) -> Iterator[str]:
    service = resource.service
    default = Target(
        PoolState(service.pools[service.default_pool]),
        service.retries[service.default_retry],
        resource.key,
        resource.upstream_target,
    )
    target = apply_routes(
        service.origin_routes,
        request,
        default,
        lambda pool: PoolState(service.pools[pool]),
        service.retries,
    )
    matched = set(target.routes)
    decided = False
    for route in service.origin_routes:
        if decided:
            outcome = "not reached"
        elif route.name in matched:
            outcome = "matches"
            decided = route.pool is not None
            if decided:
                outcome += f": pool {route.pool}"
        else:
            outcome = "does not match"
            if replace(route, share=1.0).matches(request, resource.key):
                outcome = f"would match, but its {route.share:.0%} are other objects"
        yield f"route          {route.name}: {outcome}"
    retry, pool, mirror = target.retry, target.state.pool, target.mirror
    yield f"pool           {pool.name}"
    yield f"asked for      {target.request_target.decode('latin-1')}"
    if mirror is not None:
        path = mirror.request_target.partition(b"?")[0].decode("latin-1")
        yield f"mirror         {mirror.state.pool.name}, {path}"
    yield f"retry          {retry.name}: {_retry(retry, pool)}"
    yield from _tries(service, pool, retry, resource.key, request.method, now)


def _retry(retry: RetryPolicy, pool: Pool) -> str:
    statuses = ", ".join(map(str, sorted(retry.statuses))) or "none"
    tries = retry.tries or len(pool.origins)
    counted = "1 try" if tries == 1 else f"{tries} tries"
    return f"{counted}, {retry.total_s:g} s in all, statuses {statuses}"


def _tries(
    service: Service, pool: Pool, retry: RetryPolicy, key: bytes, method: bytes, now: float
) -> Iterator[str]:
    """Yield the order in which origins are asked while each fails, all thought to be well at
    first.
    """
    attempts = Attempts(PoolState(pool), retry, key, method in GET_OR_HEAD, now, lambda: 0.5)
    step = attempts.first(now)
    number = 1
    while isinstance(step, Try) and number <= MOST_TRIES_SHOWN:
        origin = pool.origins[step.origin]
        where = origin.endpoint
        scheme = "https" if where.tls is not None else "http"
        text = f"{origin.name} ({scheme}://{where.authority.decode()}{where.prefix.decode()})"
        if step.pause_s:
            text += f" after a pause of up to {2 * step.pause_s:g} s"
        if origin.switching and len(pool.origins) > 1:
            text += ", switching"
        yield f"try {number}          {text}"
        if not retry.statuses and not retry.failures:
            return
        reason = next(iter(sorted(retry.failures, key=str))) if retry.failures else 503
        step = attempts.after(step.origin, reason, now)
        number += 1
    if isinstance(step, Stop):
        why = step.value.replace("_", " ")
        yield f"then           no more ({why}): stale if allowed, or an error"
    if pool.choice == "weighted":
        yield "               (weighted: the order is another for each request)"


def _cache(rules: CacheRules, *, cached: bool, reason: Reason | None) -> Iterator[str]:
    if not cached:
        reason = reason or Reason.METHOD
        yield f"cache          not used ({reason.word})"
        yield f"               {reason.meaning}"
        return
    lifetime = "as the response says"
    if rules.force_lifetime_s is not None:
        lifetime = f"{rules.force_lifetime_s:g} s, whatever the response says"
    elif rules.default_lifetime_s is not None:
        lifetime += f", {rules.default_lifetime_s:g} s if it says nothing"
    yield f"cache          lifetime {lifetime}"
    if rules.stale_while_revalidate_s:
        yield f"               stale for {rules.stale_while_revalidate_s:g} s while it is renewed"
    if rules.stale_if_error_s:
        yield f"               stale for {rules.stale_if_error_s:g} s while origins fail"
    if rules.stale_if_unreachable_s:
        seconds = rules.stale_if_unreachable_s
        yield f"               stale for {seconds:g} s while no origin can be reached"
    for status, seconds in sorted(rules.negative_s.items()):
        yield f"               status {status}: {seconds:g} s if it says nothing"
