"""Sessions refuse what no router could agree to, and passwords come out of guarded files only."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest

from headrace.bgp.announcement import Family
from headrace.bgp.errors import BgpError
from headrace.bgp.session import Session, read_password, unique


def session(**changes: object) -> Session:
    values = {
        "peer": ip_address("192.0.2.1"),
        "local": ip_address("192.0.2.2"),
        "peer_as": 64500,
        "local_as": 64510,
        "router_id": IPv4Address("192.0.2.2"),
    }
    return Session(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"local": ip_address("2001:db8::1")}, "one family"),
        ({"local": ip_address("192.0.2.1")}, "own address"),
        ({"peer_as": 0}, "AS number"),
        ({"local_as": 23456}, "AS number"),
        ({"hold_time_s": 2}, "hold time"),
        ({"ttl_security_hops": 0}, "hops"),
        ({"graceful_restart_s": 4096}, "4095"),
        ({"port": 0}, "port"),
        ({"description": 'x"; local-as 1;'}, "description"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        session(**wrong)


def test_a_session_is_of_its_routers_family() -> None:
    six = session(peer=ip_address("2001:db8::1"), local=ip_address("2001:db8::2"))
    assert (session().family, six.family) == (Family.IPV4, Family.IPV6)
    assert unique((session(), six)) == (session(), six)
    with pytest.raises(ValueError, match="two sessions"):
        unique((session(), session(hold_time_s=30)))
    with pytest.raises(ValueError, match="at least one"):
        unique(())


def test_a_password_is_one_line_of_a_guarded_file(tmp_path: Path) -> None:
    file = tmp_path / "md5"
    file.write_text("a;b 'c\"\n")
    file.chmod(0o600)
    assert read_password(file) == "a;b 'c\""
    file.chmod(0o640)
    assert read_password(file) == "a;b 'c\""
    file.chmod(0o644)
    with pytest.raises(BgpError, match="chmod g-w,o-rwx"):
        read_password(file)


@pytest.mark.parametrize("content", ["", "\n", "x" * 81, "two\nlines\n", "ümlaut\n"])
def test_what_is_no_password_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "md5"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(BgpError, match="holds no password"):
        read_password(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BgpError, match=r"md5 cannot be read: No such file"):
        read_password(tmp_path / "md5")
