"""Two feedback processes with one state directory: the second ends, the first is not disturbed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.harness.edge import free_port
from tests.harness.feedback import Feedback
from tests.harness.toml import to_toml


def test_the_second_is_refused_and_may_begin_when_the_first_was_killed(tmp_path: Path) -> None:
    network = tmp_path / "network.toml"
    network.write_text(
        to_toml(
            {
                "site": [{"name": "north"}],
                "server": [{"name": "n1", "site": "north", "host": "n1.example", "http_port": 9}],
                "coverage": [{"name": "all", "default": True, "sites": [{"name": "north"}]}],
                "class": [{"name": "vod"}],
            }
        )
    )
    with Feedback(tmp_path / "a", "a", free_port()) as first:
        first.write(network)
        first.start()
        with Feedback(tmp_path / "b", "b", free_port()) as second:
            second.cache_dir = first.cache_dir
            second.write(network)
            second.launch()
            assert second.ended() == 2
            problem = second.event("start_failed")["problem"]
            assert f"(process {first.pid})" in problem
            assert str(first.cache_dir) in problem
            assert first.ask("GET", "/stats").status == 200
            os.kill(first.pid, signal.SIGKILL)
            first.ended()
            second.events.clear()
            second.start()
