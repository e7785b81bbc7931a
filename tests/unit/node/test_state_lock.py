"""One process has a state directory, until it ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrace.config.problems import ConfigError
from headrace.node.state_lock import StateLock


def test_a_directory_is_taken_once_and_again_when_it_was_left(tmp_path: Path) -> None:
    first = StateLock.take(tmp_path, "vip")
    with pytest.raises(ConfigError, match=rf"process {os.getpid()}\)"):
        StateLock.take(tmp_path, "vip")
    first.release()
    first.release()
    StateLock.take(tmp_path, "vip").release()


def test_what_is_refused_keeps_no_descriptor(tmp_path: Path) -> None:
    first = StateLock.take(tmp_path, "vip")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with pytest.raises(ConfigError):
            StateLock.take(tmp_path, "vip")
    assert len(os.listdir("/proc/self/fd")) == before
    first.release()
