"""What the servers of a lab say of their VIPs: each is asked for what its checks find."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from headrace.lab.errors import LabError
from headrace.lab.namespaces.enter import inside
from headrace.lab.network.configuration import VIP_ADMIN, token_file
from headrace.lab.network.plan import Kind, LabPlan, Machine
from headrace.vip.admin.models import Status

_ASKING_S = 2.0
_AT_ONCE = 8
_MOST_BYTES = 4 * 1024 * 1024
# Made before there are threads: two that are the first to decode a type can end the process with a
# segmentation fault (msgspec 0.22).
_decoder = msgspec.json.Decoder(Status)

Checks = dict[str, dict[str, str]]
"""By VIP and server: sound, degraded, failed, or what else the server says of it."""


def ask_checks(plan: LabPlan) -> Checks:
    """Return what the checks of all servers find. A server that does not answer is not in it."""
    try:
        token = token_file(plan).read_text().strip()
    except OSError:
        return {}
    servers = plan.of(Kind.SERVER)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda machine: _ask(plan, machine, token), servers)
    return merged(zip((machine.name for machine in servers), found, strict=True))


def merged(answers: Iterable[tuple[str, Status | None]]) -> Checks:
    """Return the answers of servers by VIP."""
    found: Checks = {}
    for server, status in answers:
        for row in status.vips if status is not None else []:
            found.setdefault(row.vip, {})[server] = row.soundness
    return found


def _ask(plan: LabPlan, machine: Machine, token: str) -> Status | None:
    try:
        return inside(plan.namespace(machine.name), lambda: _get(machine.ipv4, token))
    except (LabError, OSError, http.client.HTTPException, msgspec.MsgspecError):
        return None


def _get(address: str, token: str) -> Status:
    connection = http.client.HTTPConnection(address, VIP_ADMIN, timeout=_ASKING_S)
    try:
        connection.request("GET", "/vip/status", headers={"Authorization": f"Bearer {token}"})
        return _decoder.decode(connection.getresponse().read(_MOST_BYTES))
    finally:
        connection.close()
