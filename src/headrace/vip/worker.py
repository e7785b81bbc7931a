"""The part of the one worker process that checks and announces. Run as
`python -m headrace.vip.worker <descriptor>`; the descriptor is the control channel.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from headrace.config.vip.model import VipConfig
from headrace.http.server.context import ServerContext
from headrace.http.server.exchange import Handler
from headrace.node.network.watched_secrets import WatchedSecrets
from headrace.node.role import AtCommit, Change, WorkerRole
from headrace.node.worker import run_worker
from headrace.telemetry.metrics import Snapshot, WorkerMetrics
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import View
from headrace.vip.admin.questions import answer_question
from headrace.vip.announcing import Announcing, SpeakerMaker
from headrace.vip.handler import VipHandler
from headrace.vip.speak.made import make_speaker
from headrace.vip.turn import Turn

ACCEPTS_PER_S = 40.0
"""The other servers of a site keep their connections; a flood of others must not delay checks."""


class VipWorker(WorkerRole[VipConfig]):
    """What announces, in its worker process."""

    model = VipConfig
    outlives_supervisor = False
    """Nobody waits for its answers for long, and nobody would end it if it hung."""
    accepts_per_s = ACCEPTS_PER_S

    def __init__(self, maker: SpeakerMaker = make_speaker) -> None:
        self.metrics = WorkerMetrics()
        self._maker = maker
        self._secrets = WatchedSecrets(None)
        self._watching: asyncio.Task[None] | None = None
        self._announcing: Announcing | None = None
        self._started = False
        self._turn: Turn | None = None

    def open(self, config: VipConfig, loop: asyncio.AbstractEventLoop) -> Handler:
        """Read the secrets and what was kept, when the worker before is gone; return who answers
        the other servers.

        Raises HeadraceError or OSError.
        """
        self._turn = Turn.take(config.state_directory)
        known = self._secrets = WatchedSecrets(config.network.secret_file)
        self._watching = loop.create_task(known.watch())
        announcing = self._announcing = Announcing(config, lambda: known.secrets, self._maker)
        return VipHandler(
            self.metrics,
            announcing.document,
            announcing.learning.document,
            lambda: known.secrets,
            announcing.asked_by,
        )

    def adopt_network(self, network: NetworkSnapshot, view: View) -> None:
        """Announce by this network and this view from now on."""
        announcing = self._announcing
        assert announcing is not None
        announcing.adopt_network(network, view)
        if not self._started:
            self._started = True
            announcing.start()

    def prepare(self, config: VipConfig) -> Change:
        """Read the secrets again, and make ready how all are asked.

        Raises HeadraceError or OSError.
        """
        WatchedSecrets(config.network.secret_file)
        announcing = self._announcing
        assert announcing is not None
        asked = announcing.prepare(config)

        def adopt() -> None:
            self._secrets.look()
            announcing.change(asked)

        return AtCommit(adopt)

    def problem(self) -> str:
        """Return why nothing is announced from here; "" where it is."""
        return "" if self._announcing is None else self._announcing.problem()

    def snapshot(self) -> Snapshot:
        """Return the worker's counts."""
        return self.metrics.snapshot()

    def answer(self, question: msgspec.Raw, server: ServerContext) -> msgspec.Struct | None:
        """Answer what the supervisor asks. Raises msgspec.DecodeError."""
        assert self._announcing is not None
        return answer_question(self._announcing, question, os.getpid())

    async def close(self) -> None:
        """Leave the routers, and remove what was bound."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._announcing is not None:
            await self._announcing.close()
        if self._turn is not None:
            self._turn.release()


def serve(descriptor: int) -> int:
    """Be a worker, whose control channel is `descriptor`; return the exit code."""
    return run_worker(VipWorker, descriptor)


if __name__ == "__main__":
    sys.exit(serve(int(sys.argv[-1])))
