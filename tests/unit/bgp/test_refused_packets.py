"""What the kernel counts of dropped packets becomes a hint in words."""

from __future__ import annotations

from headrace.bgp.refused_packets import hint, read_refused, refused_packets

TEXT = """\
TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Failure TCPMinTTLDrop
TcpExt: 9 0 2 7
IpExt: InNoRoutes TCPMinTTLDrop
IpExt: 1 1000
"""


def test_only_what_matters_is_read() -> None:
    found = {"TCPMD5NotFound": 0, "TCPMD5Failure": 2, "TCPMinTTLDrop": 7}
    assert refused_packets(TEXT) == found
    assert refused_packets("TcpExt: 1\n") == refused_packets("") == {}
    assert "TCPMinTTLDrop" in read_refused()


def test_what_has_risen_is_told() -> None:
    before = {"TCPMD5Failure": 2, "TCPMinTTLDrop": 4}
    now = refused_packets(TEXT)
    assert hint(before, now).startswith("the kernel dropped 3 packets that came from farther")
    assert "another password" in hint({}, now)
    assert hint(now, now) == hint(before, {}) == ""
