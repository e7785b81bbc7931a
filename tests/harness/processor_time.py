"""What each test costs in processor time: `pytest -p tests.harness.processor_time …`.

A plugin of pytest. It counts in a control group (version 1's `cpuacct`, or version 2's `cpu.stat`),
for most of what tests cost is used by processes that they start, some of which outlive them or are
nobody's children. Each process that runs tests has a group of its own, so the figures of one test
hold whatever runs beside it. `PROCESSOR_TIME` names a file to which a line of JSON is added for
each part of each test: its name, the part, the processor time and the time that passed, in seconds;
without it the dearest are shown at the end, but not with `-n`. Needs root.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

SHOWN = 40
CPUACCT = Path("/sys/fs/cgroup/cpuacct")
UNIFIED = Path("/sys/fs/cgroup")
NS_PER_S = 1_000_000_000
US_PER_S = 1_000_000


class Group:
    """A control group that holds this process and whatever it starts from now on."""

    def __init__(self) -> None:
        self._legacy = CPUACCT.is_dir()
        root = CPUACCT if self._legacy else UNIFIED
        self._path = root / f"headrace-tests-{os.getpid()}"
        self._path.mkdir()
        self._leave = root / "cgroup.procs"
        (self._path / "cgroup.procs").write_text(str(os.getpid()))

    def used_s(self) -> float:
        """Return the processor time that its processes have used, in seconds."""
        if self._legacy:
            return int((self._path / "cpuacct.usage").read_text()) / NS_PER_S
        words = (self._path / "cpu.stat").read_text().split()
        return int(words[words.index("usage_usec") + 1]) / US_PER_S

    def close(self) -> None:
        """Put its processes back."""
        for pid in (self._path / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                self._leave.write_text(pid)
        with contextlib.suppress(OSError):  # one that was forked just now keeps it
            self._path.rmdir()


class Costs:
    """What the tests of this process have cost."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._by_test: defaultdict[str, float] = defaultdict(float)
        self._noted_s = 0.0
        log = os.environ.get("PROCESSOR_TIME")
        self._log = None if log is None else Path(log)

    def pytest_collection_finish(self) -> None:
        """Take what was used until now for itself."""
        self.note("(collecting)", "collect", 0.0)

    def note(self, test: str, part: str, passed_s: float) -> None:
        """Add what was used since the last time to a part of a test."""
        used_s = self._group.used_s()
        processor_s, self._noted_s = used_s - self._noted_s, used_s
        self._by_test[test] += processor_s
        if self._log is not None:
            line = [test, part, round(processor_s, 4), round(passed_s, 4)]
            with self._log.open("a") as log:
                log.write(json.dumps(line) + "\n")

    @contextlib.contextmanager
    def _counted(self, item: pytest.Item, part: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.note(item.nodeid, part, time.monotonic() - began)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Count what it takes to prepare a test."""
        with self._counted(item, "setup"):
            yield

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Count what the test takes."""
        with self._counted(item, "call"):
            yield

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """Count what it takes to clear up after it."""
        with self._counted(item, "teardown"):
            yield

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the dearest tests."""
        if self._log is not None:
            return
        terminalreporter.section(f"processor time: {self._group.used_s():.1f} s")
        dearest = sorted(self._by_test.items(), key=lambda cost: -cost[1])
        for test, processor_s in dearest[:SHOWN]:
            terminalreporter.line(f"{processor_s:8.2f} s {test}")

    def pytest_unconfigure(self) -> None:
        """Leave the group."""
        self._group.close()


def pytest_configure(config: pytest.Config) -> None:
    """Count from now on, what is imported as tests are collected with it."""
    config.pluginmanager.register(Costs(Group()), "costs")
