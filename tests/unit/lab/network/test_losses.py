"""What lines lose by themselves."""

from __future__ import annotations

from headrace.lab.network.losses import (
    Lost,
    late_words,
    lost_words,
    read_drops,
    since,
    too_late,
)

SAID = """[{"kind":"noqueue","handle":"0:","dev":"lo","root":true,"options":{}},
{"kind":"tbf","handle":"8001:","dev":"up","root":true,"options":{"rate":25000000},
"bytes":1506144,"packets":1010,"drops":7,"overlimits":9,"requeues":0,"backlog":0,"qlen":0}]"""


def test_what_tc_says_is_read_by_device() -> None:
    assert read_drops(SAID) == {"lo": 0, "up": 7}
    assert read_drops("") == {}


def test_what_was_lost_since() -> None:
    before = {"north": Lost(3, 1), "south": Lost(5, 0)}
    after = {"north": Lost(4, 1), "south": Lost(5, 0), "new": Lost(0, 2)}
    assert since(before, after) == {"north": Lost(1, 0), "new": Lost(0, 2)}


def test_a_relay_that_was_started_again_counts_from_nothing() -> None:
    assert since({"north": Lost(0, 9)}, {"north": Lost(0, 2)}) == {"north": Lost(0, 2)}


def test_how_often_a_relay_was_late_since() -> None:
    before = {"north": Lost(1, 1, 7, 2), "south": Lost(0, 0, 3, 1), "oslo1": Lost(1)}
    after = {"north": Lost(1, 1, 9, 2), "south": Lost(0, 0, 2, 0), "oslo1": Lost(1)}
    assert since(before, after) == {"north": Lost(behind=2), "south": Lost(behind=2)}


def test_words_of_lateness() -> None:
    found = {"south": Lost(behind=2), "north": Lost(behind=3, starved=1), "oslo1": Lost(4)}
    words = (
        "that of north 3 times by more than 20 ms, 1 of these by more than 100, "
        "that of south 2 times by more than 20 ms"
    )
    assert late_words(found) == words
    assert late_words({"oslo1": Lost(4)}) == ""
    assert not too_late({"north": Lost(behind=900, starved=9)})
    assert too_late({"north": Lost(behind=10, starved=10), "south": Lost()})
    assert lost_words(found) == "oslo1 4"


def test_words() -> None:
    found = {"south": Lost(0, 2), "north": Lost(3), "oslo1": Lost()}
    assert lost_words(found) == "north 3, south 2 (2 in the relay)"
    assert lost_words({}) == ""
