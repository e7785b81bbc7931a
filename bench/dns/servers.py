"""The router, Knot and PowerDNS, each alone with one worker on one core."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import dns.message
import dns.query
from tests.harness.dns_server import free_port

from bench.dns.zone import CONTENT, ZONE, names, zone_file
from bench.network import description
from bench.speed.processes import NotStarted, Program

SERVER_CORE = 0
START_S = 30.0

_ROUTER = """\
node_id = "router"
workers = 1
state_dir = "{dir}/state"
[network]
file = "{dir}/network.toml"
[[listen]]
address = "127.0.0.1:0"
[dns]
listen = ["127.0.0.1:{port}"]
[dns.limits]
responses_per_second = 0
[[dns.zone]]
name = "{zone}"
nameservers = ["ns1.cdn.example"]
"""
_KNOT = """\
server:
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    rundir: {dir}
    edns-client-subnet: on
database:
    storage: {dir}
log:
  - target: stderr
    any: warning
zone:
  - domain: {zone}
    file: {dir}/zone
"""
_PDNS = """\
launch=bind
bind-config={dir}/named.conf
local-address=127.0.0.1
local-port={port}
receiver-threads=1
distributor-threads=1
edns-subnet-processing=yes
socket-dir={dir}
daemon=no
guardian=no
loglevel=3
cache-ttl=60
"""


def start_router(directory: Path) -> tuple[Program, int]:
    """Start the router over a network of 400 servers."""
    (directory / "network.toml").write_text(description(CONTENT))
    headrace = str(Path(sys.executable).parent / "headrace")
    config = directory / "router.toml"
    return _start(directory, config, _ROUTER, [headrace, "router", "--config", str(config)])


def start_knot(directory: Path) -> tuple[Program, int]:
    """Start Knot with the static zone."""
    config = directory / "knot.conf"
    return _start(directory, config, _KNOT, ["knotd", "-c", str(config)])


def start_powerdns(directory: Path) -> tuple[Program, int]:
    """Start PowerDNS with the static zone."""
    (directory / "named.conf").write_text(
        f'zone "{ZONE}" {{ type master; file "{directory}/zone"; }};\n'
    )
    command = ["pdns_server", f"--config-dir={directory}"]
    return _start(directory, directory / "pdns.conf", _PDNS, command)


SERVERS: dict[str, Callable[[Path], tuple[Program, int]]] = {
    "headrace": start_router,
    "knot": start_knot,
    "powerdns": start_powerdns,
}


def _start(directory: Path, config: Path, template: str, command: list[str]) -> tuple[Program, int]:
    port = free_port()
    directory.chmod(0o777)  # some give up root
    (directory / "zone").write_text(zone_file())
    config.write_text(template.format(dir=directory, port=port, zone=ZONE))
    program = Program(command, SERVER_CORE, directory / "log")
    question = dns.message.make_query(names()[0], "A")
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            answer = dns.query.udp(question, "127.0.0.1", 0.5, port)
        except (OSError, dns.exception.DNSException):
            time.sleep(0.05)
            continue
        if answer.answer:
            return program, port
    program.stop()
    raise NotStarted(f"{command[0]} answers nothing:\n{program.log.read_text()[-1500:]}")
