"""One worker after the other."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from headrace.vip.turn import FILE, Turn


def test_the_next_one_waits_for_the_one_before(tmp_path: Path) -> None:
    first = Turn.take(tmp_path)
    threading.Timer(0.2, first.release).start()
    second = Turn.take(tmp_path, within_s=60)
    assert first.held
    assert second.held
    second.release()
    second.release()


def test_one_that_hangs_is_waited_for_no_longer(tmp_path: Path) -> None:
    first = Turn.take(tmp_path)
    second = Turn.take(tmp_path, within_s=0.1)
    assert not second.held
    second.release()
    first.release()
    third = Turn.take(tmp_path, within_s=0)
    assert third.held
    third.release()


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Too many levels"):
        Turn.take(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
