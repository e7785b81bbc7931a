"""What pages say of where they were measured."""

from __future__ import annotations

import datetime
import platform

from bench.where import measured_on


def test_date_machine_and_python_are_told_but_not_the_hosts_name() -> None:
    said = measured_on(datetime.date(2026, 1, 2))
    assert said.startswith("Measured on 2026-01-02: ")
    assert f"Python {platform.python_version()}." in said
    assert platform.node() not in said
