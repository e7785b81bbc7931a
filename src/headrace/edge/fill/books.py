"""Where fills are entered, as they see it. The table keeps them."""

from __future__ import annotations

from typing import Protocol, TypeVar

from headrace.edge.body.growing_slice import LocalSlice

Entered_contra = TypeVar("Entered_contra", contravariant=True)


class Books(Protocol[Entered_contra]):
    """Where a fill is entered, so that others find it: the table."""

    def began(self, fill: Entered_contra) -> None:
        """Enter a fill under its name and first slice."""

    def streams(self, fill: Entered_contra) -> None:
        """Enter a fill under the version that it writes, unless another is there."""

    def writes(self, fill: Entered_contra, growing: LocalSlice) -> None:
        """Enter a slice that is being written."""

    def wrote(self, fill: Entered_contra, number: int) -> None:
        """Strike out a slice that is written, or never will be."""

    def ended(self, fill: Entered_contra) -> None:
        """Strike out a fill."""
