"""The same events where keepalived moves an address by VRRP, to be set beside drills of a lab.

A router with a client behind it, and two servers on one segment of it: VRRP needs that both are on
one. The servers are the lab's origins; they have the address in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from headrace.lab.drill.bodies import long_body, small_body
from headrace.lab.drill.figures import Figures, Seen, figures_of
from headrace.lab.drill.process import ENDS_S, ClientProcess
from headrace.lab.drill.records import Orders, Target
from headrace.lab.drill.series import Row, digest
from headrace.lab.errors import LabError
from headrace.lab.namespaces.namespace import End, Namespace, link
from headrace.lab.network.plan import PREFIX

VIP = "192.0.2.10"
EVENTS = {
    "kill": "kill -9 of keepalived",
    "server-kill": "kill -9 of the server, checked each second",
    "link-down": "link down",
    "black-hole": "black hole",
}
ADVERTS_S = (1.0, 0.1)
_SERVERS = ("one", "two")
_PORT = 80
_EVERY_S, _PATIENCE_S = 0.01, 0.9
_BEGIN_S, _BEFORE_S, _AFTER_S = 0.2, 1.0, 5.5
_HOME_WITHIN_S = 40.0
_POLL_S = 0.1
Ran = Callable[[Row, Figures], None]


def configuration(server: str, advert_s: float) -> str:
    """Return keepalived's configuration. Pure."""
    first = server == _SERVERS[0]
    return f"""\
global_defs {{
  router_id {server}
  vrrp_version 3
  script_user root
}}
vrrp_script serves {{
  script "/usr/bin/curl -sf -m 1 -o /dev/null http://127.0.0.1/probe.mp4"
  interval 1
  timeout 1
  fall 1
  rise 1
  weight -50
}}
vrrp_instance site {{
  state {"MASTER" if first else "BACKUP"}
  interface up
  virtual_router_id 51
  priority {120 if first else 100}
  advert_int {advert_s:g}
  virtual_ipaddress {{
    {VIP}/24 dev up
  }}
  track_script {{
    serves
  }}
}}
"""


class Vrrp:
    """Two servers, a router and a client. Use as a context manager."""

    def __init__(self, directory: Path, lab: str, advert_s: float) -> None:
        self._directory = directory
        self._advert_s = advert_s
        # Of the lab by its name: whatever ends this process, what is left goes with the lab.
        self._spaces = {
            role: Namespace(f"{PREFIX}{lab}.vrrp{1000 * advert_s:g}-{role}")
            for role in ("router", "client", *_SERVERS)
        }
        self._processes: dict[tuple[str, str], subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Vrrp:
        """Build it. Raises LabError, OSError."""
        if shutil.which("keepalived") is None:
            raise LabError("keepalived is not installed: apt-get install keepalived")
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        """Remove it."""
        for space in self._spaces.values():
            space.remove()
        for process in self._processes.values():
            process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _build(self) -> None:
        for space in self._spaces.values():
            space.remove()
            space.add()
        router = self._spaces["router"]
        router.ip("link", "add", "name", "lan", "type", "bridge", "forward_delay", "0")
        router.ip_lines(["address add 192.0.2.1/24 dev lan", "link set dev lan up"])
        client = End(self._spaces["client"], "up", ["198.51.100.2/24"])
        link(client, End(router, "client", ["198.51.100.1/24"]))
        client.where.ip("route", "add", "default", "via", "198.51.100.1")
        for number, server in enumerate(_SERVERS, 2):
            link(End(self._spaces[server], "up", [f"192.0.2.{number}/24"]), End(router, server))
            router.ip("link", "set", "dev", server, "master", "lan")
            self._spaces[server].ip("route", "add", "default", "via", "192.0.2.1")
            (self._directory / f"{server}.conf").write_text(configuration(server, self._advert_s))

    def _ensure(self) -> None:
        """Start what does not run."""
        for server in _SERVERS:
            files = (f"{self._directory}/{server}{end}" for end in (".conf", ".pid", ".vrrp"))
            conf, pid, vrrp = files
            self._start(
                server,
                "server",
                *(sys.executable, "-m", "headrace.lab.origin", "--host", "0.0.0.0"),
                *("--port", str(_PORT)),
            )
            self._start(
                server,
                "keepalived",
                *("keepalived", "--dont-fork", "--vrrp", "--log-console", "--use-file", conf),
                *("--pid", pid, "--vrrp_pid", vrrp),
            )

    def _start(self, server: str, what: str, *command: str) -> None:
        running = self._processes.get((server, what))
        if running is not None and running.poll() is None:
            return
        inside = [sys.executable, "-m", "headrace.lab.namespaces.inside"]
        with (self._directory / f"{server}-{what}.log").open("ab") as log:
            self._processes[server, what] = subprocess.Popen(
                [*inside, self._spaces[server].name, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _has_address(self, server: str) -> bool:
        return f"{VIP}/" in self._spaces[server].ip("-4", "address", "show", "dev", "up")

    async def _home(self) -> None:
        """Wait until the first server has the address, and it alone. Raises LabError."""
        until_s = time.monotonic() + _HOME_WITHIN_S
        since_s = time.monotonic()
        while time.monotonic() - since_s < 10 * _POLL_S:
            if [self._has_address(one) for one in _SERVERS] != [True, False]:
                since_s = time.monotonic()
            if time.monotonic() > until_s:
                raise LabError("keepalived does not bring the address home")
            await asyncio.sleep(_POLL_S)

    def _happen(self, event: str) -> None:
        first, router = self._spaces[_SERVERS[0]], self._spaces["router"]
        match event:
            case "kill" | "server-kill":
                name = "keepalived" if event == "kill" else "server"
                os.killpg(self._processes[_SERVERS[0], name].pid, signal.SIGKILL)
            case "link-down":
                router.ip("link", "set", "dev", _SERVERS[0], "down")
            case "black-hole":
                first.nft(
                    "table inet hole {\n"
                    " chain in { type filter hook prerouting priority -300; drop; }\n"
                    " chain out { type filter hook postrouting priority -300; drop; }\n}\n"
                )

    async def _heal(self) -> None:
        self._spaces["router"].ip("link", "set", "dev", _SERVERS[0], "up")
        with contextlib.suppress(LabError):  # there is no hole
            self._spaces[_SERVERS[0]].nft("delete table inet hole\n")
        self._ensure()
        await self._home()

    async def once(self, event: str) -> Figures:
        """Let one event happen under load, and return what it cost. Raises LabError."""
        await self._heal()
        async with ClientProcess(self._spaces["client"].name) as client:
            from_s = time.monotonic() + _BEGIN_S
            until_s = from_s + _BEFORE_S + _AFTER_S + ENDS_S
            target = Target(VIP, _PORT, _EVERY_S)
            orders = Orders(
                from_s, until_s, "vrrp", small_body(), long_body(), _PATIENCE_S, targets=[target]
            )
            await client.begin(orders)
            await asyncio.sleep(max(0.0, from_s + _BEFORE_S - time.monotonic()))
            event_s = time.monotonic()
            await asyncio.to_thread(self._happen, event)
            await asyncio.sleep(_AFTER_S)
            ended_s = time.monotonic()
            record = await client.end()
        return figures_of(
            Seen(from_s, event_s, None, ended_s, _PATIENCE_S, {VIP: "one"}, [VIP], [], [record], [])
        )


def vrrp_rows() -> list[Row]:
    """Return the rows of every event, with slow and with quick advertisements. Pure."""
    return [
        Row(
            f"vrrp-{event}-{1000 * advert_s:g}ms",
            f"keepalived, adverts each {advert_s:g} s: {words}",
            digest(configuration(_SERVERS[0], advert_s), event, f"{_BEFORE_S} {_AFTER_S}"),
        )
        for advert_s in ADVERTS_S
        for event, words in EVENTS.items()
    ]


async def beside(root: Path, lab: str, repeat: int, rows: Sequence[Row], ran: Ran) -> None:
    """Run what is left of `rows`, as `vrrp_rows` makes them, those of slow and of quick
    advertisements at the same time; `ran` is told of each run. Raises LabError, OSError.
    """
    by_name = {row.name: row for row in rows}

    async def with_adverts(advert_s: float) -> None:
        with Vrrp(root / f"{lab}-vrrp{1000 * advert_s:g}", lab, advert_s) as vrrp:
            for event in EVENTS:
                row = by_name[f"vrrp-{event}-{1000 * advert_s:g}ms"]
                while row.left(repeat):
                    ran(row, await vrrp.once(event))

    await asyncio.gather(*(with_adverts(advert_s) for advert_s in ADVERTS_S))
