"""A question to the router's own API: who asks, about which URL, with which parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.http.message import Field, Headers
from headrace.http.parser import BadRequest
from headrace.http.target import BadTarget, as_sent, normalise_target
from headrace.router.clients import Client
from headrace.router.context import RouterContext
from headrace.router.requested import Requested, classified
from headrace.routing.question import Decision

LONGEST_URL = 4096


class Unavailable(BadRequest):
    """No server can take this client now. `extra` are the fields of the answer."""

    def __init__(self, retry_after: bytes) -> None:
        super().__init__(503, "no server can take this request now; ask again later")
        self.extra: tuple[Field, ...] = ((b"retry-after", retry_after),)


@dataclass(frozen=True, slots=True)
class Asking:
    """One question. `authority` and `secure` are how the router itself was reached."""

    context: RouterContext
    client: Client
    headers: Headers
    parameters: Mapping[str, str]
    authority: bytes
    secure: bool

    def about(self) -> tuple[Requested, bool]:
        """Return what the URL in question asks for, and whether by TLS. Raises BadRequest."""
        text = self.parameters.get("url", "")
        if not text:
            raise BadRequest(400, "name what is to be located: ?url=https://host/path")
        try:
            url = text.encode("ascii")
        except UnicodeEncodeError:
            raise BadRequest(400, "the url is not ASCII: escape what is not") from None
        scheme = url.partition(b"://")[0].lower()
        if len(url) > LONGEST_URL or scheme not in (b"http", b"https"):
            raise BadRequest(400, f"the url is no http(s) URL of at most {LONGEST_URL} bytes")
        try:
            authority, path, query = normalise_target(url, None, scheme)
        except BadTarget as error:
            raise BadRequest(error.status, f"the url is wrong: {error}") from None
        rest = url.partition(b"://")[2].partition(b"?")[0]
        spelled = as_sent(rest[rest.find(b"/") :], path) if b"/" in rest else path
        asked = classified(self.context.network, authority, path, spelled, query)
        return asked, scheme == b"https"

    def decide(self, asked: Requested, *, secure: bool) -> Decision:
        """Return where the client goes for it."""
        return self.context.network.decide(asked.question(self.client.address, secure=secure))
