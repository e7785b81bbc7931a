"""Network namespaces of tests are gone afterwards, also those that a killed test left."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.harness.namespaces import PREFIX, Namespace, Namespaces, run, sweep
from tests.harness.polling import eventually


def there() -> set[str]:
    return {line.split()[0] for line in run("ip", "netns", "list").splitlines() if line}


def test_what_runs_inside_ends_with_it() -> None:
    with Namespaces() as made:
        one = made.add("one")
        process = one.popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        while not one.pids():
            time.sleep(0.01)
        assert one.name in there()
    assert one.name not in there()
    assert process.poll() is not None


def test_a_failed_test_leaves_nothing() -> None:
    names = []

    def failing() -> None:
        with Namespaces() as made:
            names.append(made.add("one").name)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert names[0] not in there()


def test_the_next_sweeps_what_a_killed_one_left() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = f"{PREFIX}{ended.pid}-1-left"
    own = f"{PREFIX}{os.getpid()}-0-mine"
    for name in (left, own):
        run("ip", "netns", "add", name)
    inside = Namespace(left).popen(["sleep", "1000"])
    try:
        eventually(lambda: inside.pid in Namespace(left).pids(), "it runs inside")
        sweep()
        assert left not in there()
        assert own in there()
        assert inside.wait(10) != 0
    finally:
        Namespace(own).remove()


def test_links_and_black_holes() -> None:
    with Namespaces() as made:
        one, two = made.add("one"), made.add("two")
        made.link((one, "right", ["10.98.0.1/30"]), (two, "left", ["10.98.0.2/30", "fd98::2/64"]))

        listener = two.listen("10.98.0.2", 80)
        connect = "import socket; socket.create_connection(('10.98.0.2', 80), 1)"

        def reached() -> bool:
            command = [*one.prefix, sys.executable, "-c", connect]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0

        with listener:
            assert reached()
            two.black_hole("left")
            assert not reached()
            two.heal()
            assert reached()
