"""The feedback loop's part of its one worker process. Run as
`python -m headrace.feedback.worker <descriptor>`; the descriptor is the control channel.
"""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec

from headrace.config.feedback.model import FeedbackConfig
from headrace.feedback.admin.questions import answer_question
from headrace.feedback.handler import FeedbackHandler
from headrace.feedback.known_secrets import KnownSecrets
from headrace.feedback.loop import FeedbackLoop
from headrace.feedback.observe.made import puller_of
from headrace.http.server.context import ServerContext
from headrace.http.server.exchange import Handler
from headrace.node.role import AtCommit, Change, WorkerRole
from headrace.node.worker import run_worker
from headrace.telemetry.metrics import Snapshot, WorkerMetrics
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import View

SECRETS_S = 2.0
SWITCH_S = 0.0005
"""For so long a decision that is being worked out may hold up a probe, each time that it waits.
With the interpreter's 5 ms, probes of good servers would look slow."""


class FeedbackWorker(WorkerRole[FeedbackConfig]):
    """The feedback loop in its worker process."""

    model = FeedbackConfig

    def __init__(self) -> None:
        self.metrics = WorkerMetrics()
        self._loop: asyncio.AbstractEventLoop
        self._feedback: FeedbackLoop | None = None
        self._handler: FeedbackHandler
        self._secrets: KnownSecrets
        self._watching: asyncio.Task[None] | None = None
        self._changing: asyncio.Task[None] | None = None
        self._started = False

    def open(self, config: FeedbackConfig, loop: asyncio.AbstractEventLoop) -> Handler:
        """Read the secrets and what was decided before; return who answers requests.

        Raises HeadraceError or OSError.
        """
        self._loop = loop
        known = self._secrets = KnownSecrets(config)
        known.warn()
        feedback = self._feedback = FeedbackLoop(config, known.network, known.observers)
        self._handler = FeedbackHandler(self.metrics, feedback.waiting, feedback.telling)
        self._watching = loop.create_task(self._watch_secrets())
        return self._handler

    def adopt_network(self, network: NetworkSnapshot, view: View) -> None:
        """Observe this network. A view that others made does not matter here."""
        assert self._feedback is not None
        self._feedback.adopt_network(network)
        if not self._started:
            self._started = True
            self._feedback.start()

    def prepare(self, config: FeedbackConfig) -> Change:
        """Read the secrets, and the token of reports. Raises HeadraceError."""
        secrets = KnownSecrets(config)
        puller_of(config)
        return AtCommit(lambda: self._adopt(config, secrets))

    def _adopt(self, config: FeedbackConfig, secrets: KnownSecrets) -> None:
        feedback = self._feedback
        assert feedback is not None
        self._secrets = secrets
        secrets.warn()
        feedback.use_secrets(secrets.network, secrets.observers)
        before = self._changing

        async def change() -> None:
            if before is not None:
                await before
            await feedback.change(config)

        self._changing = self._loop.create_task(change())

    def drain(self, *, draining: bool) -> None:
        """Keep nobody waiting for a view while draining: it would keep the process from ending."""
        if self._feedback is not None:
            self._feedback.waiting.drain(time.time(), draining=draining)

    def problem(self) -> str:
        """Return why this process is of no use; "" if it is."""
        return "" if self._feedback is None else self._feedback.problem()

    def snapshot(self) -> Snapshot:
        """Return the worker's counts."""
        return self.metrics.snapshot()

    def answer(self, question: msgspec.Raw, server: ServerContext) -> msgspec.Struct | None:
        """Answer what the admin API asks. Raises msgspec.DecodeError."""
        assert self._feedback is not None
        return answer_question(self._feedback, question)

    async def close(self) -> None:
        """Stop observing, and keep what was decided."""
        for task in (self._watching, self._changing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._feedback is not None:
            await self._feedback.close()

    async def _watch_secrets(self) -> None:
        while True:
            await asyncio.sleep(SECRETS_S)
            secrets = self._secrets
            await asyncio.to_thread(secrets.look)
            assert self._feedback is not None
            if secrets is self._secrets:
                self._feedback.use_secrets(secrets.network, secrets.observers)


def serve(descriptor: int) -> int:
    """Be a worker, whose control channel is `descriptor`; return the exit code."""
    sys.setswitchinterval(SWITCH_S)
    return run_worker(FeedbackWorker, descriptor)


if __name__ == "__main__":
    sys.exit(serve(int(sys.argv[-1])))
