"""The view in force: the newest good one, and every refusal counted."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from headrace.node.network.view_file import ViewFile, write_view
from headrace.node.network.views import LOG_AGAIN_S, Views, not_online
from headrace.telemetry.network import STATES_NOT_ONLINE
from headrace.topology.view import NO_VIEW, Cause, ServerState, ServerView, View
from headrace.topology.view_age import STEPS
from headrace.topology.view_codec import LARGEST_BYTES, ViewError, decode_view, encode_view
from tests.harness.networks import two_sites

NETWORK = two_sites()
FULL = View(1, 1000.0, {"north1": ServerView(ServerState.FULL)})


def taken(views: Views, view: View, now: float = 1000.0) -> bool:
    return views.offer(encode_view(view), "socket", now)


def test_without_a_view_there_is_none_to_age() -> None:
    views = Views(600.0)
    assert views.age_s(1e9) is None
    assert not views.grow_older(1e9)
    assert views.in_force(NETWORK) is NO_VIEW


def test_a_view_is_taken_once_and_ages_in_steps() -> None:
    views = Views(600.0)
    assert taken(views, FULL)
    assert not taken(views, FULL)
    assert views.age_s(1060.0) == 60.0
    assert not views.grow_older(1599.0)
    assert views.in_force(NETWORK).servers["north1"].state is ServerState.FULL
    grown = [now for now in range(1600, 3000) if views.grow_older(now)]
    assert len(grown) == STEPS
    assert views.in_force(NETWORK).servers["north1"].state is ServerState.ONLINE
    assert taken(views, View(2, 3000.0, FULL.servers), 3000.0)
    assert views.step == 0
    assert views.in_force(NETWORK).servers["north1"].state is ServerState.FULL


def test_one_that_is_old_when_it_comes_has_aged() -> None:
    views = Views(600.0)
    taken(views, FULL, 5000.0)
    assert views.step == STEPS
    assert not views.grow_older(5001.0)


def test_a_clock_that_was_set_back_makes_no_negative_age() -> None:
    views = Views(600.0)
    taken(views, FULL)
    assert views.age_s(10.0) == 0.0
    assert not views.grow_older(10.0)


def test_what_is_refused_is_counted_and_logged_once_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(
        "headrace.node.network.views.log.warning", lambda event, **_: logged.append(event)
    )
    views = Views(600.0)
    taken(views, FULL)
    for now in (1000.0, 1001.0, 1000.0 + LOG_AGAIN_S):
        with pytest.raises(ViewError):
            views.offer(b"{", "file", now)
    with pytest.raises(ViewError):
        taken(views, View(1, 999.0))
    assert views.refused == {"malformed": 3, "older": 1}
    assert logged == ["view_refused"] * 3
    assert views.last_refusal.startswith("socket: ")
    assert views.said == FULL


def test_a_refusal_says_where_why_and_what_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[dict[str, object]] = []
    monkeypatch.setattr(
        "headrace.node.network.views.log.warning", lambda _, **fields: logged.append(fields)
    )
    views = Views(600.0, places={"file": "/etc/headrace/view.json"})
    with pytest.raises(ViewError):
        views.offer(b'{"version": 2, "made_at": 1, "servers": {"a": 3}}', "file", 1000.0)
    taken(views, FULL, 1000.0)
    with pytest.raises(ViewError):
        views.offer(encode_view(View(1, 100.0)), "http://192.0.2.1:8091", 1010.0)
    [wrong, older] = logged
    assert wrong["source"] == "file /etc/headrace/view.json"
    assert "$.servers[...]" in str(wrong["problem"])
    assert wrong["stays"] == "no view: the description alone decides"
    assert (older["kind"], older["source"]) == ("older", "http://192.0.2.1:8091")
    assert "two write views, or their clocks differ" in str(older["problem"])
    assert str(older["stays"]).startswith(f"view {FULL.version}, made ")
    assert views.last_refusal.startswith("http://192.0.2.1:8091: ")


def test_a_file_is_read_when_it_is_another(tmp_path: Path) -> None:
    path = tmp_path / "view.json"
    file = ViewFile(path)
    assert file.read_if_changed() is None
    write_view(path, FULL)
    assert decode_view(file.read_if_changed() or b"") == FULL
    assert file.read_if_changed() is None
    path.unlink()
    assert file.read_if_changed() is None
    write_view(path, View(2, 2000.0))
    assert decode_view(file.read_if_changed() or b"").version == 2
    assert [one.name for one in tmp_path.iterdir()] == ["view.json"]


def test_a_file_that_is_none_or_too_large_is_refused_at_no_cost(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(ViewError, match="is no file"):
        ViewFile(fifo).read_if_changed()
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(2**40)
    assert len(ViewFile(large).read_if_changed() or b"") == LARGEST_BYTES + 1


def test_a_file_that_may_not_be_read_is_refused_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "view.json"
    write_view(path, FULL)

    def denied(*_arguments: object, **_more: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("headrace.node.network.view_file.os.open", denied)
    file = ViewFile(path)
    with pytest.raises(ViewError, match="cannot be read: Permission denied"):
        file.read_if_changed()
    assert file.read_if_changed() is None


def test_a_file_that_is_none_costs_no_descriptor(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(ViewError, match="is no file"):
            ViewFile(tmp_path).read_if_changed()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_view_of_another_network_is_refused_and_one_without_a_name_is_taken() -> None:
    views = Views(600.0, "ours")
    with pytest.raises(ViewError, match="'theirs'"):
        taken(views, replace(FULL, network="theirs"))
    assert views.refused == {"other_network": 1}
    assert views.said is NO_VIEW
    assert taken(views, replace(FULL, network="ours"))
    assert taken(views, View(2, 1000.0))  # as written before views had names
    assert taken(Views(600.0), replace(FULL, network="theirs"))


def test_a_clock_that_was_set_back_keeps_no_view_out() -> None:
    views = Views(600.0)
    assert taken(views, View(7, 5000.0), now=5000.0)
    with pytest.raises(ViewError, match="older"):
        taken(views, View(8, 1000.0), now=4950.0)
    # An hour back: what is in force says now that it was made later.
    assert taken(views, View(8, 1400.0), now=1400.0)
    assert views.said.version == 8
    assert not taken(views, View(8, 1400.0), now=1401.0)
    with pytest.raises(ViewError, match="from now"):
        taken(views, View(9, 5000.0), now=1402.0)


def test_what_is_not_online_is_named_if_the_network_has_it() -> None:
    states = {
        "n1": ServerView(ServerState.FAILED),
        "n2": ServerView(ServerState.ONLINE, 0.5),
        "nowhere": ServerView(ServerState.FULL),
    }
    assert not_online(View(1, 1.0, states), NETWORK) == {"n1": "failed"}


def test_each_state_but_online_is_counted() -> None:
    assert {state.value for state in ServerState} - {"online"} == set(STATES_NOT_ONLINE)


def test_an_order_that_ends_while_nobody_renews_the_view_ends_all_the_same() -> None:
    views = Views(600.0)
    until = 1300.0
    ordered = ServerView(ServerState.FAILED, cause=Cause.ORDERED, until=until)
    taken(views, View(1, 1000.0, {"north1": ordered, "south1": ServerView(ServerState.FAILED)}))
    assert views.in_force(NETWORK).servers["north1"] == ordered
    # Whoever writes views says what follows, while there is anybody.
    assert not views.grow_older(1301.0)
    assert views.in_force(NETWORK).servers["north1"] == ordered
    assert views.grow_older(1600.0)
    assert set(views.in_force(NETWORK).servers) == {"south1"}
    taken(views, View(2, 1700.0, {"north1": ServerView(ServerState.FAILED)}), 1700.0)
    assert set(views.in_force(NETWORK).servers) == {"north1"}
