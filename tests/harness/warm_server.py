"""A process that has imported a program and forks it: `python -m tests.harness.warm_server 3 edge`.

This is the far side; `warm` has the near one and says what for. The first argument is the
descriptor of a socket that keeps packets apart, the second the program. Each packet asks for a
process: JSON with its arguments, its environment and directory, the network namespace it is to be
in ("" for this one), and three descriptors, for its standard output, its standard error, and for
the word on its end.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from headrace.lab.namespaces.enter import settle
from headrace.node.fork_server import name_process

REQUEST_BYTES = 128 * 1024
STARTED = ENDED = struct.Struct("!i")
"""What comes to whoever asked: the process's id, and how it ended as `subprocess` counts."""

EDGE, OTHERS = "edge", "others"
"""The commands of `headrace`: its edge, whose memory tests weigh, and all others."""

IMPORTED = {
    EDGE: (
        "headrace.cli.main",
        "headrace.cli.edge",
        "headrace.edge.worker",
        "headrace.edge.role",
        "headrace.node.run",
    ),
    OTHERS: (
        "headrace.cli.main",
        "headrace.cli.feedback",
        "headrace.cli.lab",
        "headrace.cli.locate",
        "headrace.cli.log",
        "headrace.cli.router",
        "headrace.cli.top",
        "headrace.cli.vip",
        "headrace.feedback.role",
        "headrace.feedback.worker",
        "headrace.node.run",
        "headrace.router.role",
        "headrace.router.worker",
        "headrace.vip.role",
        "headrace.vip.worker",
    ),
    "tests.harness.run_supervisor": ("tests.harness.run_supervisor",),
    "tests.harness.run_router": (
        "tests.harness.run_router",
        "headrace.cli.router",
        "headrace.router.worker",
        "headrace.router.role",
        "headrace.node.run",
    ),
    "tests.harness.run_feedback": ("tests.harness.run_feedback",),
    "tests.harness.toy_role": ("tests.harness.toy_role",),
}
"""What the programs import before they do anything that depends on their arguments."""


def main(descriptor: int, program: str) -> None:
    """Serve until whoever asks is gone; in a process that was asked for, be the program."""
    for module in IMPORTED[program]:
        import_module(module)
    if program == EDGE:
        build_models()
    gc.freeze()
    asked = Serving(descriptor).serve()
    if asked is None:
        return
    if program in (EDGE, OTHERS):
        from headrace.cli.main import main as run_headrace

        sys.argv = ["headrace", *asked]
        name_process("headrace")
        run_headrace()
    else:
        sys.exit(import_module(program).main(*asked))


def build_models() -> None:
    """Have the models of an edge's configuration built, which pydantic does at their first use."""
    from headrace.cli.edge import one_line_config

    one_line_config(
        listen=["127.0.0.1:0"], origin="http://127.0.0.1:1", cache_dir=Path("/nonexistent")
    )


class Serving:
    """The loop of this process. It has one thread."""

    def __init__(self, descriptor: int) -> None:
        self._sock = socket.socket(fileno=descriptor)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._living: dict[int, tuple[int, int]] = {}  # by pidfd: the process, who hears of its end

    def serve(self) -> list[str] | None:
        """Return the arguments in a process that was asked for; None here, at the end."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True:
            for ready, _events in self._poll.poll():
                if ready in self._living:
                    self._reap(ready)
                    continue
                packet, passed, _flags, _from = socket.recv_fds(self._sock, REQUEST_BYTES, 3)
                if not packet:
                    self._end_all()
                    return None
                asked = json.loads(packet)
                pid = os.fork()
                if pid == 0:
                    self._become(asked, passed)
                    arguments: list[str] = asked["arguments"]
                    return arguments
                output, errors, word = passed
                os.close(output)
                os.close(errors)
                living = os.pidfd_open(pid)
                self._living[living] = pid, word
                self._poll.register(living, select.POLLIN)
                _say(word, STARTED.pack(pid))

    def _become(self, asked: dict[str, Any], passed: list[int]) -> None:
        """Leave nothing of this process but what it has imported."""
        self._sock.detach()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(passed[0], 1)
        os.dup2(passed[1], 2)
        os.closerange(3, 4096)
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["directory"])
        if asked["namespace"]:
            settle(asked["namespace"])

    def _reap(self, living: int) -> None:
        pid, word = self._living.pop(living)
        self._poll.unregister(living)
        os.close(living)
        _pid, status = os.waitpid(pid, 0)
        _say(word, ENDED.pack(os.waitstatus_to_exitcode(status)))
        os.close(word)

    def _end_all(self) -> None:
        """Leave no process behind when the tests are gone, however they ended."""
        for pid, _word in self._living.values():
            os.kill(pid, signal.SIGKILL)


def _say(word: int, what: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody wants to know any more
        os.write(word, what)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
