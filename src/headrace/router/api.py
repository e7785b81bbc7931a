"""The router's own API under the hosts of `api_hosts`: which path is which answer."""

from __future__ import annotations

from urllib.parse import parse_qsl

from headrace.http.methods import GET_OR_HEAD
from headrace.http.parser import BadRequest, RequestHead
from headrace.http.server.exchange import Exchange
from headrace.http.target import BadTarget, normalise_authority, normalise_target
from headrace.router.answers import send_json, send_preflight, send_problem
from headrace.router.asking import Asking
from headrace.router.clients import Client
from headrace.router.context import RouterContext
from headrace.router.covered import check_covered
from headrace.router.locate import DEBUG, locate
from headrace.router.steering.answer import MEDIA_TYPE, steer

ALLOW = b"GET, HEAD, OPTIONS"
MOST_PARAMETERS = 64
LOCATE, STEERING = b"/v1/locate", b"/v1/steering"


def answer_api(
    context: RouterContext, exchange: Exchange, head: RequestHead, client: Client, *, secure: bool
) -> bool:
    """Answer a request for the router's own API; return whether it is one. Raises BadRequest."""
    path, _mark, query = head.target.partition(b"?")
    if not path.endswith((LOCATE, STEERING)):
        return False
    scheme = b"https" if secure else b"http"
    try:
        if path.startswith(b"/"):
            authority = normalise_authority(head.host or b"", scheme)
        else:  # the whole URL, as to a proxy (RFC 9112 section 3.2.2)
            authority, path, _query = normalise_target(head.target, head.host, scheme)
    except BadTarget as error:
        raise BadRequest(error.status, str(error)) from None
    if path not in (LOCATE, STEERING) or not context.api_hosts.find(authority):
        return False
    if exchange.tls and exchange.covered != authority:
        check_covered(exchange, authority)
    now = context.now()
    if head.method == b"OPTIONS":
        send_preflight(exchange, now, ALLOW)
        return True
    if head.method not in GET_OR_HEAD:
        method = head.method.decode("ascii")
        send_problem(exchange, 405, f"{method} is not for this", now, ((b"allow", ALLOW),))
        return True
    asking = Asking(context, client, head.headers, _parameters(query), authority, secure)
    if path == LOCATE:
        if DEBUG not in asking.parameters:
            context.metrics.router_answers["locate"] += 1
        send_json(exchange, locate(asking), now)
    else:
        context.metrics.router_answers["steering"] += 1
        send_json(exchange, steer(asking), now, MEDIA_TYPE)
    return True


def _parameters(query: bytes) -> dict[str, str]:
    """Return a query's parameters, of those that come twice the first. Raises BadRequest."""
    try:
        text = query.decode("ascii")
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        raise BadRequest(400, "the query is not made of name=value pairs in UTF-8") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found
