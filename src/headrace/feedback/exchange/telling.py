"""Tells the other observers: each that asks is answered as soon as there is something that it has
not been told.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from headrace.feedback.exchange.document import Document, encode_document
from headrace.feedback.exchange.lists import Askers
from headrace.feedback.publish.waiting import send_signed
from headrace.http.server.exchange import Exchange
from headrace.node.network.signed import Secrets, answer_value, digest_of

TOLD_LATELY: Final = 32
"""Documents: of more than three seconds, however often there are new ones."""
MEDIA_TYPE = b"application/vnd.msgpack"


@dataclass(frozen=True, slots=True)
class _Question:
    target: bytes
    nonce: bytes


class Telling:
    """The newest document, and who waits for the next; encoded once for all who ask. `unknown`
    counts who asked for anything without being of the network. `secrets` are what observers are
    known by.
    """

    def __init__(self, secrets: Secrets) -> None:
        self.secrets = secrets
        self.unknown = 0
        self._document: Document | None = None
        self._data, self._digest = b"", b""
        self._waiting: dict[Exchange, _Question] = {}
        self._told: deque[int] = deque(maxlen=TOLD_LATELY)
        self.askers = Askers()

    def ask(
        self,
        exchange: Exchange,
        target: bytes,
        nonce: bytes,
        after: int,
        now: float,
    ) -> None:
        """Answer now, or when there is another document than number `after`."""
        question = _Question(target, nonce)
        document = self._document
        if document is None or document.number == after:
            self._waiting[exchange] = question
        else:
            self._answer(exchange, question, now)

    def told_lately(self, number: int) -> bool:
        """Return whether a document of this number was one of the last: whoever names it has heard
        this observer just now.
        """
        return bool(self._told) and self._told[0] <= number <= self._told[-1]

    def left(self, exchange: Exchange) -> None:
        """Forget whoever does not wait any more."""
        self._waiting.pop(exchange, None)

    def tell(self, document: Document, now: float) -> None:
        """Answer all who wait with this document."""
        self._document, self._data = document, b""
        self._told.append(document.number)
        waiting, self._waiting = self._waiting, {}
        for exchange, question in waiting.items():
            self._answer(exchange, question, now)

    def _answer(self, exchange: Exchange, question: _Question, now: float) -> None:
        if not self._data:
            assert self._document is not None
            self._data = encode_document(self._document)
            self._digest = digest_of(self._data)
        value = answer_value(self.secrets, question.target, question.nonce, self._digest)
        send_signed(exchange, self._data, value, MEDIA_TYPE, now)
