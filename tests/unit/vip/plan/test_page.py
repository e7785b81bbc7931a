"""The page on the plan says of each word when it applies, and of nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from headrace.vip.plan.model import Why

PAGE = Path(__file__).parents[4] / "docs/vip/plan.md"


def test_the_page_has_each_word_of_a_plan() -> None:
    table = PAGE.read_text().split("| word | announced | when |")[1].split("\n\n")[0]
    words = [
        word for row in table.splitlines()[2:] for word in re.findall(r"`(\w+)`", row.split("|")[1])
    ]
    assert sorted(words) == sorted(Why)
