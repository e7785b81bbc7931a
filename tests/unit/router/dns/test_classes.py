"""A name's class: of those for its host, the first that is for all of the host's requests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.topology.model import ContentClass
from tests.harness.dns_messages import Asked
from tests.harness.dns_server import dns_network

SOME = ContentClass("some", ("vod.example",), paths=("/live/*",), ttl_s=11.0)
KIND = ContentClass("kind", ("vod.example",), kinds=("segment",), ttl_s=12.0)
WHOLE = ContentClass("whole", ("vod.example",), ttl_s=13.0)
LATER = ContentClass("later", ("vod.example",), ttl_s=14.0)
BELOW = ContentClass("below", ("*.vod.example",), ttl_s=15.0)


@pytest.mark.parametrize(
    ("classes", "name", "found"),
    [
        ((SOME, KIND, WHOLE, LATER), "vod.example", WHOLE),
        ((WHOLE, SOME), "vod.example", WHOLE),
        ((KIND, SOME), "vod.example", KIND),
        ((SOME, replace(WHOLE, hosts=())), "vod.example", replace(WHOLE, hosts=())),
        ((replace(SOME, hosts=("a.vod.example",)), BELOW), "a.vod.example", BELOW),
        ((replace(SOME, hosts=("a.vod.example",)), BELOW), "b.vod.example", BELOW),
    ],
)
def test_who_speaks_for_all_of_a_host_comes_first(
    classes: tuple[ContentClass, ...], name: str, found: ContentClass
) -> None:
    asked = Asked(topology=replace(dns_network(), classes=classes))
    assert asked.ask(name).answer[0].ttl == found.ttl_s
    assert asked.metrics.routed_classes == {found.name: 1}
