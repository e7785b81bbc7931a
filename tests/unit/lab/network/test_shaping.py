"""What tc is told of a line."""

from __future__ import annotations

from headrace.config.lab.model import LineTable
from headrace.lab.network.shaping import shaping


def line(**values: object) -> LineTable:
    return LineTable.model_validate(values)


def test_a_line_without_limits_is_left_alone() -> None:
    assert shaping(line(), netem=True) is None
    assert shaping(line(delay="5ms"), netem=False) is None


def test_a_rate_is_held_with_room_for_the_kernels_bursts() -> None:
    words = shaping(line(rate="8Mbps"), netem=False)
    assert words == ["tbf", "rate", "8000000bit", "burst", "131072", "latency", "50ms"]
    fast = shaping(line(rate="1Gbps"), netem=True)
    assert fast is not None
    assert fast[fast.index("burst") + 1] == "1250000"


def test_netem_does_all_of_it() -> None:
    words = shaping(line(rate="8Mbps", delay="5ms", loss=0.01), netem=True)
    assert words is not None
    assert " ".join(words) == "netem limit 10000 delay 5000us loss 1% rate 8000000bit"
