"""A feedback process's configuration: what is refused, with its remedy; what rules come of it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from headrace.cli.role_file import RoleName, role_of
from headrace.config.feedback import FEEDBACK
from headrace.config.feedback.balance import BalanceTable
from headrace.config.feedback.model import FeedbackConfig
from headrace.config.feedback.states import StatesTable
from headrace.config.loader import load_config, parse_config
from headrace.config.problems import ConfigError
from headrace.feedback.balance.rules import DEFAULT_RULES
from headrace.feedback.orders import Mode
from headrace.feedback.rules import rules_of
from headrace.feedback.states.rules import StateRules

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "feedback.toml"
START = (
    'node_id = "a"\nstate_dir = "state"\nlisten = [{ address = "127.0.0.1:0" }]\n'
    'network = { file = "n", secret_file = "s" }\n'
)
TWO = (
    'observer = [{ node_id = "a", url = "http://192.0.2.1:1" },'
    ' { node_id = "b", url = "http://192.0.2.2:1" }]\n'
)


def loaded(more: str, start: str = START) -> FeedbackConfig:
    return parse_config(start + more, "feedback.toml", FEEDBACK, base=Path("/base"))


def test_the_example_is_right() -> None:
    config = load_config(EXAMPLE, FEEDBACK)
    assert [one.node_id for one in config.observers] == ["observer-a", "observer-b", "observer-c"]
    assert role_of(EXAMPLE) is RoleName.FEEDBACK


def test_a_worker_gets_the_same_configuration() -> None:
    config = loaded(TWO + '[[probe]]\nhost = "h"\npath = "/p"\nhttps = false')
    assert FeedbackConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('observer = [{ node_id = "b", url = "http://192.0.2.1:1" }]', "none of its"),
        (TWO.replace('"b"', '"a"'), "two observers have this node_id"),
        ('observer = [{ node_id = "a", url = "192.0.2.1:1" }]', "write http://"),
        ('observer = [{ node_id = "a", url = "http://192.0.2.1/x" }]', "where to ask"),
        ('observer = [{ node_id = "a", url = "http://u@192.0.2.1" }]', "where to ask"),
        ('workers = 2', "1"),
        ('mode = "all"', "states"),
        ('[[probe]]\nhost = "h"\npath = "p"', "pattern|match"),
        ('[[probe]]\nhost = "h"\npath = "/p"\nsha256 = "00"', "pattern|match"),
        ('[probing]\ntimeout = "2s"', "longer than interval"),
        ('[probing]\nslow = "0.9s"', "nothing would be slow"),
        ('[reports]\ntimeout = "2s"', "longer than interval"),
        ("[states]\nreuse = 3000", "less than suppress"),
        ("[states]\nfull_below = 0.96", "less than full_above"),
        ("[balance]\nstep = 0", "0"),
        (
            'router = [{ name = "r", admin = "http://192.0.2.1" },'
            ' { name = "r", admin = "http://192.0.2.2" }]',
            "two routers have this name",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused(more: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loaded(more)


@pytest.mark.parametrize("setting", ["peers = true", 'client_ca = "/ca"'])
def test_no_address_is_for_servers_alone(setting: str) -> None:
    """Else certificates would be written down that nobody asks for."""
    address = 'address = "127.0.0.1:0"'
    with pytest.raises(ConfigError, match="answers no requests between servers"):
        loaded("", START.replace(address, f"{address}, {setting}"))


def test_observers_need_the_secret_of_the_network() -> None:
    with pytest.raises(ConfigError, match="know each other by the network's secret"):
        loaded(TWO, START.replace(', secret_file = "s"', ""))


def test_a_feedback_process_takes_no_view() -> None:
    for key in ('view = "v"', 'view_socket = "v"', 'view_from = ["http://192.0.2.1"]'):
        with pytest.raises(ConfigError, match="makes the view"):
            loaded("", START.replace('file = "n"', f'file = "n", {key}'))


def test_the_defaults_are_those_of_the_rules() -> None:
    rules = StateRules(("a",))
    names = {one.name for one in fields(StateRules)}
    assert set(StatesTable.model_fields) <= names
    assert StatesTable().model_dump(by_alias=False) == {
        name: getattr(rules, name) for name in StatesTable.model_fields
    }
    assert BalanceTable().model_dump(by_alias=False) == {
        one.name: getattr(DEFAULT_RULES, one.name) for one in fields(DEFAULT_RULES)
    }


def test_what_is_configured_reaches_the_controller() -> None:
    config = loaded(TWO + 'mode = "dry-run"\n[states]\nfailures = 7\n[balance]\ninterval = "9s"\n')
    rules = rules_of(config)
    assert rules.mode is Mode.DRY_RUN
    assert rules.states.observers == ("a", "b")
    assert rules.states.failures == 7
    assert rules.balance.interval_s == 9


def test_ages_follow_from_the_intervals() -> None:
    rules = rules_of(loaded('tick = "2s"\n[probing]\ninterval = "4s"\n')).states
    assert rules.probe_age_s == 14
    assert rules.observer_age_s == 6
    assert rules.observers == ("a",)
