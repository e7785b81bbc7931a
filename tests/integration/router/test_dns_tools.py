"""dig and kdig ask for every type of record, over UDP and TCP, with and without a client subnet."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.harness.dns_server import RunningDns, running_dns

NORTH = {f"198.51.100.{number}" for number in (1, 2, 3)}
SOUTH = {f"198.51.100.{number}" for number in (4, 5, 6)}

EXPECTED = {
    ("vod.example", "HTTPS"): r"1 \. alpn=\"?http/1\.1\"? ipv4hint=198\.51\.100\.",
    ("vod.example", "AAAA"): r"2001:db8:c::[1-6]",
    ("s0421.shards.example", "A"): r"198\.51\.100\.[1-6]",
    ("n1.cdn.example", "A"): r"198\.51\.100\.1\b",
    ("n1.cdn.example", "AAAA"): r"2001:db8:c::1",
    ("n1.cdn.example", "HTTPS"): r"1 \. alpn=",
    ("cdn.example", "NS"): r"ns[12]\.cdn\.example\.",
    ("cdn.example", "SOA"): r"ns1\.cdn\.example\. hostmaster\.cdn\.example\. 1 ",
    ("cdn.example", "TXT"): r'"a zone" "of the router"',
    ("cdn.example", "CAA"): r'0 issue "ca\.example"',
    ("cdn.example", "ANY"): r'"RFC8482" ""',
    ("www.about.cdn.example", "CNAME"): r"pages\.example\.net\.",
    ("www.about.cdn.example", "A"): r"pages\.example\.net\.",
}


@pytest.fixture(name="served", scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDns]:
    with running_dns(tmp_path_factory.mktemp("dns"), "127.0.0.1", "[::1]") as served:
        yield served


def dig(served: RunningDns, *words: str, server: str = "127.0.0.1") -> str:
    """Return what dig prints."""
    command = ["dig", f"@{server}", "-p", str(served.port), "+tries=2", "+time=5", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout


def kdig(served: RunningDns, *words: str, server: str = "127.0.0.1") -> str:
    """Return what kdig prints."""
    command = ["kdig", f"@{server}", "-p", str(served.port), "+retry=2", "+timeout=5", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout


@pytest.mark.parametrize("subnet", ["", "+subnet=203.0.113.0/24"])
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
@pytest.mark.parametrize("tool", [dig, kdig])
def test_every_type_of_record(
    served: RunningDns, tool: object, transport: str, subnet: str
) -> None:
    assert callable(tool)
    for (name, kind), expected in EXPECTED.items():
        printed = tool(served, *[each for each in (transport, subnet) if each], name, kind)
        assert "status: NOERROR" in printed, printed
        assert re.search(expected, printed), f"{name} {kind}: {printed}"
        assert ("CLIENT-SUBNET: 203.0.113.0/24/" in printed) == bool(subnet)


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_the_subnet_decides_and_the_scope_says_for_whom(served: RunningDns, transport: str) -> None:
    for subnet, expected in (("192.0.2.0/24", NORTH), ("203.0.113.77/32", SOUTH)):
        printed = dig(served, transport, f"+subnet={subnet}", "vod.example", "A")
        assert set(re.findall(r"\bA\s+([0-9.]+)", printed)) <= expected
        assert f"CLIENT-SUBNET: {subnet}/24" in printed
    printed = dig(served, "+subnet=192.0.2.0/24", "cdn.example", "SOA")
    assert "CLIENT-SUBNET: 192.0.2.0/24/0" in printed
    printed = dig(served, "+subnet=0", "vod.example", "A")
    assert "/0/0" in printed


def test_over_ipv6(served: RunningDns) -> None:
    for transport in ("+notcp", "+tcp"):
        assert "status: NOERROR" in dig(served, transport, "vod.example", "A", server="::1")


def test_cookies_are_said_to_be_good(served: RunningDns) -> None:
    assert re.search(r"COOKIE: [0-9a-f]{48} \(good\)", dig(served, "+cookie", "vod.example", "A"))
    printed = dig(served, "+cookie=0102030405060708f0", "vod.example", "A")
    assert "status: FORMERR" in printed
    assert "COOKIE" in kdig(served, "+cookie", "vod.example", "A")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["nothing.cdn.example", "A"], "NXDOMAIN"),
        (["about.cdn.example", "A"], "NOERROR"),
        (["vod.example", "MX"], "NOERROR"),
        (["vod.example", "TYPE65280"], "NOERROR"),
        (["vod.example", "TYPE200"], "NOTIMP"),
        (["example.org", "A"], "REFUSED"),
        (["version.bind", "TXT", "CH"], "REFUSED"),
        (["vod.example", "A", "CLASS255"], "REFUSED"),
        (["vod.example", "A", "+edns=9", "+noednsneg"], "BADVERS"),
        (["vod.example", "A", "+opcode=update"], "NOTIMP"),
        (["vod.example", "A", "+ednsopt=8:00"], "FORMERR"),
        (["vod.example", "A", "+ednsopt=65001:00ff"], "NOERROR"),
        (["vod.example", "A", "+noedns"], "NOERROR"),
        (["vod.example", "A", "+bufsize=512", "+dnssec"], "NOERROR"),
        (["vod.example", "A", "+header-only"], "FORMERR"),
    ],
)
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_what_there_is_not(
    served: RunningDns, words: list[str], status: str, transport: str
) -> None:
    printed = dig(served, transport, "+qr", *words)
    answer = printed.rpartition("Got answer:")[2]
    assert f"status: {status}" in answer, printed
    if status == "NXDOMAIN":
        assert re.search(r"cdn\.example\.\s+30\s+IN\s+SOA", answer)


def test_no_zone_is_given_away(served: RunningDns) -> None:
    for tool in (dig, kdig):
        printed = tool(served, "cdn.example", "AXFR")
        assert "ns2" not in printed
        assert "198.51.100" not in printed


def test_what_does_not_fit_comes_over_tcp(served: RunningDns) -> None:
    long = [{"name": "long", "type": "TXT", "value": f'"{number:0200}"'} for number in range(9)]
    zone = {"name": "long.example", "nameservers": ["ns1.cdn.example"], "record": long}
    with running_dns(served.directory, config={"zone": [zone]}) as own:
        printed = dig(own, "+ignore", "long.long.example", "TXT")
        assert "flags: qr aa tc" in printed
        assert "ANSWER: 0" in printed
        assert "ANSWER: 9" in dig(own, "long.long.example", "TXT")
        assert own.metrics.dns_tcp_queries == 1
