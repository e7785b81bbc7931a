"""The order of pathways for a player: the routing's, by what it says of where it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.router.steering.choose import MOST_SLOW, Choice, Known, Option, choose
from headrace.router.steering.report import Report

N1, N2 = Option("n1", "north"), Option("n2", "north")
S1, S2 = Option("s1", "south", order=2), Option("s2", "south", order=2)
ALL = (N1, N2, S1, S2)
SITES = {"n1": "north", "n2": "north", "s1": "south", "s2": "south", "north": "north"}


def at(pathway: str, mbps: float | None = None) -> Report:
    return Report((pathway,), {} if mbps is None else {pathway: mbps * 1e6})


def chosen(
    report: Report,
    options: tuple[Option, ...] = ALL,
    known: Known = Known(),  # noqa: B008 (a value)
    *,
    keep: bool = True,
) -> Choice:
    return choose(options, report, known, SITES, needed_bps=2e6, keep=keep)


def names(choice: Choice) -> list[str]:
    return [option.pathway for option in choice.options]


def test_a_player_that_says_nothing_gets_the_routings_order() -> None:
    choice = chosen(Report())
    assert names(choice) == ["n1", "n2", "s1", "s2"]
    assert choice.known == Known("n1", ())


def test_a_player_stays_where_it_is_well() -> None:
    assert names(chosen(at("n2", 9))) == ["n2", "n1", "s1", "s2"]
    assert names(chosen(at("n2"))) == ["n2", "n1", "s1", "s2"]


def test_unless_it_is_to_follow_every_change() -> None:
    assert names(chosen(at("n2", 9), keep=False)) == ["n1", "n2", "s1", "s2"]


def test_a_player_leaves_a_server_that_takes_no_new_clients() -> None:
    options = (N1, S1, Option("n2", "north", spare=True))
    assert names(chosen(at("n2", 9), options)) == ["n1", "s1", "n2"]


def test_a_player_leaves_a_server_that_is_no_candidate() -> None:
    assert names(chosen(at("n2", 9), (N1, S1))) == ["n1", "s1"]


def test_a_player_comes_home_when_its_site_is_back() -> None:
    assert names(chosen(at("s1", 9))) == ["n1", "n2", "s1", "s2"]


def test_a_site_that_is_too_slow_comes_after_the_others_and_its_server_last() -> None:
    choice = chosen(at("n1", 0.5))
    assert names(choice) == ["s1", "s2", "n2", "n1"]
    assert choice.known == Known("s1", ("north",))


def test_a_player_stays_away_from_a_slow_site() -> None:
    choice = chosen(at("s1", 9), known=Known("s1", ("north",)))
    assert names(choice) == ["s1", "s2", "n1", "n2"]
    assert choice.known.slow == ("north",)


def test_a_player_that_is_slow_everywhere_is_slow_itself() -> None:
    choice = chosen(at("s1", 0.5), known=Known("s1", ("north",)))
    assert names(choice) == ["n1", "n2", "s1", "s2"]
    again = chosen(at("n1", 0.5), known=choice.known)
    assert names(again) == ["n1", "n2", "s1", "s2"]


def test_a_site_that_has_become_fast_is_slow_no_more() -> None:
    assert chosen(at("n1", 9), known=Known("n1", ("north", "south"))).known.slow == ("south",)


def test_without_another_site_a_slow_player_stays() -> None:
    assert names(chosen(at("n1", 0.1), (N1, N2))) == ["n1", "n2"]
    spare = (N1, N2, Option("s1", "south", spare=True))
    assert names(chosen(at("n1", 0.1), spare)) == ["n1", "n2", "s1"]


def test_nothing_measured_is_not_slow() -> None:
    assert chosen(at("n1", 0)).known.slow == ()


def test_a_list_is_what_was_measured_and_the_last_answer_says_where_the_player_is() -> None:
    report = Report(("s1", "n2"), {"s1": 9e6, "n2": 9e6})
    assert names(chosen(report, known=Known("n2")))[0] == "n2"
    assert names(chosen(report))[0] == "n1"


def test_what_a_player_claims_of_unknown_sites_is_forgotten() -> None:
    known = Known("evil", ("evil", "north"))
    assert chosen(at("s1", 9), known=known).known.slow == ("north",)


words = st.sampled_from(["n1", "n2", "s1", "s2", "north", "x"])


@given(
    st.lists(st.sampled_from(ALL), unique=True),
    st.lists(words, max_size=6),
    st.dictionaries(words, st.floats(0, 1e8)),
    st.lists(words, max_size=6),
    st.booleans(),
)
def test_each_candidate_stays_once_and_what_is_spare_behind(
    options: list[Option], pathways: list[str], bps: dict[str, float], slow: list[str], keep: bool
) -> None:
    choice = choose(
        options,
        Report(tuple(pathways), bps),
        Known("n1", tuple(slow)),
        SITES,
        needed_bps=2e6,
        keep=keep,
    )
    assert sorted(names(choice)) == sorted(option.pathway for option in options)
    assert len(choice.known.slow) <= MOST_SLOW
    assert set(choice.known.slow) <= set(SITES.values())
