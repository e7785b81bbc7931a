"""A request whose fill has begun before there was a task for it."""

from __future__ import annotations

from headrace.edge.context import WorkerContext
from headrace.edge.fill.asked import FillRequest
from headrace.edge.fill.fill import Fill
from headrace.edge.fill.result import Result
from headrace.edge.request.lookup import Lookup
from headrace.edge.request.response import Response
from headrace.edge.request.steps import Step
from headrace.edge.service.resource import Resource
from headrace.http.message import Request
from headrace.http.server.exchange import Exchange


class Following(Lookup):
    """Begins by waiting for `fill`, which is this request's own. `leave` it in the end: its task
    may be cancelled before its first step.
    """

    def __init__(
        self, edge: WorkerContext, exchange: Exchange, resource: Resource, request: Request,
        answer: Response, fill: Fill,
    ) -> None:  # fmt: skip
        super().__init__(edge, exchange, resource, request, answer)
        self._begun: Fill | None = fill
        self._refs.hold(fill, owner=True)
        self._tries.take(fill.asked.number)

    def leave(self) -> None:
        """Leave every fill. Idempotent."""
        self._begun = None
        self._refs.release()

    async def _look_up(self) -> Step:
        if self._begun is None:
            return await super()._look_up()
        return Step.FILL  # the look was before the fill began

    def _fwd(self) -> bytes:
        return super()._fwd() if self._begun is None else b"uri-miss"

    async def _filled(self, asked: FillRequest) -> tuple[Result, bool]:
        begun, self._begun = self._begun, None
        if begun is None:
            return await super()._filled(asked)
        return await begun.brought(), False
