"""What of a VIP process is stopped or killed: nobody announces for ever what nobody checks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from headrace.node.fork_server import WORKER_NAME
from tests.harness.namespaces import Namespaces
from tests.harness.vip_daemons import own_bird, own_frr
from tests.harness.vip_site import VipServer, VipSite, vip6_of, vip_of

pytestmark = pytest.mark.timeout(600)

WORKER, PROGRAM = WORKER_NAME, "program.py"
Speaking = Callable[[VipServer], dict[str, object]]
SPEAKERS: dict[str, Speaking] = {
    "exabgp": lambda _server: {},
    "bird": lambda server: own_bird(server)[1],
    "frr": lambda server: own_frr(server)[1],
}
WATCHES = {"exabgp": "exabgp/helper.py", "bird": "guard_process", "frr": "guard_process"}


def away(site: VipSite) -> None:
    """Wait until the router sends the VIPs of the one server to nobody."""
    site.goes_to(vip_of(1), None)
    site.goes_to(vip6_of(1), None)


def send(server: VipServer, number: signal.Signals, *words: str) -> None:
    """Send a signal to the processes below the supervisor with those words, "" for itself."""
    for word in words:
        for pid in server.vip.children(word) if word else [server.vip.pid]:
            os.kill(pid, number)


@pytest.mark.parametrize("kind", list(SPEAKERS))
def test_what_hangs_or_is_killed_is_withdrawn_and_comes_back(
    namespaces: Namespaces, open_path: Path, kind: str
) -> None:
    site = VipSite(namespaces, open_path, servers=1)
    server = site.servers[1]
    site.start({"speaker": SPEAKERS[kind](server)})

    # The supervisor is the watch of the worker: both hang, and somebody else sees it.
    send(server, signal.SIGSTOP, "", WORKER)
    away(site)
    send(server, signal.SIGCONT, WORKER, "")
    site.settled()
    # The worker hangs, then it is killed: the supervisor starts another.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        send(server, number, WORKER)
        away(site)
        site.settled()
    # Who watches is watched too.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        (watch,) = server.vip.children(WATCHES[kind])
        os.kill(watch, number)
        site.until(partial(_another, server, kind, watch), "there is another watch")
        site.settled()
    # The supervisor is killed: the worker leaves in good order.
    os.kill(server.vip.pid, signal.SIGKILL)
    away(site)
    assert server.vip.process is not None
    server.vip.process.wait(60)
    server.vip.start()
    site.settled()
    # Both at once.
    send(server, signal.SIGKILL, WORKER, "")
    away(site)
    server.vip.process.wait(60)
    server.vip.start()
    site.settled()
    assert server.vip.stop() == 0
    away(site)
    assert not [one for one in server.where.pids() if _words(one, WATCHES[kind])]


def _another(server: VipServer, kind: str, former: int) -> bool:
    found = server.vip.children(WATCHES[kind])
    return len(found) == 1 and found != [former]


def _words(pid: int, words: str) -> bool:
    try:
        return words in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return False
