"""What is said of loads, in units that fit them."""

from __future__ import annotations

import pytest

from headrace.feedback.balance.explanation import SiteLoad


@pytest.mark.parametrize(
    ("bps", "text"),
    [
        (0.0, "0 b/s"),
        (-2.5e6, "-2.5 Mb/s"),
        (640.0, "640 b/s"),
        (12_345.0, "12.3 kb/s"),
        (999_999.0, "1 Mb/s"),
        (24e6, "24 Mb/s"),
        (999_400_000.0, "999 Mb/s"),
        (999_900_000.0, "1 Gb/s"),
        (17.52e9, "17.5 Gb/s"),
        (1_234.5e9, "1234 Gb/s"),
    ],
)
def test_a_rate_is_said_in_its_unit(bps: float, text: str) -> None:
    load = SiteLoad("oslo", 1e9, 1e9, bps, 0.0, 0.0, 0.0, 0.0, 1.0)
    assert f"oslo sends {text} of 1 Gb/s" in load.says()
