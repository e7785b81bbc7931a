"""Load: wrk on the core that the servers leave free, and checks of what they answer."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.tied import tied

LOAD_CORE = 1
HOST = "bench"
IDLE_ANSWER_S = 10.0
TICK_S = 0.1  # so often wrk looks whether it shall stop
LEAST_S = 0.15  # it must be at work
END_S = 10.0
SWALLOWED_BYTES = 1 << 20
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_REQUESTS = re.compile(r"(\d+) requests in ([\d.]+)(ms|s|m), ([\d.]+)([KMGT]?)B read")
_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
_STATUSES = re.compile(r"Non-2xx or 3xx responses: (\d+)")


class WrongAnswer(Exception):
    """A server's answers were not what was asked for: its figure would mean nothing."""


class LoadWasLate(WrongAnswer):
    """The load generator itself did not keep up: this slice says nothing of the server."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What a run of wrk found. `busy` is the share of its cores that wrk took."""

    requests: int
    seconds: float
    read_bytes: float
    busy: float = 0.0

    @property
    def per_s(self) -> float:
        return self.requests / self.seconds

    @property
    def bytes_per_s(self) -> float:
        return self.read_bytes / self.seconds


def parse(output: str) -> Figure:
    """Read wrk's report. Raises WrongAnswer when it tells of errors."""
    found = _REQUESTS.search(output)
    if found is None:
        raise WrongAnswer(f"wrk said nothing of use: {output[-500:]}")
    errors = _ERRORS.search(output)
    if errors is not None and any(int(count) for count in errors.groups()):
        raise WrongAnswer(errors[0])
    if _STATUSES.search(output) is not None:
        raise WrongAnswer(_STATUSES.findall(output)[0] + " answers were errors")
    scale = {"ms": 0.001, "s": 1.0, "m": 60.0}[found[3]]
    return Figure(int(found[1]), float(found[2]) * scale, float(found[4]) * _UNITS[found[5]])


def wrk(
    url: str,
    seconds: float,
    connections: int = 32,
    script: str = "",
    cores: tuple[int, ...] = (LOAD_CORE,),
) -> Figure:
    """Run wrk for some seconds, a thread for each core. `script` is Lua."""
    command = [
        "taskset", "-c", ",".join(map(str, cores)),
        "wrk", "-t", str(len(cores)), "-c", str(connections),
        "-d", f"{max(1, round(seconds))}s", "--timeout", "30s",
    ]  # fmt: skip
    with _scripted(script) as given:
        before_s = _children_s()
        done = subprocess.run(
            tied([*command, *given, url]),
            capture_output=True, text=True, timeout=seconds + 90, check=False,
        )  # fmt: skip
    found = parse(done.stdout + done.stderr)
    busy = (_children_s() - before_s) / found.seconds / len(cores)
    return dataclasses.replace(found, busy=busy)


def wrk_slice(
    url: str, seconds: float, connections: int, script: str = "",
    env: Mapping[str, str] | None = None,
) -> Figure:  # fmt: skip
    """Run wrk on this process's core for less than the second that it can be told.

    Interrupted, it ends within a tenth of a second and reports as always, for the time that it had.
    Raises WrongAnswer, LoadWasLate.
    """
    with _scripted(script) as given:
        before_s = _children_s()
        with subprocess.Popen(
            tied([
                "wrk", "-t1", "-c", str(connections), "-d", "60s", "--timeout", "30s",
                "-H", f"Host: {HOST}", *given, url,
            ]),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env,
        ) as running:  # fmt: skip
            try:
                _wait_until_caught(running.pid)
                time.sleep(max(LEAST_S, seconds - TICK_S / 2))
                running.send_signal(signal.SIGINT)
                said, _ = running.communicate(timeout=END_S)
            except subprocess.TimeoutExpired as error:
                running.kill()
                raise LoadWasLate("wrk did not end") from error
            except BaseException:
                running.kill()
                raise
    found = parse(said)
    return dataclasses.replace(found, busy=(_children_s() - before_s) / found.seconds)


def _wait_until_caught(pid: int) -> None:
    """Wait until a process handles SIGINT. Raises LoadWasLate."""
    until = time.monotonic() + END_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                name, _, mask = line.partition(":")
                if name == "SigCgt" and int(mask, 16) & (1 << (signal.SIGINT - 1)):
                    return
        time.sleep(0.002)
    raise LoadWasLate("wrk did not begin")


@contextlib.contextmanager
def _scripted(script: str) -> Iterator[list[str]]:
    """What wrk is told so that it runs this Lua."""
    if not script:
        yield []
        return
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(script)
        lua.flush()
        yield ["-s", lua.name]


def _children_s() -> float:
    """Processor seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def check_lengths(figure: Figure, body_bytes: int, connections: int = 32) -> None:
    """Every answer had its whole body: what was read fits the count of answers.

    wrk counts the bytes of the answers that were under way when it stopped, but not them.
    """
    if not figure.requests:
        raise WrongAnswer("nothing was answered")
    most = (figure.requests + connections) * (body_bytes + 1500)
    # wrk prints three figures of what it read.
    if not figure.requests * body_bytes * 0.99 <= figure.read_bytes <= most * 1.01:
        each = figure.read_bytes / max(1, figure.requests)
        raise WrongAnswer(f"{each:.0f} bytes for each answer, where {body_bytes} are the body")


def context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def swallow(port: int, path: str) -> None:
    """Fetch one body and forget it. Raises WrongAnswer for another status, or too few bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": HOST})
    response = connection.getresponse()
    left, buffer = response.length, bytearray(SWALLOWED_BYTES)
    while size := response.readinto(buffer):
        left = None if left is None else left - size
    connection.close()
    if response.status != 200 or left:
        raise WrongAnswer(f"{path} was answered with {response.status}, {left} bytes missing")


def digest(port: int, path: str, *, tls: bool, span: tuple[int, int] | None = None) -> str:
    """Fetch one body and hash it. Raises WrongAnswer for another status."""
    connection: http.client.HTTPConnection
    if tls:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context())
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Host": HOST}  # the same in all of the load: caches may tell hosts apart
    if span is not None:
        headers["Range"] = f"bytes={span[0]}-{span[1] - 1}"
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status not in (200, 206):
        raise WrongAnswer(f"{path} was answered with {response.status}")
    return hashlib.sha256(body).hexdigest()


def reset_at_close(sock: socket.socket) -> None:
    """Leave no TIME_WAIT behind: tens of thousands make the next binding slow."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def idle_connections(
    port: int, count: int, context: ssl.SSLContext | None = None
) -> list[socket.socket]:
    """Connections that have asked for one small thing and now wait; over TLS with a context.

    Raises WrongAnswer when the server does not answer all of them at the same time.
    """
    held: list[socket.socket] = []
    try:
        for number in range(count):
            sock = socket.socket()
            held.append(sock)
            reset_at_close(sock)
            sock.settimeout(IDLE_ANSWER_S)
            sock.bind((f"127.0.0.{2 + number // 20000}", 0))
            sock.connect(("127.0.0.1", port))
            if context is not None:
                sock = held[number] = context.wrap_socket(sock)
            sock.sendall(b"GET /manifest HTTP/1.1\r\nHost: %s\r\n\r\n" % HOST.encode())
            if not sock.recv(65536):
                raise WrongAnswer(f"connection {number} of {count} was closed")
    except (OSError, WrongAnswer) as error:
        for sock in held:
            sock.close()
        raise WrongAnswer(f"{count} connections at once were too many: {error}") from error
    return held


def check_open(held: list[socket.socket]) -> None:
    """Raises WrongAnswer when the server has closed some of these idle connections."""
    closed = 0
    for sock in held:
        sock.setblocking(False)
        try:
            flags = 0 if isinstance(sock, ssl.SSLSocket) else socket.MSG_PEEK
            closed += sock.recv(1, flags) == b""
        except (BlockingIOError, ssl.SSLWantReadError):
            continue
    if closed:
        raise WrongAnswer(f"{closed} of {len(held)} idle connections were closed by the server")


def kernel_bytes() -> int:
    """Kernel memory that sockets live in: slabs, and pages of buffers."""
    slab = 0
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Slab":
            slab = int(value.split()[0]) * 1024
    pages = 0
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            pages = int(line.rsplit(" ", 1)[1])
    return slab + pages * 4096
