"""The servers that are compared, each with one worker on one core, as they advise themselves."""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.speed.processes import Program

CONFIGS = Path(__file__).parent / "configs"
SERVER_CORE = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer runs: its directory, its ports and its certificate."""

    directory: Path
    origin: int
    plain: int
    tls: int
    cert: Path
    key: Path

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


def start_headrace(place: Place, workers: int = 1, *, origins: str | None = None) -> Program:
    """One edge with a plain and a TLS listener. `origins` is what its service has instead of the
    origin, as TOML; it may go on with other services.
    """
    origin = origins or f'origins = ["http://127.0.0.1:{place.origin}"]\n'
    config = place.directory / "edge.toml"
    config.write_text(
        f'cache_dir = "{place.directory}/cache"\nworkers = {workers}\nlog_level = "warning"\n'
        f'[[listen]]\naddress = "127.0.0.1:{place.plain}"\n'
        f'[[listen]]\naddress = "127.0.0.1:{place.tls}"\ntls = true\n'
        f'[[certificate]]\ncert = "{place.cert}"\nkey = "{place.key}"\n'
        '[tls]\nmin_version = "1.3"\n[store]\nsize = "20GiB"\n'
        "[limits]\nconnections_per_address = 100000\n"
        '[[service]]\nname = "bench"\nhosts = ["*"]\n' + origin
    )
    command = [sys.executable, "-c", "from headrace.cli.main import main; main()"]
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
            "-s", "malloc,2g", "-n", str(place.directory / "varnish"),
            "-p", "thread_pools=1", "-p", "default_ttl=86400", "-p", "timeout_idle=120",
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
    (root / "etc/storage.config").write_text(f"{root}/cache 4G\n")
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
