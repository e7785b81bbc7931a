"""A site in network namespaces: the ISP's router with BIRD, and servers with an edge and a VIP
process each, all of them real. Clients are where the router is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.harness.certificates import Authority, Pair
from tests.harness.namespaces import Namespace, Namespaces
from tests.harness.polling import eventually
from tests.harness.speakers import BirdRouter
from tests.harness.toml import to_toml
from tests.harness.warm import Process

ROOT = Path(__file__).parents[2]
HEADRACE = str(Path(sys.executable).parent / "headrace")
PATIENCE_S = 60.0
HOST, PROBE, LARGE = "vod.example", "/probe", "/large"
BODY = b"a small object that is checked\n"
LARGE_BYTES = 32 * 1024 * 1024
ROUTER_AS, SITE_AS = 64500, 64510
SECRET = "a-secret-of-tests-that-is-long-enough-for-it"
TOKEN = "a-token-for-tests-only"


def vip_of(number: int) -> str:
    """The VIP of server `number`."""
    return f"192.0.2.{number}"


def vip6_of(number: int) -> str:
    """Its VIP of IPv6."""
    return f"2001:db8::{number}"


@dataclass
class Program:
    """A process of `headrace` with its log, in a namespace. `words` follow the command."""

    where: Namespace
    words: list[str]
    log_file: Path
    process: Process | None = None

    def start(self) -> None:
        """Start it."""
        self.process = self.where.start_headrace(self.words, self.log_file, ROOT)

    @property
    def pid(self) -> int:
        """The process."""
        assert self.process is not None
        return self.process.pid

    def children(self, word: str = "") -> list[int]:
        """The processes below it whose command, or whose name, has the word."""
        found = []
        for child in psutil.Process(self.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any(word in part for part in (child.name(), *child.cmdline())):
                    found.append(child.pid)
        return found

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and to all below it."""
        for pid in (self.pid, *self.children()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Kill it, and all below it."""
        self.send(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def log(self) -> str:
        """What it has logged."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""


class VipServer:
    """One server: namespace, edge and VIP process."""

    def __init__(self, site: VipSite, number: int, where: Namespace) -> None:
        self.number = number
        self.name = f"s{number}"
        self.where = where
        self.directory = site.directory / self.name
        self.directory.mkdir()
        self.state_dir = self.directory / "vip"
        self.edge = Program(
            where,
            ["edge", "--config", str(self.directory / "edge.toml")],
            self.directory / "edge.log",
        )
        self.vip = Program(
            where,
            ["vip", "run", "--config", str(self.directory / "vip.toml")],
            self.directory / "vip.log",
        )
        self._site = site

    @property
    def own(self) -> str:
        """Its own address."""
        return f"10.99.{self.number}.2"

    def write_edge(self, pair: Pair, **changes: object) -> None:
        """Write the edge's configuration."""
        document: dict[str, object] = {
            "node_id": f"edge-{self.name}",
            "workers": 1,
            "cache_dir": self.directory / "cache",
            "drain_timeout": 5,
            "listen": [{"address": "[::]:80"}, {"address": "[::]:443", "tls": True}],
            "certificate": [{"cert": pair.cert, "key": pair.key}],
            "admin": {"listen": "127.0.0.1:9090", "token": TOKEN},
            "store": {"size": "64MiB", "slice": "256KiB"},
            "service": [
                {"name": "vod", "hosts": [HOST], "origins": [f"http://{self._site.origin}"]}
            ],
        }
        (self.directory / "edge.toml").write_text(to_toml({**document, **changes}))

    def write_vip(self, **changes: object) -> None:
        """Write the VIP process's configuration; tables are joined, without what is None."""
        token = self.directory / "edge.token"
        token.write_text(TOKEN + "\n")
        number = self.number
        routers = [
            {"address": f"10.99.{number}.1", "local_address": self.own},
            {"address": f"fd99:{number}::1", "local_address": f"fd99:{number}::2"},
        ]
        document: dict[str, Any] = {
            "state_dir": self.state_dir,
            "network": {
                "file": self._site.network_file,
                "server": self.name,
                "secret_file": self._site.secret_file,
                "view": self._site.directory / "view.json",
            },
            "listen": [{"address": f"{self.own}:8093"}],
            "admin": {"listen": "127.0.0.1:9093"},
            # The interpreter lies where only root can read it, in development.
            "speaker": {"as": SITE_AS, "user": "root"},
            "router": [{**one, "as": ROUTER_AS, "hold_time": 3} for one in routers],
            "checking": {"ca": self._site.authority.ca_file},
            "check": [
                {
                    "host": HOST,
                    "path": PROBE,
                    "sha256": hashlib.sha256(BODY).hexdigest(),
                    "stored": True,
                }
            ],
            "edge": {"admin": "http://127.0.0.1:9090", "token_file": token},
        }
        before = dict(document)
        for key, value in changes.items():
            document[key] = value
            former = before.get(key)
            if isinstance(value, Mapping) and isinstance(former, Mapping):
                joined = {**former, **value}
                document[key] = {name: one for name, one in joined.items() if one is not None}
        document = {key: value for key, value in document.items() if value is not None}
        (self.directory / "vip.toml").write_text(to_toml(document))

    def ready(self) -> None:
        """Wait until both processes answer. Raises AssertionError when one ends."""

        def answers() -> bool:
            for one in (self.edge, self.vip):
                ended = one.process is None or one.process.poll() is not None
                assert not ended, f"{one.words[0]} ended:\n{one.log()[-4000:]}"
            return "live" in self.curl("http://127.0.0.1:9093/live") and bool(self.status())

        eventually(answers, f"{self.name} answers", PATIENCE_S, every_s=0.2)

    def headrace(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `headrace vip` there."""
        config = ["--config", str(self.directory / "vip.toml")]
        return self.where.run_headrace(["vip", *words, *config], PATIENCE_S)

    def status(self) -> Any:
        """What the VIP process knows; {} while it does not answer.

        Asked again and again, so not by `headrace vip status`, which takes as long as a start.
        """
        return ask_admin(self.where, "http://127.0.0.1:9093/vip/status", self.state_dir)

    def curl(self, *words: str) -> str:
        """Ask something there; "" where it fails."""
        done = subprocess.run(
            [*self.where.prefix, "curl", "-sS", "-m", "10", *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout

    def bound(self) -> set[str]:
        """The VIPs that are bound there."""
        return set(re.findall(r"\b(192\.0\.2\.\d+|2001:db8::\d+)/", self.where.ip("addr", "show")))

    def events(self) -> str:
        """What it says has changed."""
        return self.headrace("events").stdout


def ask_admin(where: Namespace, url: str, state_dir: Path) -> Any:
    """Return what an admin API says to a GET; {} where it does not answer."""
    token_file = state_dir / "admin.token"
    if not token_file.exists():
        return {}
    field = f"Authorization: Bearer {token_file.read_text().strip()}"
    done = subprocess.run(
        [*where.prefix, "curl", "-sS", "-m", "10", "--fail", "-H", field, url],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return json.loads(done.stdout) if done.returncode == 0 else {}


class VipSite:
    """The site. `router` is BIRD; server n has the VIPs 192.0.2.n and 2001:db8::n."""

    def __init__(self, namespaces: Namespaces, directory: Path, servers: int = 2) -> None:
        self.directory = directory
        self.where = namespaces.add("router")
        self.authority = Authority(directory / "ca")
        self.pair = self.authority.issue(HOST, file_name="vod")
        self.secret_file = directory / "secret"
        self.secret_file.write_text(SECRET + "\n")
        self.secret_file.chmod(0o600)
        self.network_file = directory / "network.toml"
        self.origin = "10.99.1.1:8000"
        files = directory / "files"
        files.mkdir()
        (files / PROBE[1:]).write_bytes(BODY)
        (files / LARGE[1:]).write_bytes(os.urandom(LARGE_BYTES))
        self.servers: dict[int, VipServer] = {}
        for number in range(1, servers + 1):
            where = namespaces.add(f"s{number}")
            namespaces.link(
                (where, "up", [f"10.99.{number}.2/30", f"fd99:{number}::2/64"]),
                (self.where, f"s{number}", [f"10.99.{number}.1/30", f"fd99:{number}::1/64"]),
            )
            where.ip("route", "add", "default", "via", f"10.99.{number}.1")
            where.ip("-6", "route", "add", "default", "via", f"fd99:{number}::1")
            self.servers[number] = VipServer(self, number, where)
        self.where.popen(
            [
                *(sys.executable, "-m", "tests.harness.run_file_origin", str(files)),
                *self.origin.split(":"),
            ],
            cwd=ROOT,
        )
        self.describe()
        self.router = BirdRouter(self.where, directory, self._bird())

    def describe(
        self,
        announce: str = "",
        more: str = "",
        states: Mapping[int, str] = {},
        without: Collection[int] = (),
    ) -> None:
        """Write the description, in which the servers `without` VIPs have none."""
        text = (
            '[[network]]\nname = "isp"\nprefixes = ["198.51.100.0/24"]\n'
            f'[[site]]\nname = "site"\nnetwork = "isp"\n[site.announce]\n{announce}\n'
        )
        for number, server in self.servers.items():
            state = f'state = "{states[number]}"\n' if number in states else ""
            text += (
                f'[[server]]\nname = "{server.name}"\nsite = "site"\nhost = "{server.name}.example"'
                f'\nipv4 = ["10.99.{number}.2"]\nipv6 = ["fd99:{number}::2"]\n{state}'
            )
            if number not in without:
                text += f'vips = [{{ ipv4 = "{vip_of(number)}", ipv6 = "{vip6_of(number)}" }}]\n'
        text += (
            '[[coverage]]\nname = "all"\ndefault = true\nnetworks = ["isp"]\n'
            f'sites = [{{ name = "site" }}]\n[[class]]\nname = "everything"\n{more}\n'
        )
        new = self.network_file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.network_file)

    def start(self, vip: Mapping[str, object] = {}, edge: Mapping[str, object] = {}) -> None:
        """Start everything, and wait until each VIP goes to its own server."""
        for server in self.servers.values():
            server.write_edge(self.pair, **edge)
            server.write_vip(**vip)
            server.edge.start()
            server.vip.start()
        for server in self.servers.values():
            server.ready()
        self.settled()

    def settled(self) -> None:
        """Wait until each VIP goes to its own server."""
        for number in self.servers:
            self.goes_to(vip_of(number), number)
            self.goes_to(vip6_of(number), number)

    def goes_to(self, vip: str, number: int | None, within_s: float = PATIENCE_S) -> None:
        """Wait until the router sends a VIP to a server (None: to nobody)."""
        v6 = ":" in vip
        prefix = f"{vip}/{128 if v6 else 32}"
        hop = None
        if number is not None:
            hop = f"fd99:{number}::2" if v6 else f"10.99.{number}.2"
        try:
            self.router.goes_via(prefix, hop, within_s)
        except AssertionError as error:
            logs = "\n".join(
                f"{one.name}: {one.headrace('status').stdout}\n{one.vip.log()[-3000:]}"
                for one in self.servers.values()
            )
            via = self.router.via(prefix)
            raise AssertionError(f"{error}; it goes via {via}\n{logs}") from None

    def fetch(self, vip: str, path: str = PROBE) -> bytes:
        """What a client gets from a VIP, by TLS; b"" where it fails."""
        host = f"[{vip}]" if ":" in vip else vip
        done = subprocess.run(
            [*self.where.prefix, "curl", "-sS", "-m", "5", "--cacert",
             str(self.authority.ca_file), "--resolve", f"{HOST}:443:{host}",
             f"https://{HOST}{path}"],
            capture_output=True, check=False,
        )  # fmt: skip
        return done.stdout

    def until(self, probe: Callable[[], object], what: str) -> None:
        """Wait until something holds; what it costs is not asked often."""
        eventually(probe, what, PATIENCE_S, every_s=0.2)

    def _bird(self) -> str:
        text = (
            "router id 10.99.0.1;\n"
            "protocol kernel { ipv4 { export all; }; }\nprotocol kernel { ipv6 { export all; }; }\n"
        )
        for number in self.servers:
            for version, net in ((4, f"10.99.{number}."), (6, f"fd99:{number}::")):
                text += (
                    f"protocol bgp s{number}v{version} {{ local {net}1 as {ROUTER_AS}; "
                    f"neighbor {net}2 as {SITE_AS}; hold time 3; error wait time 1,5; "
                    f"connect retry time 2; ipv{version} {{ import all; export none; }}; }}\n"
                )
        return text
