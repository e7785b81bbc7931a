"""Asks servers what coverage they learnt, and keeps it in the files that the description names.

A server that is gone, hangs or lies costs its own question and nothing else. A file is replaced
whole, and only when its prefixes are others; what follows the description takes it up from there.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from headrace.config.peer_secrets import read_secrets
from headrace.node.network.files import Signature, signature_of
from headrace.node.network.learnt_sets import LearntSets, sources_of
from headrace.node.network.signed import Secrets
from headrace.node.network.signed_client import NoAnswer, SignedClient
from headrace.telemetry.network import LearntFacts
from headrace.topology.learnt_document import (
    LARGEST_BYTES,
    LearntError,
    decode_learnt,
    texts_of,
)
from headrace.topology.model import Coverage, Server, Topology
from headrace.topology.prefix_file import read_prefix_file
from headrace.topology.prefix_set import NO_PREFIXES, PrefixSet

PATH = "/v1/coverage"
POLL_S = 5.0
ANSWER_S = 4.0
MOST_AT_ONCE = 16
FAULT_WAIT_S = 10.0
_HEADER = "# Learnt from the ISP's routers by the servers of {site}. Replaced by Headrace.\n"

log = structlog.get_logger("headrace.network")


class LearntPuller:
    """Asks all servers in turns. `topology` returns the network in force; `ca` has the authorities
    of https URLs.
    """

    def __init__(
        self, topology: Callable[[], Topology], secret_file: Path, ca: Path | None = None
    ) -> None:
        self._topology = topology
        self._secret_file = secret_file
        self._ca = ca
        self._sets = LearntSets()
        self._described: Topology | None = None
        self._present: dict[str, PrefixSet] = {}
        self._problems: dict[str, str] = {}
        self._read: dict[Path, tuple[Signature, PrefixSet]] = {}

    def facts(self) -> LearntFacts:
        """Return what there is to report."""
        return LearntFacts(
            {name: len(prefixes) for name, prefixes in self._present.items()},
            dict(self._sets.refused),
            dict(self._sets.first),
            dict(self._problems),
        )

    async def run(self) -> None:
        """Ask until it is cancelled."""
        client = await self._client()
        try:
            while True:
                try:
                    await self._round(client)
                except Exception:  # a fault of ours must not end the following
                    log.exception("coverage_not_learnt")
                await asyncio.sleep(POLL_S)
        finally:
            await client.close()

    async def _client(self) -> SignedClient:
        """Return what asks; wait for a file of authorities that cannot be used now."""
        while True:
            try:
                return SignedClient.open(LARGEST_BYTES, self._ca)
            except OSError as error:
                self._told("authorities", f"{self._ca}: {error}")
                await asyncio.sleep(FAULT_WAIT_S)

    async def _round(self, client: SignedClient) -> None:
        topology = self._topology()
        servers = sources_of(topology)
        if topology is not self._described:
            self._described = topology
            self._sets.forget(topology)
            names = {one.name for one in servers}
            self._problems = {k: v for k, v in self._problems.items() if k in names}
        if not servers:
            return
        try:
            secrets = await asyncio.to_thread(read_secrets, self._secret_file)
        except (ValueError, OSError) as error:
            self._told("secret", str(error))
            return
        limit = asyncio.Semaphore(MOST_AT_ONCE)

        async def ask(server: Server) -> None:
            async with limit:
                await self._ask(client, server, topology, secrets)

        await asyncio.gather(*map(ask, servers))
        await asyncio.to_thread(self._write, topology)

    async def _ask(
        self, client: SignedClient, server: Server, topology: Topology, secrets: Secrets
    ) -> None:
        url = server.vip_listener_url
        target = f"{PATH}?after={self._sets.digest(server.name)}"
        try:
            data = await client.ask(url, target, secrets, ANSWER_S)
            if data is None:
                self._sets.unchanged(server, time.monotonic())
            else:
                # A full table takes a while to be read.
                await asyncio.to_thread(self._offer, server, data, topology)
        except (NoAnswer, LearntError) as error:
            if self._problems.get(server.name) != str(error):
                log.warning("coverage_not_learnt", server=server.name, problem=str(error))
            self._problems[server.name] = str(error)
            if isinstance(error, LearntError):
                self._sets.refused[error.kind] += 1
            return
        if self._problems.pop(server.name, None) is not None:
            log.info("coverage_learnt_again", server=server.name)

    def _offer(self, server: Server, data: bytes, topology: Topology) -> None:
        """Take a document. Raises LearntError."""
        document = decode_learnt(data, server.name, topology.name)
        self._sets.offer(server, document, topology, time.monotonic())

    def _write(self, topology: Topology) -> None:
        """Replace the files whose prefixes are others."""
        for coverage, prefixes in self._sets.wanted(topology, self._in_file, time.monotonic()):
            assert coverage.learnt is not None
            path = Path(coverage.learnt.file)
            try:
                if self._in_file(coverage) != prefixes or not path.exists():
                    write_learnt(path, prefixes, coverage.learnt.site)
                    log.info("coverage_learnt", coverage=coverage.name, prefixes=len(prefixes))
            except OSError as error:
                self._told(coverage.name, f"{path} cannot be written: {error.strerror}")
            else:
                self._present[coverage.name] = prefixes
                self._problems.pop(coverage.name, None)

    def _in_file(self, coverage: Coverage) -> PrefixSet:
        """Return the prefixes that a coverage has learnt; none of a file that is damaged."""
        assert coverage.learnt is not None
        path = Path(coverage.learnt.file)
        signature = signature_of(path)
        if signature is None:
            return NO_PREFIXES
        known = self._read.get(path)
        if known is None or known[0] != signature:
            read = read_prefix_file(path)
            known = self._read[path] = (signature, NO_PREFIXES if read.faults else read.prefixes)
        return known[1]

    def _told(self, about: str, problem: str) -> None:
        if self._problems.get(about) != problem:
            self._problems[about] = problem
            log.error("coverage_not_kept", about=about, problem=problem)


def write_learnt(path: Path, prefixes: PrefixSet, site: str) -> None:
    """Replace a file of learnt prefixes, in one step. Raises OSError."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(new, flags, 0o644), "w", encoding="ascii") as file:
            file.write(_HEADER.format(site=site))
            file.writelines(f"{text}\n" for text in texts_of(prefixes))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
