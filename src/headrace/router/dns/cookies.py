"""DNS cookies: a client that shows one has got an answer of ours at its address (RFC 7873, 9018).

Pure: the time is an argument. A server's cookie is laid out as RFC 9018 has it, with a version of
the range for private use: its hash is keyed BLAKE2s, which Python has, in place of SipHash. The key
is made of a secret and the day, so that it changes by itself for all who share the secret.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from headrace.bounded import BoundedMemory

CLIENT_BYTES = 8
COOKIE_BYTES = 16
VERSION = b"\xf0\0\0\0"
LIFE_S = 3600
AHEAD_S = 300
RENEW_AFTER_S = LIFE_S // 2
KEY_LIFE_S = 24 * 3600
LEAST_SECRET_BYTES = 16
SHOWN_BYTES = 4 * 1024 * 1024


class Cookies:
    """Makes cookies by the first secret, and takes those of all of them.

    Several are there while a secret is replaced on many servers: the new one is added behind the
    old one everywhere, then put in front, then left alone.
    """

    __slots__ = ("_keys", "_secrets", "_shown")

    def __init__(self, secrets: Sequence[bytes]) -> None:
        if not secrets or any(len(secret) < LEAST_SECRET_BYTES for secret in secrets):
            raise ValueError(f"a secret for cookies has at least {LEAST_SECRET_BYTES} bytes")
        self._secrets = tuple(secrets)
        # Cookies of ours that were shown, with their addresses, and when they are to be renewed: a
        # resolver shows the same one for half an hour. Of forged ones nothing is kept.
        self._shown: BoundedMemory[bytes, int] = BoundedMemory(SHOWN_BYTES, lambda _shown, _at: 100)
        self._keys: dict[tuple[int, int], bytes] = {}

    def reply(self, cookie: bytes, client: bytes, now_s: int) -> tuple[bytes, bool]:
        """Return the cookie to answer with, and whether the one that came was ours.

        `cookie` is the option's data, `client` the address that it came from.
        """
        # A longer one could seem to be that of a longer address: with what it begins with, its own.
        shown = client + cookie if len(cookie) == CLIENT_BYTES + COOKIE_BYTES else b""
        renewed_s = self._shown.entries.get(shown)
        if renewed_s is not None and renewed_s - RENEW_AFTER_S <= now_s < renewed_s:
            return cookie, True
        mine, server = cookie[:CLIENT_BYTES], cookie[CLIENT_BYTES:]
        if len(server) == COOKIE_BYTES and server[:4] == VERSION:
            age_s = (now_s - int.from_bytes(server[4:8], "big") + 2**31) % 2**32 - 2**31
            if -AHEAD_S <= age_s <= LIFE_S and self._is_ours(mine, server, client, now_s - age_s):
                if 0 <= age_s < RENEW_AFTER_S:
                    self._shown.put(shown, now_s - age_s + RENEW_AFTER_S)
                    return cookie, True
                return mine + self._make(mine, client, now_s), True
        return mine + self._make(mine, client, now_s), False

    def _make(self, mine: bytes, client: bytes, now_s: int) -> bytes:
        head = VERSION + (now_s % 2**32).to_bytes(4, "big")
        return head + _hash(self._key(0, now_s), mine, head, client)

    def _is_ours(self, mine: bytes, server: bytes, client: bytes, made_s: int) -> bool:
        for place in range(len(self._secrets)):
            made = _hash(self._key(place, made_s), mine, server[:8], client)
            if hmac.compare_digest(made, server[8:]):
                return True
        return False

    def _key(self, place: int, at_s: int) -> bytes:
        day = at_s // KEY_LIFE_S
        key = self._keys.get((place, day))
        if key is None:
            if len(self._keys) > 4 * len(self._secrets):
                self._keys.clear()
            made = hashlib.blake2s(b"headrace dns cookie %d" % day, key=self._secrets[place][:32])
            key = self._keys[place, day] = made.digest()
        return key


def _hash(key: bytes, mine: bytes, head: bytes, client: bytes) -> bytes:
    return hashlib.blake2s(mine + head + client, digest_size=8, key=key).digest()
