"""What is asked, and by whom: dnsperf repeats a thousand names, and an asker of our own has a
subnet of its own and other letters each time, so that no message comes twice.
"""

from __future__ import annotations

import random
import re
import select
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import dns.edns
import dns.message

from bench.dns.zone import names
from bench.network import subnets
from bench.speed.processes import Program
from bench.tied import tied

CLIENT_CORE = 1
OUTSTANDING = 64
DISTINCT = 400_000
LONGEST_S = 60.0
# 10.0.0.0/24 as an option of dnsperf's: family, length, scope, address.
SUBNET = "8:000118000a0000"


class Lost(Exception):
    """Questions were not answered, or not well."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Answers a second, and processor time for each."""

    per_s: float
    cpu_us: float


def by_dnsperf(program: Program, port: int, seconds: float, directory: Path) -> Figure:
    """Let dnsperf ask for a thousand names, with one subnet. Raises Lost."""
    asked = directory / "questions"
    asked.write_text("".join(f"{name} A\n" for name in names()))
    command = tied([
        "taskset", "-c", str(CLIENT_CORE), "dnsperf", "-s", "127.0.0.1", "-p", str(port),
        "-d", str(asked), "-c", "20", "-q", "200", "-e", "-E", SUBNET, "-l",
    ])  # fmt: skip
    subprocess.run([*command, "1"], capture_output=True, check=True)
    before_s = program.cpu_s()
    run = subprocess.run([*command, str(seconds)], capture_output=True, check=True, text=True)
    spent_s = program.cpu_s() - before_s
    done = re.search(r"Queries completed:\s+(\d+)", run.stdout)
    rate = re.search(r"Queries per second:\s+([\d.]+)", run.stdout)
    good = re.search(r"NOERROR (\d+)", run.stdout)
    if not (done and rate and good) or done[1] != good[1] or not int(done[1]):
        raise Lost(run.stdout)
    return Figure(float(rate[1]), spent_s / int(done[1]) * 1e6)


def by_known_subnets(program: Program, port: int, seconds: float, _directory: Path) -> Figure:
    """Ask from client networks that have asked before, in letters of mixed case. Raises Lost."""
    nets = subnets()
    chance = random.Random(53)
    again = [chance.choice(nets) for _ in range(DISTINCT)]
    return _by_subnets(program, port, seconds, nets, again)


def by_new_subnets(program: Program, port: int, seconds: float, _directory: Path) -> Figure:
    """Ask from client networks that have never asked. Raises Lost."""
    nets = [f"10.{number >> 8}.{number & 255}.0" for number in range(1 << 16)]
    return _by_subnets(program, port, seconds, ["192.0.2.0"] * OUTSTANDING, nets)


def _by_subnets(
    program: Program, port: int, seconds: float, first: list[str], then: list[str]
) -> Figure:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        _ask(sock, _messages(first), LONGEST_S)
        messages = _messages(then)
        before_s, started = program.cpu_s(), time.monotonic()
        done = _ask(sock, messages, seconds)
        spent_s, took_s = program.cpu_s() - before_s, time.monotonic() - started
    return Figure(done / took_s, spent_s / done * 1e6)


def _messages(nets: list[str]) -> list[bytes]:
    """Return a question from each of these networks, no two alike."""
    chance = random.Random(54)
    asked = []
    for name in names():
        message = dns.message.make_query(name, "A")
        message.use_edns(0, payload=1232, options=[dns.edns.ECSOption("10.0.0.0", 24)])
        asked.append(message.to_wire())
    made = []
    for number, net in enumerate(nets):
        data = bytearray(asked[number % len(asked)])
        data[-3:] = socket.inet_aton(net)[:3]
        for at in range(12, 30):
            if 97 <= data[at] <= 122 and chance.random() < 0.5:
                data[at] -= 32
        made.append(bytes(data))
    return made


def _ask(sock: socket.socket, messages: list[bytes], seconds: float) -> int:
    """Ask each once, as long as there is time, with so many questions outstanding; return how
    many were answered well.
    """
    until = time.monotonic() + seconds
    done = 0
    while time.monotonic() < until and done < len(messages):
        some = messages[done : done + OUTSTANDING]
        for message in some:
            sock.send(message)
        waiting = len(some)
        done += waiting
        while waiting:
            if not select.select([sock], [], [], 2.0)[0]:
                raise Lost(f"{waiting} of {done} questions have no answer")
            try:
                while waiting:
                    answer = sock.recv(2048)
                    waiting -= 1
                    if answer[3] & 0xF or answer[7] != 2:
                        raise Lost(f"an answer is wrong: {answer!r}")
            except BlockingIOError:
                continue
    return done


WORKS = {
    "names": by_dnsperf,
    "known": by_known_subnets,
    "new": by_new_subnets,
}
