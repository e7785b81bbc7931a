"""A router and an nginx to be compared: each alone, one worker on one core."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from bench.network import description
from bench.speed.load import WrongAnswer, wrk
from bench.speed.processes import Program, free_port

SERVER_CORE = 0
HOST = "vod.example"
FIXED = "http://s0x0.cdn.example/film/1.m4s"
CONNECTIONS = 64

_NGINX = """\
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/temp;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        location / {{ return 302 {fixed}; }}
    }}
}}
"""
_ROUTER = """\
node_id = "router"
workers = 1
state_dir = "{dir}/state"
{more}
[network]
file = "{dir}/network.toml"
[[listen]]
address = "127.0.0.1:{port}"
[admin]
listen = "127.0.0.1:0"
"""
_CONTENT = f"""\
[[class]]
name = "vod"
hosts = ["{HOST}"]
shard_pattern = '/(?P<programme>[^/]+)/(?P<version>[^/]+)/'
shard_key = "{{programme}}/{{version}}"
"""


@dataclass(frozen=True, slots=True)
class Work:
    """What clients ask for. `script` is wrk's, in Lua."""

    name: str
    meaning: str
    script: str


def _asking(path: str, fields: str = "") -> str:
    return (
        "local n = 0\n"
        "request = function()\n"
        "  n = n + 1\n"
        f'  return "GET " .. {path} .. " HTTP/1.1\\r\\nHost: {HOST}\\r\\n"{fields} .. "\\r\\n"\n'
        "end\n"
    )


# Each of all segments comes once before one comes again: 7919 is a prime.
_SEGMENT = (
    '"/film" .. math.floor((n * 7919) % {all} / 600) .. "/v1/" .. (n * 7919) % {all} % 600 '
    '.. ".m4s?t=ab12"'
)
_CLIENT = (
    '.. "X-Forwarded-For: 10." .. math.floor((n * 7919) % 60000 / 256) % 78 .. "." '
    '.. (n * 7919) % 60000 % 256 .. "." .. math.floor((n * 7919) % 60000 / 19968) + 1 .. "\\r\\n"'
)
WORKS = (
    Work("one", "one URL, again and again", _asking('"/film/v1/1.m4s"')),
    Work("known", "6,000 URLs, each asked for often", _asking(_SEGMENT.format(all=6_000))),
    Work("new", "URLs that hardly come again: 20,000 programmes of 600 segments",
         _asking(_SEGMENT.format(all=12_000_000))),
)  # fmt: skip
CLIENTS = Work(
    "clients",
    "60,000 clients of 50 ISPs behind a trusted proxy, URLs that hardly come again",
    _asking(_SEGMENT.format(all=12_000_000), _CLIENT),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """Answers a second on one core, and processor time for each."""

    per_s: float
    cpu_us: float


def measure(program: Program, port: int, work: Work, seconds: float) -> Figure:
    """Let clients ask for some seconds. Raises WrongAnswer where an answer is an error."""
    url = f"http://127.0.0.1:{port}/"
    wrk(url, 1, CONNECTIONS, work.script)
    before_s = program.cpu_s()
    found = wrk(url, seconds, CONNECTIONS, work.script)
    spent_s = program.cpu_s() - before_s
    if not found.requests:
        raise WrongAnswer(f"{work.name}: nothing was answered")
    return Figure(found.per_s, spent_s / found.requests * 1e6)


def start_nginx(directory: Path) -> tuple[Program, int]:
    """Start nginx with one fixed redirect."""
    port = free_port()
    config = directory / "nginx.conf"
    config.write_text(_NGINX.format(dir=directory, port=port, fixed=FIXED))
    program = Program(["nginx", "-c", str(config)], SERVER_CORE, directory / "nginx.log")
    program.wait_for(port)
    return program, port


def start_router(directory: Path, more: str = "") -> tuple[Program, int]:
    """Start a router with one worker."""
    port = free_port()
    (directory / "network.toml").write_text(description(_CONTENT))
    config = directory / "router.toml"
    config.write_text(_ROUTER.format(dir=directory, port=port, more=more))
    command = [str(Path(sys.executable).parent / "headrace"), "router", "--config", str(config)]
    program = Program(command, SERVER_CORE, directory / "router.log")
    program.wait_for(port)
    return program, port


def start_trusting_router(directory: Path) -> tuple[Program, int]:
    """Start a router that believes whoever asks for whom."""
    return start_router(directory, 'trusted_proxies = ["127.0.0.0/8"]')
