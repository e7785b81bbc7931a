"""GET /reasons without a socket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from headrace.cache.key import KeyRules, key_hash
from headrace.edge.admin.not_stored import Reasons, ServiceReason
from headrace.edge.admin.purging import Directory, ServiceKeys
from headrace.edge.admin.requests import UrlRequest
from headrace.edge.messages import GetReasons, ReasonsAre
from headrace.telemetry.not_stored import NotStored
from tests.harness.fake_node import FakeNode, FakeWorkers
from tests.harness.virtual_time import run_virtually

REASONS = {b"vod": NotStored("no-store", 200, 2, 5.0), b"all": NotStored("private", 200, 1, 9.0)}


class Services:
    """Two services that one host may belong to."""

    directory = Directory(
        (
            ServiceKeys("vod", (b"vod.test",), KeyRules()),
            ServiceKeys("all", (b"*",), KeyRules()),
        )
    )


def answers(question: Any) -> Sequence[msgspec.Struct]:
    """Return what two workers know."""
    assert isinstance(question, GetReasons)
    known = {key_hash(name + b"\nvod.test/a"): [reason] for name, reason in REASONS.items()}
    return [ReasonsAre([known.get(one, []) for one in question.key_hashes])] * 2


def test_reasons_are_of_each_service_that_may_hold_the_url() -> None:
    reasons = Reasons(Services(), FakeNode(FakeWorkers(answers)))

    async def go() -> None:
        found = await reasons.reasons(UrlRequest("http://vod.test/a"))
        assert found.reasons == [
            ServiceReason("no-store", 200, 4, 5.0, service="vod"),
            ServiceReason("private", 200, 2, 9.0, service="all"),
        ]

    run_virtually(go())
