"""The configuration of VIPs: what is refused, with its remedy, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.cli.role_file import RoleName, role_of
from headrace.config.loader import load_config, parse_config
from headrace.config.problems import ConfigError
from headrace.config.vip import VIP
from headrace.config.vip.model import VipConfig
from headrace.vip.rules import rules_of
from headrace.vip.speak.made import sessions_of

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "vip.toml"
NETWORK = '[network]\nfile = "n"\nserver = "s1"\nsecret_file = "s"\n'
LISTEN = '[[listen]]\naddress = "127.0.0.1:0"\n'
SPEAKER = "[speaker]\nas = 64510\n"
ROUTER = '[[router]]\naddress = "10.0.0.1"\nlocal_address = "10.0.0.2"\nas = 64500\n'
CHECK = '[[check]]\nhost = "h"\npath = "/p"\n'


def loaded(
    *,
    network: str = NETWORK,
    speaker: str = SPEAKER,
    router: str = ROUTER,
    more: str = "",
    check: str = CHECK,
    tls: str = "",
) -> VipConfig:
    text = f'state_dir = "state"\n{network}{LISTEN}{tls}{speaker}{router}{check}{more}'
    return parse_config(text, "vip.toml", VIP, base=Path("/base"))


def test_the_example_is_right_and_is_known_for_what_it_is() -> None:
    config = load_config(EXAMPLE, VIP)
    assert [one.name for one in config.routers] == ["north", "south"]
    assert role_of(EXAMPLE) is RoleName.VIP


def test_a_worker_gets_the_same_configuration() -> None:
    config = loaded(router=f'{ROUTER}within = ["10.0.0.0/8"]\nhold_time = "3s"\n')
    assert VipConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"network": NETWORK.replace('secret_file = "s"\n', "")}, "network.secret_file"),
        (
            {
                "speaker": f'{SPEAKER}router_id = "10.0.0.2"\n',
                "router": ROUTER.replace("10.0.0.2", "fd00::2"),
            },
            "vip.toml:13: error: router[0].local_address = 'fd00::2': it is not of the family",
        ),
        ({"router": ROUTER.replace("10.0.0.2", "10.0.0.1")}, "it is the router's address"),
        ({"router": ROUTER * 2}, "another [[router]] has this address"),
        ({"router": f'{ROUTER}hold_time = "3500ms"\n'}, "BGP counts whole seconds"),
        ({"router": f'{ROUTER}hold_time = "2s"\n'}, "router[0].hold_time"),
        ({"router": ROUTER.replace("64500", "23456")}, "this AS number is reserved"),
        ({"speaker": "[speaker]\nas = 0\n"}, "speaker.as"),
        (
            {
                "router": ROUTER.replace("10.0.0.1", "fd00::1").replace("10.0.0.2", "fd00::2"),
            },
            "speaker.router_id",
        ),
        ({"more": '[checking]\nwatchdog = "300ms"\n'}, "it is less than twice the interval"),
        ({"more": '[neighbours]\ntimeout = "1500ms"\n'}, "it is longer than interval, 1 s"),
        ({"check": ""}, "check"),
        ({"router": ""}, "router"),
        ({"speaker": f'{SPEAKER}kind = "gobgp"\n'}, "speaker.kind"),
        ({"more": "[checks]\n"}, "checks"),
        (
            {"more": '[[certificate]]\ncert = "c"\nkey = "k"\n', "tls": "tls = true\n"},
            "listen[0].tls = true: the other servers ask without TLS",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_a_remedy(parts: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(**parts)
    assert message in str(caught.value)


def test_what_a_daemon_does_by_itself_is_warned_of() -> None:
    warned: list[str] = []
    text = (
        f'state_dir = "state"\n{NETWORK}{LISTEN}{SPEAKER}kind = "bird"\n{ROUTER}bfd = true\n{CHECK}'
    )
    parse_config(text, "vip.toml", VIP, base=Path("/base"), warn=warned.append)
    assert "bird has its sessions in its own configuration" in "".join(warned)


def test_the_values_arrive() -> None:
    router = (
        f'{ROUTER}hold_time = "3s"\nttl_security = 1\ngraceful_restart = "2m"\nport = 1790\n'
        'bfd = true\nmost_prefixes = 10\nwithin = ["192.0.2.0/24"]\nname = "north"\n'
    )
    more = '[checking]\ninterval = "500ms"\ntimeout = "1s"\nfailures = 3\nsuccesses = 4\n'
    config = loaded(router=router, more=more)
    (session,) = sessions_of(config)
    assert (session.peer_as, session.local_as, str(session.router_id)) == (64500, 64510, "10.0.0.2")
    assert (session.hold_time_s, session.ttl_security_hops, session.port) == (3, 1, 1790)
    assert (session.graceful_restart_s, session.bfd, session.description) == (120, True, "north")
    assert (session.intake.most, [str(one) for one in session.intake.within]) == (
        10,
        ["192.0.2.0/24"],
    )
    rules = rules_of(config)
    assert (rules.failures, rules.successes, rules.check_age_s) == (3, 4, 3.0)


def test_a_port_of_neighbours_that_is_not_the_own_one_is_warned_of() -> None:
    text = f'state_dir = "state"\n{NETWORK}{LISTEN}{SPEAKER}{ROUTER}{CHECK}'
    warned: list[str] = []
    parse_config(text, "vip.toml", VIP, base=Path("/base"), warn=warned.append)
    assert "neighbours.port = 8093: this server does not listen there itself" in "".join(warned)
    warned.clear()
    same = text.replace("127.0.0.1:0", "127.0.0.1:8093")
    parse_config(same, "vip.toml", VIP, base=Path("/base"), warn=warned.append)
    assert warned == []
