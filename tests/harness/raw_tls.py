"""A TLS 1.3 client that makes its own records once the handshake is done.

OpenSSL does the handshake and writes its secrets down (as for SSLKEYLOGFILE); from then on every
record is sealed here, so that a test can send what no sound library would.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import ssl
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

ALERT, HANDSHAKE, DATA = 21, 22, 23
KEY_UPDATE = 24
NOT_REQUESTED, REQUESTED = 0, 1
READ_BYTES = 64 * 1024


def key_update(request: int = REQUESTED) -> bytes:
    """A KeyUpdate message (RFC 8446 section 4.6.3)."""
    return handshake_message(KEY_UPDATE, bytes([request]))


def handshake_message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


class BadRecord(AssertionError):
    """A record came that was not sealed for this connection, or out of its order."""


class Direction:
    """The keys of one direction, and how often they were used."""

    def __init__(self, secret: bytes, cipher: str) -> None:
        self._hash = hashlib.sha384 if cipher.endswith("SHA384") else hashlib.sha256
        self._cipher = cipher
        self._take(secret)

    def _take(self, secret: bytes) -> None:
        self.secret = secret
        self.sequence = 0
        key = self._expand(b"key", 16 if "AES_128" in self._cipher else 32)
        self._iv = self._expand(b"iv", 12)
        self._aead = ChaCha20Poly1305(key) if "CHACHA20" in self._cipher else AESGCM(key)

    def renew(self) -> None:
        """The next generation of keys (RFC 8446 section 7.2)."""
        self._take(self._expand(b"traffic upd", self._hash().digest_size))

    def _expand(self, label: bytes, size: int) -> bytes:
        label = b"tls13 " + label
        info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\x00"
        found, block, number = b"", b"", 1
        while len(found) < size:
            block = hmac.digest(self.secret, block + info + bytes([number]), self._hash)
            found += block
            number += 1
        return found[:size]

    def _nonce(self) -> bytes:
        number = int.from_bytes(self._iv, "big") ^ self.sequence
        self.sequence += 1
        return number.to_bytes(12, "big")

    def seal(self, kind: int, content: bytes, padding: int = 0) -> bytes:
        inner = content + bytes([kind]) + bytes(padding)
        header = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
        return header + self._aead.encrypt(self._nonce(), inner, header)

    def open(self, header: bytes, sealed: bytes) -> tuple[int, bytes]:
        try:
            inner = self._aead.decrypt(self._nonce(), sealed, header)
        except InvalidTag:
            raise BadRecord("a record of another connection, or one is missing") from None
        inner = inner.rstrip(b"\x00")
        return inner[-1], inner[:-1]


class RawTls:
    """One connection. `seal` makes records, `put` sends bytes, `data` reads what comes."""

    def __init__(self, sock: socket.socket, *, name: str, ca_file: Path) -> None:
        """Takes over `sock`, which blocks, and shakes hands on it."""
        self.sock = sock
        self.alerts: list[bytes] = []
        self.key_updates = 0
        self._received = b""
        handle, keylog = tempfile.mkstemp()
        os.close(handle)
        try:
            context = ssl.create_default_context(cafile=str(ca_file))
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.keylog_filename = keylog
            cipher = self._shake_hands(context, name)
            secrets = dict(_secrets(Path(keylog).read_text()))
        except BaseException:
            self.sock.close()
            raise
        finally:
            os.unlink(keylog)
        self.sending = Direction(secrets["CLIENT_TRAFFIC_SECRET_0"], cipher)
        self.receiving = Direction(secrets["SERVER_TRAFFIC_SECRET_0"], cipher)

    @classmethod
    def connect(cls, address: tuple[str, int], *, name: str, ca_file: Path) -> Self:
        sock = socket.create_connection(address, 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock, name=name, ca_file=ca_file)

    def _shake_hands(self, context: ssl.SSLContext, name: str) -> str:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self.sock.sendall(outgoing.read())
                received = self.sock.recv(READ_BYTES)
                if not received:
                    raise ConnectionError("the server left during the handshake") from None
                incoming.write(received)
            else:
                break
        self.sock.sendall(outgoing.read())
        self._received = incoming.read()
        cipher = tls.cipher()
        assert cipher is not None
        return cipher[0]

    # Sending.

    def seal(self, kind: int, content: bytes, padding: int = 0) -> bytes:
        """A record, to be sent with `put` in the order of sealing."""
        return self.sending.seal(kind, content, padding)

    def update_key(self, request: int = REQUESTED) -> bytes:
        """A KeyUpdate record; what is sealed afterwards has the new key."""
        record = self.seal(HANDSHAKE, key_update(request))
        self.sending.renew()
        return record

    def put(self, data: bytes) -> None:
        self.sock.sendall(data)

    # Receiving.

    def data(self) -> bytes:
        """The next application data; b"" at the end. Takes in tickets, new keys and alerts."""
        while True:
            record = self._record()
            if record is None:
                return b""
            kind, content = self.receiving.open(*record)
            if kind == DATA and content:
                return content
            if kind == ALERT:
                self.alerts.append(content)
            elif kind == HANDSHAKE and content[0] == KEY_UPDATE:
                self.key_updates += 1
                self.receiving.renew()

    def exactly(self, size: int) -> bytes:
        """So many bytes of application data; fewer only at the end."""
        found = b""
        while len(found) < size:
            piece = self.data()
            if not piece:
                break
            found += piece
        return found

    def ended(self) -> bool:
        """Whether the server ends the connection; what it still says is taken in."""
        try:
            while self.data():
                pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True

    def _record(self) -> tuple[bytes, bytes] | None:
        while True:
            if len(self._received) >= 5:
                size = int.from_bytes(self._received[3:5], "big")
                if len(self._received) >= 5 + size:
                    header, sealed = self._received[:5], self._received[5 : 5 + size]
                    self._received = self._received[5 + size :]
                    return header, sealed
            received = self.sock.recv(READ_BYTES)
            if not received:
                return None
            self._received += received

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _secrets(text: str) -> list[tuple[str, bytes]]:
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and not line.startswith("#"):
            found.append((words[0], bytes.fromhex(words[2])))
    return found
