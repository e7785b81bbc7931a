"""The store fails or loses something between any two steps."""

from __future__ import annotations

import pytest

from tests.harness.interleaved.ground import Ground
from tests.harness.interleaved.origin import ok
from tests.harness.interleaved.record import Client, Story
from tests.harness.interleaved.scene import playing_freely
from tests.harness.interleaving import replay
from tests.unit.edge.interleavings.conftest import Tried

LEAVER = Client("a", ("asks", "leaves"))
STAYER = Client("b")
FIRST = Client("z", ())
KINDS = ("full", "failing", "broken")
LOSSES = ("evicts", "truncates", "removes")


def troubled(kind: str, *, strong: bool) -> Story:
    return Story(
        (LEAVER, STAYER),
        (ok(slices=1.5, strong=strong),),
        ((f"disk {kind}", "disk well"),),
        most_asked=6,
    )


@pytest.mark.parametrize("strong", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_store_fails_and_recovers(kind: str, strong: bool, any_order: Tried) -> None:
    any_order(troubled(kind, strong=strong), 8)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fill_whose_record_cannot_be_removed_ends(kind: str, ground: Ground) -> None:
    replay(
        playing_freely(troubled(kind, strong=True), ground), ["a asks", "turn 0", f"disk {kind}"]
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("strong", [True, False])
def test_a_slice_is_lost(loss: str, strong: bool, any_order: Tried) -> None:
    any_order(
        Story(
            (LEAVER, STAYER),
            (ok(slices=1.5, strong=strong),),
            ((loss,),),
            most_asked=6,
            may_fail=loss == "truncates" or not strong,
        ),
        10,
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("strong", [True, False])
def test_a_slice_that_was_stored_is_lost(loss: str, strong: bool, every_order: Tried) -> None:
    every_order(
        Story(
            (LEAVER, STAYER, FIRST),
            (ok(slices=1.5, strong=strong),),
            ((loss,),),
            before=("z asks",),
            most_asked=6,
            may_fail=loss == "truncates",
        )
    )
