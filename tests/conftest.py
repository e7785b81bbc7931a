"""What holds for all tests: in CI a test that was skipped or expected to fail is a failure."""

from __future__ import annotations

import gc
import os

import pytest

NOT_RUN = 10
"""The exit code where something was not run: another one than pytest's for tests that failed, for
those may be tried once more.
"""

_not_run: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note each test that did not run, or was allowed to fail."""
    if report.skipped or hasattr(report, "wasxfail"):
        _not_run.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note each module that was skipped whole."""
    if report.skipped:
        _not_run.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run in CI that left these tests out, whatever became of the others."""
    tested = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    if os.environ.get("CI") and _not_run and tested:
        session.exitstatus = NOT_RUN


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name them, and those that failed at first where such are tried once more."""
    if terminalreporter.config.getoption("lf", default=False):
        passed = [report.nodeid for report in terminalreporter.stats.get("passed", [])]
        if passed:
            terminalreporter.section("failed at first, and passed by themselves")
        for name in passed:
            terminalreporter.line(name)
    if os.environ.get("CI") and _not_run:
        terminalreporter.section("not run, which fails CI")
        for name in _not_run:
            terminalreporter.line(name)


def pytest_collection_finish() -> None:
    """Leave what is there before the first test out of the collector's rounds: a sixth of the time
    of the unit tests went into looking at it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
