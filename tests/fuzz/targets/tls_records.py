"""TLS: what one connection's records make OpenSSL write goes to that connection or nowhere.

Three connections of one worker share a buffer, as in the server. The input is what their clients
send, record by record, encrypted with the keys of TLS 1.3 but of any type and content (key
updates, alerts, handshake messages out of place, damaged records), and when the server sends.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime
import itertools
import shutil
import socket
import ssl
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.x509.oid import NameOID

from headrace.http.server.tls_ring import Ring, new_ring
from headrace.http.server.tls_socket import TlsSocket
from tests.fuzz.inputs import Bytes

WORDS = (
    b"\x03\x02\x01", b"\x17\x03\x03", b"\x16\x03\x03", b"\x15\x03\x03\x00\x02\x01\x00",
    b"\x00\x05hello",
)  # fmt: skip

CONNECTIONS = 3
MOST_STEPS = 24
TYPES = (20, 21, 22, 23, 24, 0)  # change_cipher_spec, alert, handshake, application_data, …
MESSAGES = (24, 24, 4, 13, 1, 20, 11, 0, 5)  # KeyUpdate, ticket, CertificateRequest, ClientHello…
_work = Path(tempfile.mkdtemp(prefix="headrace-fuzz-"))
atexit.register(shutil.rmtree, _work, ignore_errors=True)


class _Keys:
    """One direction's traffic keys (RFC 8446 section 7.3), for AES-256-GCM with SHA-384."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self._renew()

    def _renew(self) -> None:
        self._aead = AESGCM(_expand(self.secret, b"key", 32))
        self._iv = _expand(self.secret, b"iv", 12)
        self._number = 0

    def update(self) -> None:
        self.secret = _expand(self.secret, b"traffic upd", 48)
        self._renew()

    def _nonce(self) -> bytes:
        number = self._number
        self._number += 1
        return (int.from_bytes(self._iv, "big") ^ number).to_bytes(12, "big")

    def seal(self, kind: int, content: bytes) -> bytes:
        inner = content + bytes((kind,))
        head = struct.pack(">BHH", 23, 0x0303, len(inner) + 16)
        return head + self._aead.encrypt(self._nonce(), inner, head)

    def open(self, record: bytes) -> tuple[int, bytes]:
        """(type, content). Raises InvalidTag."""
        inner = self._aead.decrypt(self._nonce(), record[5:], record[:5]).rstrip(b"\0")
        return inner[-1], inner[:-1]


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    full = b"tls13 " + label
    info = struct.pack(">HB", size, len(full)) + full + b"\0"
    return HKDFExpand(hashes.SHA384(), size, info).derive(secret)


def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fuzz")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = _work / "pair.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    log = _work / "keys"
    client.keylog_filename = str(log)
    return server, client, log


_SERVER, _CLIENT, _KEY_LOG = _contexts()


def _ring() -> Ring:
    ring = new_ring()
    assert ring is not None
    return ring


_RING = _ring()


class _Pair:
    """A connection: the server's TlsSocket, and a client that holds the keys itself."""

    def __init__(self, outgoing: ssl.MemoryBIO, ring: Ring | None) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.server = TlsSocket(ours, _SERVER, outgoing)
        self.client = theirs
        self.alive = True
        self.expected = b""
        self.heard = b""
        self._unread = b""
        self._shake_hands()
        self.server.send_answers()
        if ring is not None:
            self.server._turn_to_ring(ring)

    def _shake_hands(self) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = _CLIENT.wrap_bio(incoming, outgoing)
        done = False
        for _ in range(10):
            with contextlib.suppress(ssl.SSLWantReadError):
                if not done:
                    tls.do_handshake()
                    done = True
            if outgoing.pending:
                self.client.send(outgoing.read())
            with contextlib.suppress(ssl.SSLWantReadError):
                self.server.do_handshake()
                if done:
                    break
            with contextlib.suppress(BlockingIOError):
                received = self.client.recv(65536)
                if done:
                    self._unread += received
                else:
                    incoming.write(received)
        cipher = tls.cipher()
        assert cipher is not None
        assert cipher[0] == "TLS_AES_256_GCM_SHA384"
        # Session tickets that came in one segment with the handshake are still in here.
        self._unread = incoming.read() + self._unread
        secrets = {}
        for line in _KEY_LOG.read_text().splitlines()[-8:]:
            label, _random, secret = line.split(" ")
            secrets[label] = bytes.fromhex(secret)
        self.sending = _Keys(secrets["CLIENT_TRAFFIC_SECRET_0"])
        self.receiving = _Keys(secrets["SERVER_TRAFFIC_SECRET_0"])

    def say(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.client.send(data)

    def do(self, action: Callable[[], object]) -> None:
        """Let the server do something, as a connection of the edge does: an error ends it."""
        if not self.alive:
            return
        try:
            action()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            pass
        except OSError:
            self.end()

    def receive(self) -> None:
        if self.server.recv(65536) == b"":
            self.end()

    def end(self) -> None:
        self.alive = False
        self.server.close()

    def hear(self) -> None:
        """Read all that the server sent: it must be this connection's, under its keys."""
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            while data := self.client.recv(65536):
                self._unread += data
        while len(self._unread) >= 5:
            size = 5 + struct.unpack(">H", self._unread[3:5])[0]
            if len(self._unread) < size:
                break
            record, self._unread = self._unread[:size], self._unread[size:]
            try:
                kind, content = self.receiving.open(record)
            except InvalidTag:
                raise AssertionError("another connection's record came on this one") from None
            if kind == 23:
                self.heard += content
            elif kind == 22 and content[:1] == b"\x18":
                self.receiving.update()
        assert self.expected.startswith(self.heard)

    def close(self) -> None:
        self.server.close()
        self.client.close()


def check(data: bytes) -> None:
    """Carry out the steps, and look at the shared buffer after each."""
    source = Bytes(data)
    _KEY_LOG.write_text("")
    outgoing = ssl.MemoryBIO()
    # The first stays with the memory, the others share the ring, as after a large answer.
    pairs = [_Pair(outgoing, _RING if number else None) for number in range(CONNECTIONS)]
    try:
        for number in itertools.count():
            if not source or number >= MOST_STEPS:
                break
            _step(source, pairs[source.number(CONNECTIONS - 1)])
            assert not outgoing.pending, "bytes of one connection wait for the next one"
            assert not _RING.pending, "bytes of one connection wait for the next one"
        for pair in pairs:
            pair.do(lambda pair=pair: _send(pair, b"the end"))  # type: ignore[misc]
            assert not outgoing.pending
            assert not _RING.pending
        for pair in pairs:
            pair.hear()
            if pair.alive:
                assert pair.heard == pair.expected, "a sound connection lost bytes"
    finally:
        for pair in pairs:
            pair.close()


def _send(pair: _Pair, content: bytes) -> None:
    pair.expected += content
    pair.server.send(content)


def _step(source: Bytes, pair: _Pair) -> None:
    match source.number(5):
        case 0:
            content = source.piece(40) or b"x"
            pair.do(lambda: _send(pair, content))
        case 1:
            said = source.piece(60)
            pair.say(said)
            pair.do(pair.receive)
        case 2:
            pair.do(pair.server.unwrap)
            pair.end()
        case _:
            pair.say(_records(source, pair))
            pair.do(pair.receive)


def _records(source: Bytes, pair: _Pair) -> bytes:
    """Some records in one segment."""
    said = b""
    for _ in range(1 + source.number(3)):
        match source.number(3):
            case 0:
                said += pair.sending.seal(source.choice(TYPES), source.piece(40))
            case 1:
                kind, body = source.choice(MESSAGES), source.piece(20)
                message = bytes((kind,)) + len(body).to_bytes(3, "big") + body
                said += pair.sending.seal(22, message)
            case 2:
                said += pair.sending.seal(22, bytes((24, 0, 0, 1, source.number(1))))
                pair.sending.update()
            case _:
                said += pair.sending.seal(23, source.piece(40) or b"y")
    return said
