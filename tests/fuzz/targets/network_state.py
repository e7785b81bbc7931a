"""Views of a network, and descriptions kept on disk: taken as a whole, or refused as a whole.

The first byte chooses what the rest is.
"""

from __future__ import annotations

import math

from headrace.errors import HeadraceError
from headrace.topology.snapshot import decode, encode, topology_of
from headrace.topology.view import View
from headrace.topology.view_age import STEPS, aged
from headrace.topology.view_codec import Refusal, ViewError, decode_view, encode_view
from tests.fuzz.inputs import Bytes
from tests.harness.networks import two_sites

WORDS = (
    b'{"version":', b'"made_at":', b'"servers":{', b'"coverage":{', b'"demand":{', b'"widths":{',
    b'"state":"failed"', b'"state":"full"', b'"weight":', b'"others"', b'"north"', b"1e999", b"NaN",
    b"-0", b"null", b"true", b"}}}", b"HRNETW01", b'{"version":1,"made_at":1.0',
)  # fmt: skip

NETWORK = two_sites()
SNAPSHOT = encode(NETWORK)


def check(data: bytes) -> None:
    """Read it as the node does."""
    source = Bytes(data)
    if source.flag():
        _check_view(source.rest())
    else:
        _check_snapshot(source)


def _check_view(document: bytes) -> None:
    try:
        view = decode_view(document)
    except ViewError as error:
        assert error.kind in {Refusal.MALFORMED, Refusal.TOO_LARGE}
        assert len(str(error)) < 1000
        return
    _check_values(view)
    assert decode_view(encode_view(view)) == view
    for step in (1, STEPS // 2, STEPS):
        _check_values(decode_view(encode_view(aged(view, NETWORK, step))))


def _check_values(view: View) -> None:
    weights = [one.weight for one in view.servers.values()]
    weights += [weight for one in view.coverage.values() for weight in one.values()]
    weights += [
        weight
        for one in view.by_class.values()
        for coverage in one.values()
        for weight in coverage.values()
    ]
    weights += [share for one in view.demand.values() for share in one.values()]
    assert all(math.isfinite(weight) and weight >= 0 for weight in weights)
    assert all(width >= 1 for one in view.widths.values() for width in one.values())


def _check_snapshot(source: Bytes) -> None:
    place = source.number(2000)
    changed = SNAPSHOT[:place] + source.rest() + SNAPSHOT[place:]
    for read in (decode, topology_of):
        try:
            read(memoryview(changed))
        except HeadraceError:
            continue
