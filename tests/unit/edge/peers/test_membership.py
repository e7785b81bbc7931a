"""Who is in the network, and the file of its secrets."""

from __future__ import annotations

import os
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from headrace.edge.fill.client_budgets import ByteBudget, Counts
from headrace.edge.peers.membership import BadSecrets, Membership, charged_to, secrets_of
from headrace.http.fields import PEER_FIELD
from headrace.http.message import Headers
from headrace.http.parser import RequestHead
from headrace.http.server.tls_context import ClientCertificate
from headrace.upstream.peering import NO_PURGES, Peer, PeerRefusal, PeerSecrets, PurgeTimes, sign
from tests.harness.peers import SECRETS, SIBLING, TOPOLOGY

NOW = 1e9


def member(server: str = "edge", secrets: PeerSecrets = SECRETS) -> Membership:
    found = Membership()
    found.adopt(TOPOLOGY, server)
    found.use(None, secrets)
    return found


def head(*fields: tuple[bytes, bytes]) -> RequestHead:
    return RequestHead(b"GET", b"/a", (1, 1), Headers(fields), b"h", 0, True, False)


def test_servers_of_one_network_know_each_other() -> None:
    fields = member("n2").signer(None, NO_PURGES)(b"GET", b"h", b"/a", NOW)
    assert member().recognised(head(*fields), NOW) == SIBLING


def test_each_server_on_the_way_counts() -> None:
    fields = member("n2").signer(Peer("m1", "mid", 2), NO_PURGES)(b"GET", b"h", b"/a", NOW)
    assert member().recognised(head(*fields), NOW) == Peer("n2", "north", 3)


def test_a_server_that_is_not_in_the_network_believes_no_one() -> None:
    fields = sign(SECRETS, b"GET", b"h", b"/a", SIBLING, NOW)
    stranger = member("elsewhere")
    assert not stranger.active
    assert stranger.recognised(head(*fields), NOW) is PeerRefusal.UNEXPECTED


def certificate(*hosts: str, until: float = NOW + 60) -> ClientCertificate:
    return ClientCertificate(frozenset(hosts), until)


UNSIGNED = PeerSecrets()


def test_who_shows_its_certificate_needs_no_secret() -> None:
    asker = member("n2", secrets=UNSIGNED)
    assert not asker.active
    asker.certified = True
    assert asker.active
    fields = asker.signer(Peer("m1", "mid", 2), NO_PURGES)(b"GET", b"h", b"/a", NOW)
    for secrets in (UNSIGNED, SECRETS):
        asked = member(secrets=secrets)
        found = asked.recognised(head(*fields), NOW, certificate("n2.example", "other.example"))
        assert found == Peer("n2", "north", 3)


def test_without_a_certificate_what_is_not_signed_is_not_believed() -> None:
    fields = sign(UNSIGNED, b"GET", b"h", b"/a", SIBLING, NOW)
    assert member().recognised(head(*fields), NOW) is PeerRefusal.SIGNATURE
    assert member(secrets=UNSIGNED).recognised(head(*fields), NOW) is PeerRefusal.UNEXPECTED


@pytest.mark.parametrize("secrets", [UNSIGNED, SECRETS])
@pytest.mark.parametrize(
    "shown",
    [
        certificate(),
        certificate("m1.example"),
        certificate("n2.example.org", "x.n2.example"),
        certificate("n2.example", until=NOW - 1),
    ],
)
def test_a_certificate_of_another_or_of_the_past_speaks_for_none(
    secrets: PeerSecrets, shown: ClientCertificate
) -> None:
    fields = sign(secrets, b"GET", b"h", b"/a", SIBLING, NOW)
    assert member().recognised(head(*fields), NOW, shown) is PeerRefusal.CERTIFICATE


def test_a_certificate_of_no_server_and_an_old_request_are_refused_as_ever() -> None:
    shown = certificate("n9.example", "n2.example")
    unknown = sign(UNSIGNED, b"GET", b"h", b"/a", Peer("n9", "north"), NOW)
    assert member().recognised(head(*unknown), NOW, shown) is PeerRefusal.UNKNOWN
    old = sign(UNSIGNED, b"GET", b"h", b"/a", SIBLING, NOW - 60)
    assert member().recognised(head(*old), NOW, shown) is PeerRefusal.CLOCK
    assert member("elsewhere").recognised(head(*old), NOW, shown) is PeerRefusal.UNEXPECTED


def test_a_server_that_left_the_network_is_not_believed() -> None:
    fields = sign(SECRETS, b"GET", b"h", b"/a", SIBLING, NOW)
    found = member()
    found.adopt(type(TOPOLOGY)(servers=TOPOLOGY.servers[:1]), "edge")
    assert found.recognised(head(*fields), NOW) is PeerRefusal.UNKNOWN


def test_who_has_no_secret_believes_no_one() -> None:
    fields = [(PEER_FIELD, b"1 n2 north 1 http 1 0 0 - " + b"0" * 64)]
    assert member(secrets=PeerSecrets()).recognised(head(*fields), NOW) is PeerRefusal.UNEXPECTED


def test_a_changed_file_is_read_and_a_bad_one_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"a" * 32)
    found = Membership()
    found.use(path, secrets_of(path))
    for text, first in ((b"b" * 32 + b"\n" + b"a" * 32, b"b"), (b"short", b"b"), (b"c" * 40, b"c")):
        newer = tmp_path / "newer"
        newer.write_bytes(text)
        os.replace(newer, path)
        found.look_at_secrets()
        assert found.secrets.secrets[0][:1] == first
    path.unlink()
    found.look_at_secrets()
    assert found.secrets.secrets[0][:1] == b"c"


@pytest.mark.parametrize(
    ("text", "problem"), [(None, "No such file"), (b"x", "shorter"), (b"x" * 70_000, "too long")]
)
def test_a_file_that_is_of_no_use_says_why(
    tmp_path: Path, text: bytes | None, problem: str
) -> None:
    path = tmp_path / "secret"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(BadSecrets, match=problem):
        secrets_of(path)


def test_a_server_is_charged_by_its_name_and_counts_as_many() -> None:
    server, client = charged_to(SIBLING, "192.0.2.7"), charged_to(None, "192.0.2.7")
    assert (server, client) == ("server n2", "192.0.2.7")
    counts = Counts(2)
    counts.networks_each = 3
    assert [counts.take(server) for _ in range(7)] == [True] * 6 + [False]
    assert [counts.take(client) for _ in range(3)] == [True] * 2 + [False]


def test_a_server_may_leave_more_behind_and_gets_it_back_sooner() -> None:
    budget = ByteBudget(100, 10)
    budget.networks_each = 3
    assert budget.spend("server n2", 300, 0.0)
    assert not budget.spend("server n2", 1, 0.0)
    assert budget.left_bytes("server n2", 1.0) == 30
    assert not budget.spend("192.0.2.7", 101, 0.0)
    assert budget.spend("192.0.2.7", 100, 0.0)
    assert budget.left_bytes("192.0.2.7", 1.0) == 10


def test_a_purge_is_as_long_ago_by_whichever_clock() -> None:
    for skew_s in (-20.0, 0.0, 20.0):
        purges = PurgeTimes(not_before=NOW + skew_s - 60)
        asker = Peer("n2", "north", 1, purges)
        fields = sign(SECRETS, b"GET", b"h", b"/a", asker, NOW + skew_s)
        found = member().recognised(head(*fields), NOW)
        assert isinstance(found, Peer)
        assert found.purges.not_before == pytest.approx(NOW - 60, abs=0.002)


def test_a_request_that_is_sent_again_tells_of_the_same_purge() -> None:
    asked = member()
    old = sign(SECRETS, b"GET", b"h", b"/a", Peer("n2", "north", 1, PurgeTimes(NOW)), NOW)
    for later_s in (0.0, 9.0, 29.0):
        found = asked.recognised(head(*old), NOW + later_s)
        assert isinstance(found, Peer)
        assert found.purges.not_before == NOW


def test_a_server_is_known_by_its_addresses() -> None:
    found = member()
    placed = replace(TOPOLOGY.servers[1], ipv4=(IPv4Address("192.0.2.7"),))
    found.adopt(replace(TOPOLOGY, servers=(TOPOLOGY.servers[0], placed)), "edge")
    assert found.server_at("192.0.2.7") == "n2"
    assert found.server_at("192.0.2.8") is None
