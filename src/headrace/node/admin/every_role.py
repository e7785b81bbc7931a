"""The operations of the admin API that every role has."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec

from headrace.config.problems import ConfigError
from headrace.errors import HeadraceError
from headrace.node.admin.operations import Media, NoRequest, Operation, Operations
from headrace.node.admin.problem import Fault, ProblemError
from headrace.node.reload import NotServingError, RestartNeededError
from headrace.node.running import Node
from headrace.telemetry.exposition import CONTENT_TYPE, exposition
from headrace.telemetry.report import Report, report


class Live(msgspec.Struct):
    """The supervisor answers."""

    status: Literal["live"]


class Ready(msgspec.Struct, omit_defaults=True):
    """Clients are welcome. `impaired` says why they would be better off elsewhere all the same."""

    status: Literal["ready"]
    impaired: str = ""


class Draining(msgspec.Struct):
    """Not ready, and connections close as they fall idle."""

    status: Literal["draining"]


class Undrained(msgspec.Struct):
    """`status` is ready, or why it is not."""

    status: str


class Reloaded(msgspec.Struct):
    """`version` is the number of the configuration in force, here: 1 at the start."""

    status: Literal["reloaded"]
    version: int


class Handlers:
    """One method for each operation."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def live(self, _asked: NoRequest) -> Live:
        """Return at once: the supervisor answers."""
        return Live("live")

    async def ready(self, _asked: NoRequest) -> Ready:
        """Return whether clients are welcome. Raises ProblemError with the reason."""
        reason = await self._node.readiness()
        if reason is not None:
            raise ProblemError(503, reason)
        return Ready("ready", self._node.impairment())

    async def metrics(self, _asked: NoRequest) -> bytes:
        """Return the metrics of all workers, the node and its role."""
        totals, facts = await asyncio.gather(self._node.totals(), self._node.facts())
        return exposition(totals, facts)

    async def stats(self, _asked: NoRequest) -> Report:
        """Return the same as one model."""
        totals, facts = await asyncio.gather(self._node.totals(), self._node.facts())
        return report(totals, facts, self._node.report)

    async def drain(self, _asked: NoRequest) -> Draining:
        """Send clients elsewhere."""
        self._node.drain()
        return Draining("draining")

    async def undrain(self, _asked: NoRequest) -> Undrained:
        """Take clients again; return whether they are welcome."""
        self._node.undrain()
        return Undrained(self._node.not_ready_because() or "ready")

    async def reload(self, _asked: NoRequest) -> Reloaded:
        """Read the configuration again. Raises ProblemError when it is refused."""
        try:
            return Reloaded("reloaded", await self._node.reload())
        except NotServingError as error:
            raise ProblemError(503, str(error)) from error
        except HeadraceError as error:
            status = 409 if isinstance(error, RestartNeededError) else 422
            raise ProblemError(status, str(error), errors=faults(error)) from error


def every_role(node: Node) -> Operations:
    """Return the operations, carried out by this node."""
    handlers = Handlers(node)
    return (*_of_state(handlers, node.report), *_of_orders(handlers))


def _of_state(handlers: Handlers, report_model: type[Report]) -> Operations:
    return (
        Operation(
            "GET",
            "/live",
            "The supervisor answers.",
            handlers.live,
            Live,
            "It lives.",
            needs_token=False,
        ),
        Operation(
            "GET",
            "/ready",
            "Whether to send clients here: 503 while starting, draining, or without a worker.",
            handlers.ready,
            Ready,
            "Send clients.",
            refusals=(503,),
            needs_token=False,
        ),
        Operation(
            "GET",
            "/metrics",
            "Metrics for Prometheus.",
            handlers.metrics,
            Media(CONTENT_TYPE),
            "Exposition format.",
        ),
        Operation(
            "GET",
            "/stats",
            "The same as JSON, with each worker.",
            handlers.stats,
            report_model,
            "The state.",
        ),
    )


def _of_orders(handlers: Handlers) -> Operations:
    return (
        Operation(
            "POST",
            "/drain",
            "Be not ready, and close connections as they fall idle.",
            handlers.drain,
            Draining,
            "Draining.",
        ),
        Operation(
            "POST",
            "/undrain",
            "Serve as before.",
            handlers.undrain,
            Undrained,
            "Ready, or why not.",
        ),
        Operation(
            "POST",
            "/reload",
            "Read configuration and certificates again. Refused: the old ones stay in force.",
            handlers.reload,
            Reloaded,
            "The version of the configuration in force.",
            refusals=(409, 422, 503),
        ),
    )


def faults(error: HeadraceError) -> list[Fault]:
    """Return what is wrong, one value each, for the answer to a reload that is refused."""
    if not isinstance(error, ConfigError):
        return [Fault(str(error))]
    return [
        Fault(problem.message, ".".join(str(part) for part in problem.path), problem.remedy)
        for problem in error.problems
    ]
