"""The servers that are compared, each with one worker on one core, as they advise themselves."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.speed.processes import Program

CONFIGS = Path(__file__).parent / "configs"
SERVER_CORE = 0
CONFIG = "edge.toml"  # of our own, in its place


def store_gib() -> int:
    """What each server may store, so that all of it stays in the page cache of this machine."""
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024**3
    return max(2, min(4, memory_gib // 6))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer runs: its directory, its ports and its certificate."""

    directory: Path
    origin: int
    plain: int
    tls: int
    cert: Path
    key: Path
    store_gib: int

    @property
    def memory_mib(self) -> int:
        """What those may keep that keep objects in memory: HAProxy takes less than 2 GiB."""
        return min(2047, self.store_gib * 512)

    def filled(self, name: str, target: str) -> Path:
        """A configuration of the tree with this place's values, as a file."""
        text = (CONFIGS / name).read_text(encoding="utf-8")
        pem = self.directory / "both.pem"
        pem.write_text(self.cert.read_text() + self.key.read_text())
        path = self.directory / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            text.format(
                dir=self.directory,
                origin=self.origin,
                plain=self.plain,
                tls=self.tls,
                cert=self.cert,
                key=self.key,
                pem=pem,
                store_gib=self.store_gib,
                memory_mib=self.memory_mib,
            )
        )
        return path


@dataclass(frozen=True, slots=True)
class Peer:
    """A server: how to start it, and whether it speaks TLS by itself."""

    name: str
    program: str
    start: Callable[[Place], Program]
    tls: bool = True

    @property
    def installed(self) -> bool:
        return shutil.which(self.program) is not None


def start_headrace(
    place: Place,
    workers: int = 1,
    *,
    origins: str | None = None,
    memory: str = "",
    python: str = sys.executable,
) -> Program:
    """One edge with a plain and a TLS listener. `origins` is what its service has instead of the
    origin, as TOML; other services may follow. `memory` is for small bodies.
    """
    kept = f'memory = "{memory}"\n' if memory else ""
    origin = origins or f'origins = ["http://127.0.0.1:{place.origin}"]\n'
    config = place.directory / CONFIG
    config.write_text(
        f'cache_dir = "{place.directory}/cache"\nworkers = {workers}\nlog_level = "warning"\n'
        f'[[listen]]\naddress = "127.0.0.1:{place.plain}"\n'
        f'[[listen]]\naddress = "127.0.0.1:{place.tls}"\ntls = true\n'
        f'[[certificate]]\ncert = "{place.cert}"\nkey = "{place.key}"\n'
        '[tls]\nmin_version = "1.3"\n[store]\n'
        f'size = "{place.store_gib}GiB"\n{kept}'
        "[limits]\nconnections_per_address = 100000\n"
        # Idle connections are one of the works, and others have their turns meanwhile.
        "[timeouts]\nidle = 120\n"
        '[[service]]\nname = "bench"\nhosts = ["*"]\n' + origin
    )
    command = [python, "-c", "from headrace.cli.main import main; main()"]
    return Program(
        [*command, "edge", "--config", str(config)], SERVER_CORE, place.directory / "log"
    )


def start_nginx(place: Place) -> Program:
    config = place.filled("nginx.conf", "nginx.conf")
    return Program(["nginx", "-c", str(config)], SERVER_CORE, place.directory / "log")


def start_varnish(place: Place) -> Program:
    vcl = place.filled("varnish.vcl", "varnish.vcl")
    return Program(
        [
            "varnishd", "-F", "-a", f"127.0.0.1:{place.plain}", "-f", str(vcl),
            "-s", f"malloc,{place.memory_mib}m", "-n", str(place.directory / "varnish"),
            "-p", "thread_pools=1", "-p", "default_ttl=86400", "-p", "timeout_idle=120",
            # It evicts 50 objects for a new one and then gives up with 503: too few where many
            # of 1 KB make room for one of 2 MB.
            "-p", "nuke_limit=1000000",
        ],
        SERVER_CORE,
        place.directory / "log",
    )  # fmt: skip


def start_haproxy(place: Place) -> Program:
    config = place.filled("haproxy.cfg", "haproxy.cfg")
    return Program(["haproxy", "-db", "-f", str(config)], SERVER_CORE, place.directory / "log")


def start_trafficserver(place: Place) -> Program:
    root = place.directory
    for name in ("etc", "cache", "run", "logs"):
        (root / name).mkdir(exist_ok=True)
    place.filled("records.config", "etc/records.config")
    (root / "etc/remap.config").write_text(f"map / http://127.0.0.1:{place.origin}/\n")
    (root / "etc/storage.config").write_text(f"{root}/cache {place.store_gib}G\n")
    (root / "etc/ip_allow.yaml").write_text(
        "ip_allow:\n  - apply: in\n    ip_addrs: 127.0.0.0/8\n    action: allow\n    methods: ALL\n"
    )
    (root / "etc/ssl_multicert.config").write_text(
        f"dest_ip=* ssl_cert_name={place.cert} ssl_key_name={place.key}\n"
    )
    (root / "runroot.yaml").write_text(
        f"prefix: {root}\nexec_prefix: /usr\nbindir: /usr/bin\nsbindir: /usr/sbin\n"
        f"sysconfdir: {root}/etc\ndatadir: {root}/cache\nincludedir: /usr/include\n"
        f"libdir: /usr/lib\nlibexecdir: /usr/lib/trafficserver/modules\n"
        f"localstatedir: {root}/run\nruntimedir: {root}/run\nlogdir: {root}/logs\n"
        f"cachedir: {root}/cache\n"
    )
    return Program(["traffic_server", f"--run-root={root}/runroot.yaml"], SERVER_CORE, root / "log")


PEERS = (
    Peer("headrace", "python3", start_headrace),
    Peer("nginx", "nginx", start_nginx),
    Peer("varnish", "varnishd", start_varnish, tls=False),
    Peer("trafficserver", "traffic_server", start_trafficserver),
    Peer("haproxy", "haproxy", start_haproxy),
)
HEADRACE_TWO_WORKERS = Peer("headrace", "python3", functools.partial(start_headrace, workers=2))
HEADRACE_WITHOUT_MEMORY = Peer(
    "headrace", "python3", functools.partial(start_headrace, memory="64KiB")
)
"""Small objects come from the store, as they do where there are more than memory holds."""
