"""DNS cookies: ours are known again, at their address and in their time; others are not."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.router.dns.cookie_secrets import CookieSecretError, own_secrets, read_secrets
from headrace.router.dns.cookies import LIFE_S, Cookies
from tests.harness.dns_messages import Asked, cookie_of, option, query

MINE = b"8 bytes."
CLIENT = IPv4Address("192.0.2.7").packed
NOW_S = 1_800_000_000
SECRET, OTHER = b"one secret of some length", b"another one, as long as it"


def test_a_cookie_is_known_again_and_kept_while_it_is_young() -> None:
    cookies = Cookies([SECRET])
    first, known = cookies.reply(MINE, CLIENT, NOW_S)
    assert not known
    assert first[:8] == MINE
    assert len(first) == 24
    assert cookies.reply(first, CLIENT, NOW_S + 60) == (first, True)


def test_an_older_cookie_is_renewed_and_an_old_one_is_not_known() -> None:
    cookies = Cookies([SECRET])
    first, _ = cookies.reply(MINE, CLIENT, NOW_S)
    renewed, known = cookies.reply(first, CLIENT, NOW_S + LIFE_S)
    assert known
    assert renewed != first
    assert cookies.reply(first, CLIENT, NOW_S + LIFE_S + 1)[1] is False
    assert cookies.reply(first, CLIENT, NOW_S - 301)[1] is False
    assert cookies.reply(renewed, CLIENT, NOW_S + LIFE_S + 1)[1] is True


def test_a_cookie_is_of_no_use_to_another_client() -> None:
    cookies = Cookies([SECRET])
    first, _ = cookies.reply(MINE, CLIENT, NOW_S)
    assert cookies.reply(first, IPv4Address("192.0.2.8").packed, NOW_S)[1] is False
    assert cookies.reply(b"7 bytes!" + first[8:], CLIENT, NOW_S)[1] is False


def test_a_cookie_of_a_longer_address_is_none_of_one_that_it_begins_with() -> None:
    """The cookie of 2001:db8::7, shown by 32.1.13.184 behind the other bytes of that address."""
    cookies = Cookies([SECRET])
    client = IPv6Address("2001:db8::7").packed
    mine, _ = cookies.reply(MINE, client, NOW_S)
    assert cookies.reply(mine, client, NOW_S)[1] is True
    assert cookies.reply(client[4:] + mine, client[:4], NOW_S)[1] is False


@given(st.integers(0, 23), st.integers(1, 255))
def test_a_changed_cookie_is_not_known(place: int, change: int) -> None:
    cookies = Cookies([SECRET])
    first, _ = cookies.reply(MINE, CLIENT, NOW_S)
    changed = bytearray(first)
    changed[place] ^= change
    assert cookies.reply(bytes(changed), CLIENT, NOW_S)[1] is False


def test_processes_with_the_same_secret_know_each_other_s_cookies_over_midnight() -> None:
    midnight_s = NOW_S // 86400 * 86400
    first, _ = Cookies([SECRET]).reply(MINE, CLIENT, midnight_s - 10)
    assert Cookies([SECRET]).reply(first, CLIENT, midnight_s + 10)[1] is True
    assert Cookies([OTHER]).reply(first, CLIENT, midnight_s + 10)[1] is False


def test_a_secret_is_replaced_without_a_gap() -> None:
    old, both, turned, new = (
        Cookies(secrets) for secrets in ([SECRET], [SECRET, OTHER], [OTHER, SECRET], [OTHER])
    )
    for before, after in ((old, both), (both, old), (both, turned), (turned, both), (turned, new)):
        cookie, _ = before.reply(MINE, CLIENT, NOW_S)
        assert after.reply(cookie, CLIENT, NOW_S)[1] is True


def test_keys_do_not_pile_up() -> None:
    cookies = Cookies([SECRET, OTHER])
    for day in range(100):
        cookies.reply(MINE, CLIENT, day * 86400)
    assert len(cookies._keys) < 20


def test_an_answer_brings_a_cookie_to_whoever_sent_one() -> None:
    asked = Asked()
    message = asked.ask("vod.example", options=[option(10, MINE)])
    cookie = cookie_of(message)
    again = asked.ask("vod.example", options=[option(10, cookie)])
    assert cookie_of(again) == cookie
    assert cookie_of(asked.ask("vod.example", use_edns=0)) == b""


@pytest.mark.parametrize("data", [b"", b"7 bytes", b"nine byte", b"x" * 15, b"x" * 41])
def test_a_cookie_of_a_wrong_length_is_malformed(data: bytes) -> None:
    answer = Asked().raw(query("vod.example", options=[option(10, data)]))
    assert answer is not None
    assert dns.message.from_wire(answer).rcode() == dns.rcode.FORMERR


def test_the_first_worker_makes_the_secret_that_all_of_them_read(tmp_path: Path) -> None:
    first = own_secrets(tmp_path / "state")
    assert first == own_secrets(tmp_path / "state")
    assert [len(secret) for secret in first] == [32]
    (file,) = (tmp_path / "state").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "\n\n", "abc", "zz" * 16, "ab" * 15, "ab" * 33, "ab " * 3])
def test_a_file_without_secrets_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret"
    path.write_text(text)
    with pytest.raises(CookieSecretError, match="openssl rand -hex 32"):
        read_secrets(path)


def test_a_file_may_have_several_secrets(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{'ab' * 16}\n\n{'cd' * 32}\n")
    assert read_secrets(path) == [b"\xab" * 16, b"\xcd" * 32]
