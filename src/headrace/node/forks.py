"""Workers from the fork server, as the supervisor sees them (its far side is `fork_server`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import Collection

from headrace.node.fork_server import REPORT_BYTES, ForkServer, Kind, Told, encode_request

ANSWER_TIMEOUT_S = 2.0
"""It answers within milliseconds, and within a tenth of that where forty processes want two
processors. Whoever waits for it lacks a worker, and being wrong costs little: from then on workers
are started by their command, which takes half a second each."""
WORD_TIMEOUT_S = 1.0
UNKNOWN_EXIT = 256
"""The exit code of a process whose end nobody could tell: no process has it."""


class ForkServerGoneError(OSError):
    """The fork server has ended, or does not answer: it forks nothing any more."""


class ForkedProcess:
    """A process that the fork server forked. It is told apart by a descriptor, not by its number,
    which the system may give to another.
    """

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._descriptor = descriptor
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._over)

    async def wait(self) -> int:
        """Wait for its end; return its exit code, less than 0 for a signal."""
        await self._ended.wait()
        if self.returncode is None:
            await asyncio.wait([self._code], timeout=WORD_TIMEOUT_S)
            self.told(UNKNOWN_EXIT)
            self.returncode = self._code.result()
        return self.returncode

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._descriptor >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def told(self, code: int) -> None:
        """Take the fork server's word on how it ended; the first one counts."""
        if not self._code.done():
            self._code.set_result(code)

    def _over(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        # Where this is the first process of a container, orphans of the fork server become its own.
        with contextlib.suppress(ChildProcessError):
            ended = os.waitid(os.P_PIDFD, self._descriptor, os.WEXITED | os.WNOHANG)
            if ended is not None:
                exited = ended.si_code == os.CLD_EXITED
                self.told(ended.si_status if exited else -ended.si_status)
        os.close(self._descriptor)
        self._descriptor = -1
        self._ended.set()


class Forks:
    """Asks the fork server for processes. All methods belong to the running event loop."""

    def __init__(self, server: ForkServer) -> None:
        self._sock, self._pid = server.sock, server.pid
        self._sock.setblocking(False)
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[ForkedProcess]] = {}
        self._living: dict[int, ForkedProcess] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), self._readable)

    async def fork(self, channel: int) -> ForkedProcess:
        """Return a new worker, which has the descriptor `channel`.

        Raises OSError when the system gives no process now, and ForkServerGoneError when this
        will not work again.
        """
        if self._pid == 0:
            raise ForkServerGoneError("the fork server is gone")
        self._asked += 1
        number, answer = self._asked, self._loop.create_future()
        self._waiting[number] = answer
        try:
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)  # by now, not at its start
            socket.send_fds(self._sock, [encode_request(number, limits)], [channel])
            # In two parts: where the whole machine stood still meanwhile, only one is over.
            for _part in range(2):
                await asyncio.wait([answer], timeout=ANSWER_TIMEOUT_S / 2)
            if not answer.done():
                answer.cancel()
                self.close()
                problem = f"the fork server does not answer within {ANSWER_TIMEOUT_S:g} s"
                raise ForkServerGoneError(problem)
            process: ForkedProcess = answer.result()
            return process
        except ConnectionError as error:
            self.close()
            raise ForkServerGoneError(f"the fork server does not answer: {error!r}") from error
        finally:
            self._waiting.pop(number, None)

    @property
    def living(self) -> Collection[ForkedProcess]:
        """The processes whose end has not been told."""
        return self._living.values()

    def close(self) -> None:
        """End the fork server. Its workers live on, and end by what their channels say."""
        if self._pid == 0:
            return
        pid, self._pid = self._pid, 0
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # it is this process's child: nobody else has its number
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ForkServerGoneError("the fork server is gone"))

    def _readable(self) -> None:
        try:
            packet, passed, _flags, _address = socket.recv_fds(self._sock, REPORT_BYTES, 1)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            packet, passed = b"", []
        if not packet:
            self.close()
            return
        told = Told.decode(packet)
        answer = self._waiting.get(told.number)
        match told.kind:
            case Kind.FORKED:
                process = self._living[told.pid] = ForkedProcess(told.pid, passed[0])
                if answer is None or answer.done():
                    process.kill()  # nobody waits for it any more
                else:
                    answer.set_result(process)
            case Kind.FAILED:
                if answer is not None and not answer.done():
                    answer.set_exception(OSError(told.value, os.strerror(told.value)))
            case Kind.ENDED:
                ended = self._living.pop(told.pid, None)
                if ended is not None:
                    ended.told(told.value)
