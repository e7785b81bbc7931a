"""What the edge's admin operations ask its workers, and what those answer."""

from __future__ import annotations

import msgspec

from headrace.node.live.messages import LiveQuestion
from headrace.telemetry.not_stored import NotStored
from headrace.telemetry.worker_load import GetLoad


class GetReasons(msgspec.Struct, tag="get_reasons"):
    """Answer ReasonsAre: why responses of these keys (by their hashes) were not stored lately."""

    key_hashes: list[bytes]


Question = LiveQuestion | GetReasons | GetLoad

_decoder: msgspec.json.Decoder[Question] = msgspec.json.Decoder(Question)


def read_question(raw: msgspec.Raw) -> Question:
    """Return the question. Raises msgspec.DecodeError on an unknown one."""
    return _decoder.decode(raw)


class ReasonsAre(msgspec.Struct):
    """In answer to GetReasons, in the order of its keys."""

    reasons: list[list[NotStored]]
