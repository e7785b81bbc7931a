"""What one run of a drill comes to."""

from __future__ import annotations

from typing import Any

from headrace.lab.drill.figures import Failure, Load, Seen, figures_of, worst
from headrace.lab.drill.moves import Move
from headrace.lab.drill.records import Answer, Attempt, Download, Outcome, Record
from headrace.lab.drill.tables import failure_lines, lost_lines, run_line
from headrace.lab.network.losses import HOPELESS_TIMES, Lost

OWN, OTHER = "192.0.2.129", "192.0.2.130"
EVENT_S, HEALED_S, END_S = 2.0, 6.0, 10.0


def asked(
    host: str, broken: tuple[float, float] | None = None, outcome: Outcome = "refused"
) -> list[Attempt]:
    """Requests each 10 ms, which fail in the time that is given."""
    found = []
    for number in range(1000):
        at_s = number / 100
        bad = broken is not None and broken[0] <= at_s < broken[1]
        # Before the event the owner answers, then its neighbour.
        server = "oslo1" if host == OWN and at_s < EVENT_S else "oslo2"
        found.append(
            Attempt(host, at_s, at_s, at_s + 0.001, outcome if bad else "ok", "" if bad else server)
        )
    return found


def seen(record: Record, **changed: Any) -> Seen:
    values: dict[str, Any] = {
        "began_s": 0.0,
        "event_s": EVENT_S,
        "healed_s": HEALED_S,
        "ended_s": END_S,
        "patience_s": 0.9,
        "owners": {OWN: "oslo1", OTHER: "oslo2"},
        "affected": [OWN],
        "leaving": [OWN, "oslo1.cdn.test"],
        "records": [record],
        "moves": [
            Move(0.0, OWN, "oslo1"),
            Move(2.3, OWN, "oslo2"),
            Move(7.5, OWN, "oslo1"),
        ],
    }
    return Seen(**{**values, **changed})


def test_the_figures_of_a_loss() -> None:
    record = Record("north-client1", [*asked(OWN, (2.0, 2.4)), *asked(OTHER)])

    found = figures_of(seen(record))

    assert found.works_again_s is not None
    assert abs(found.works_again_s - 0.4) < 1e-6
    assert found.others_s == 0.0
    assert found.requests == 2000
    assert (found.failed, found.failed_others, found.failed_back) == (40, 0, 0)
    assert found.outcomes == {"refused": 40}
    assert found.routed_s is not None
    assert abs(found.routed_s - 0.3) < 1e-6
    assert found.back_s == 1.5
    assert found.wrong == 0
    assert found.refused == []
    assert found.load == {"oslo1": Load(100.0, 0.0), "oslo2": Load(100.0, 190.0)}


def test_failures_on_the_way_back_and_of_others_are_counted_apart() -> None:
    record = Record("c", [*asked(OWN, (7.5, 7.6)), *asked(OTHER, (3.0, 3.2))])

    found = figures_of(seen(record))

    assert found.works_again_s == 0.0
    assert (found.failed, found.failed_others, found.failed_back) == (0, 20, 10)
    assert found.others_s is not None
    assert abs(found.others_s - 0.2) < 1e-6


def test_wrong_bytes_are_failures_and_wrong() -> None:
    record = Record("c", asked(OWN, (3.0, 3.05), "wrong"))

    found = figures_of(seen(record))

    assert (found.wrong, found.failed) == (5, 5)


def test_the_client_that_waited_longest_counts() -> None:
    quick = Record("a", asked(OWN, (2.0, 2.2)))
    slow = Record("b", asked(OWN, (2.0, 3.0)))

    found = figures_of(seen(quick, records=[quick, slow]))

    assert found.works_again_s is not None
    assert abs(found.works_again_s - 1.0) < 1e-6


def test_one_that_never_came_back_has_no_figure() -> None:
    record = Record("c", asked(OWN, (2.0, 10.0)))

    found = figures_of(seen(record, healed_s=None, moves=[Move(0.0, OWN, "oslo1")]))

    assert found.works_again_s is None
    assert found.routed_s is None
    assert found.back_s is None


def test_a_figure_that_the_client_explains_is_refused() -> None:
    late = [
        Attempt(one.host, one.planned_s, one.began_s + 0.3, one.ended_s + 0.3, one.outcome)
        if 2.0 <= one.planned_s < 2.2
        else one
        for one in asked(OWN, (2.0, 2.1))
    ]

    (refusal,) = figures_of(seen(Record("north-client1", late))).refused

    assert refusal.startswith(f"north-client1 to {OWN}: ")
    assert "300 ms late itself" in refusal


def test_a_lab_that_stood_still_when_the_event_came_is_refused() -> None:
    """All that was under way then fails by the event, and would not have."""
    waits = [
        Attempt(one.host, one.planned_s, one.began_s, one.began_s + 0.9, "timeout")
        if 1.8 <= one.began_s < 2.0
        else one
        for one in asked(OWN, (2.0, 2.05))
    ]
    (refusal,) = figures_of(seen(Record("north-client1", waits))).refused
    assert refusal == (
        f"north-client1 to {OWN}: no answer for 200 ms already when the event came: the lab was "
        "starved"
    )
    # One packet that is lost stops one request, and no others.
    lost = [one for one in asked(OWN, (2.0, 2.05)) if one.began_s != 1.5]
    lost.append(Attempt(OWN, 1.5, 1.5, 2.4, "timeout"))
    assert figures_of(seen(Record("north-client1", lost))).refused == []


def test_the_first_failures_of_each_kind_are_kept() -> None:
    record = Record("c", asked(OWN, (2.0, 3.0), "timeout"))
    record.attempts += [Attempt(OWN, 7.0, 7.0, 7.1, "reset", "", None, "asked")]
    found = figures_of(seen(record)).failures
    assert [one.outcome for one in found] == ["timeout"] * 20 + ["reset"]


def test_the_first_failures_since_the_healing_are_kept_too() -> None:
    record = Record("c", asked(OWN, (2.0, 3.0), "timeout") + asked(OWN, (7.5, 7.6), "timeout"))
    found = figures_of(seen(record)).failures
    assert [one.after_s >= 5.0 for one in found] == [False] * 20 + [True] * 10


def test_downloads() -> None:
    downloads = [
        Download(OWN, 0.5, 1.0, "short", 10),  # before the event
        Download(OWN, 1.0, 2.5, "reset", 10),
        Download(OWN, 2.6, 2.7, "reset", 0),  # never began
        Download(OWN, 3.0, 8.0, "short", 10),
        Download(OWN, 3.0, 9.0, "wrong", 10),
        Download(OTHER, 3.0, 9.0, "ok", 10),
    ]

    found = figures_of(seen(Record("c", asked(OWN), downloads)))

    assert (found.downloads, found.cut, found.cut_back, found.wrong) == (6, 1, 1, 1)
    assert failure_lines(found) == [
        f"cut: c from {OWN}, 0.50 s after the event (begun at -1.00 s, 10 bytes): reset",
        f"cut: c from {OWN}, 6.00 s after the event (begun at 1.00 s, 10 bytes): short",
    ]


def test_decisions_of_request_routers() -> None:
    answers = [Answer("dns", at / 10, [OWN, OTHER] if at < 31 else [OTHER]) for at in range(90)]
    answers += [Answer("http", at / 10, ["oslo1.cdn.test"]) for at in range(90)]

    found = figures_of(seen(Record("c", asked(OWN), answers=answers)))

    assert found.dns_s is not None
    assert abs(found.dns_s - 1.1) < 1e-6
    assert found.http_s is None


def test_routers_that_never_sent_anybody_there_decided_nothing() -> None:
    answers = [Answer("dns", at / 10, [OTHER]) for at in range(90)]

    assert figures_of(seen(Record("c", asked(OWN), answers=answers))).dns_s is None


def test_silence_is_no_decision() -> None:
    answers = [Answer("dns", at / 10, []) for at in range(90)]

    assert figures_of(seen(Record("c", asked(OWN), answers=answers))).dns_s is None


def test_the_worst_of_several() -> None:
    assert worst([]) == 0.0
    assert worst([1.0, 3.0]) == 3.0
    assert worst([1.0, None]) is None


def test_requests_by_name_are_told_apart() -> None:
    record = Record("north-client1", [*asked(OWN), *asked("video.cdn.test", (7.0, 7.2))])

    found = figures_of(seen(record))

    assert (found.failed_named, found.failed, found.failed_others, found.failed_back) == (
        20,
        0,
        0,
        0,
    )
    assert found.named_s is not None
    assert abs(found.named_s - 0.2) < 1e-6


def test_the_first_answer_of_another_server_says_whether_it_resumed() -> None:
    def answered(at_s: float, server: str, resumed: bool | None) -> Attempt:
        return Attempt(OWN, at_s, at_s, at_s + 0.001, "ok", server, resumed)

    before = [answered(1.0, "oslo1", None), answered(1.5, "oslo1", True)]
    # Later ones bring a session of the neighbour itself.
    kept = Record("a", [*before, answered(3.0, "oslo2", True), answered(3.1, "oslo2", False)])
    lost = Record("b", [*before, answered(3.0, "oslo2", False), answered(3.1, "oslo2", True)])
    back = Record("c", [*before, answered(8.0, "oslo2", False)])

    found = figures_of(seen(kept, records=[kept, lost, back]))

    assert (found.elsewhere, found.resumed) == (2, 1)


def test_the_first_requests_that_failed_are_named_with_how_far_they_came() -> None:
    good = asked(OWN)
    bad = Attempt(OTHER, 3.0, 3.0, 3.9, "timeout", reached="connecting")
    late = Attempt(OTHER, 4.5, 4.5, 5.4, "timeout", reached="asked")
    record = Record("north-client1", [*good, late, bad])
    lost = {"north": Lost(2, 1)}

    found = figures_of(seen(record, lost=lost))

    assert found.failures == [
        Failure("north-client1", OTHER, 1.0, "timeout", "connecting"),
        Failure("north-client1", OTHER, 2.5, "timeout", "asked"),
    ]
    assert failure_lines(found)[0] == (
        f"failed: north-client1 to {OTHER}, 1.00 s after the event: timeout, no connection was made"
    )
    assert run_line(1, found).endswith("lines lost north 3 (1 in the relay)")
    assert lost_lines([found]) == ["run 1: the lab's lines lost north 3 (1 in the relay)"]


def test_a_run_whose_relay_had_no_time_is_refused_and_says_of_which_line() -> None:
    def refused(starved: int) -> list[str]:
        lost = {"north": Lost(), "south": Lost(0, 0, 900, starved)}
        return figures_of(seen(Record("north-client1", asked(OWN)), lost=lost)).refused

    assert refused(HOPELESS_TIMES - 1) == []
    (why,) = refused(HOPELESS_TIMES)
    assert why.startswith(f"the lab's relay of south was {HOPELESS_TIMES} times more than 100 ms")


def test_many_failures_are_an_interruption_and_not_listed() -> None:
    found = figures_of(seen(Record("north-client1", asked(OWN, (2.0, 2.4)))))

    assert len(found.failures) == 20
    assert failure_lines(found) == []
