"""BIRD's configuration, and what it says."""

from __future__ import annotations

from headrace.lab.network.bird import Best, bird_conf, read_routes, read_sessions
from headrace.lab.network.routes import server_of
from tests.unit.lab.network.plans import plan_of

SESSIONS = """\
BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     11:55:44.354  
clients4   Static     master4    up     11:55:44.354  
oslo1_4    BGP        ---        up     11:56:54.755  Established   
oslo2_4    BGP        ---        start  11:56:03.753  Active        Socket: Connection refused
oslo2_6    BGP        ---        down   11:56:03.753  
"""  # noqa: W291 - as BIRD writes it
ROUTES = """\
BIRD 2.0.12 ready.
Table master4:
192.0.2.129/32       unicast [oslo1_4 11:56:54.844] * (100) [AS64510i]
\tvia 192.0.2.65 on oslo1
                     unicast [oslo2_4 11:56:03.810] (100) [AS64510i]
\tvia 192.0.2.67 on oslo2
192.0.2.130/32       unicast [oslo2_4 11:56:03.800] * (100) [AS64510i]
\tvia 192.0.2.67 on oslo2

Table master6:
2001:db8:1:f::2/128  unicast [oslo2_6 11:56:03.811] (100) [AS64510i]
\tvia 2001:db8:1:101::2 on oslo2
                     unicast [oslo1_6 11:56:54.893] * (100) [AS64510i]
\tvia 2001:db8:1:100::2 on oslo1
"""


def test_sessions_are_read_with_their_states() -> None:
    assert read_sessions(SESSIONS) == {
        "oslo1_4": "Established",
        "oslo2_4": "Active",
        "oslo2_6": "down",
    }


def test_the_best_route_is_the_marked_one() -> None:
    assert read_routes(ROUTES) == [
        Best("192.0.2.129/32", "oslo1_4", 1),
        Best("192.0.2.130/32", "oslo2_4", 0),
        Best("2001:db8:1:f::2/128", "oslo1_6", 1),
    ]


def test_nothing_is_read_of_nothing() -> None:
    assert read_routes("") == []
    assert read_sessions("") == {}


def test_a_session_is_called_by_its_server() -> None:
    plan = plan_of()
    assert server_of(plan, "rome3_6") == "rome3"
    assert server_of(plan, "stranger") == "stranger"


def test_only_vips_of_the_site_are_taken_and_ranks_become_preference() -> None:
    plan = plan_of()
    north, south = plan.config.isps
    assert "if net !~ [ 192.0.2.128/25{32,32} ] then reject;" in bird_conf(plan, north)
    text = bird_conf(plan, south)
    ranks = [line.strip() for line in text.splitlines() if "bgp_local_pref" in line]
    assert ranks[:4] == [
        "if (64501, 120) ~ bgp_community then bgp_local_pref = 200;",
        "if (64501, 110) ~ bgp_community then bgp_local_pref = 190;",
        "if (64501, 100) ~ bgp_community then bgp_local_pref = 180;",
        "if (65535, 0) ~ bgp_community then bgp_local_pref = 0;",
    ]
    assert "protocol bgp rome1_6" in text
    assert "oslo" not in text
