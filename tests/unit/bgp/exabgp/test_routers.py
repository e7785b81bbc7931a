"""Which sessions end for the sake of what ExaBGP does not see."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from headrace.bgp.exabgp.routers import Routers, to_tear_down
from headrace.bgp.session import Intake
from tests.unit.bgp.test_session import session

FORMER = session(intake=Intake(10))
OTHER = replace(FORMER, peer=ip_address("192.0.2.200"))


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({}, False),
        ({"description": "another"}, False),
        ({"bfd": True}, False),
        ({"password_file": Path("/of-the-same-content")}, False),
        ({"intake": Intake(20)}, True),
        ({"intake": Intake()}, True),
        ({"intake": Intake(20), "bfd": True, "description": "another"}, True),
        # ExaBGP makes it again by itself.
        ({"intake": Intake(20), "hold_time_s": 77}, False),
    ],
)
def test_a_session_ends_where_other_prefixes_are_to_be_heard(
    changes: dict[str, object], ends: bool
) -> None:
    now = replace(FORMER, **changes)  # type: ignore[arg-type]
    found = list(to_tear_down(Routers((OTHER, FORMER)), Routers((now, OTHER))))
    assert found == ([now.key] if ends else [])


def test_one_that_comes_or_has_another_password_is_not_ended_again() -> None:
    now = replace(FORMER, intake=Intake(20))
    assert not list(to_tear_down(Routers((OTHER,)), Routers((now,))))
    secret = {now.key: "secret"}
    assert not list(to_tear_down(Routers((FORMER,)), Routers((now,), secret)))
    assert list(to_tear_down(Routers((FORMER,), secret), Routers((now,), secret)))
