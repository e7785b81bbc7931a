"""GET /reasons: why responses for a URL were not stored lately."""

from __future__ import annotations

from typing import Protocol

import msgspec

from headrace.cache.key import key_hash
from headrace.edge.admin.purging import Directory
from headrace.edge.admin.requests import UrlRequest
from headrace.edge.messages import GetReasons, ReasonsAre
from headrace.node.running import Node
from headrace.telemetry.not_stored import NotStored, together


class ServiceReason(NotStored, kw_only=True):
    """A reason, and the service whose it is."""

    service: str


class WhyNotStored(msgspec.Struct):
    """Why responses for a URL were not stored lately, the latest first."""

    url: str
    reasons: list[ServiceReason]


class Services(Protocol):
    """The edge's side of it."""

    @property
    def directory(self) -> Directory:
        """The services' keys by the configuration in force."""
        ...


class Reasons:
    """The operation."""

    def __init__(self, services: Services, node: Node) -> None:
        self._services = services
        self._node = node

    async def reasons(self, asked: UrlRequest) -> WhyNotStored:
        """Return why responses for a URL were not stored lately. Raises ProblemError."""
        keys = self._services.directory.keys(asked.url, service=None, field="url")
        hashes = [key_hash(key) for _service, key in keys]
        answers = await self._node.workers.ask_each(GetReasons(hashes), ReasonsAre)
        found = [
            ServiceReason(service=service, **msgspec.structs.asdict(reason))
            for at, (service, _key) in enumerate(keys)
            for reason in together([answer.reasons[at] for answer in answers])
        ]
        return WhyNotStored(asked.url, found)
