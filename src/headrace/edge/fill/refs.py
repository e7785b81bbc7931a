"""The fills that one request keeps alive, of this worker and of others."""

from __future__ import annotations

from headrace.edge.body.growing_slice import GrowingSlice
from headrace.edge.body.remote_slice import RemoteSlice
from headrace.edge.fill.fill import Fill
from headrace.upstream.attempt_log import AttemptLog


class FillRefs:
    """What one request holds; the attempt logs of this worker's fills are added to
    `attempt_logs`. `release` it on every way out.
    """

    def __init__(self, attempt_logs: list[AttemptLog]) -> None:
        self._held: list[Fill] = []
        self._followed: list[RemoteSlice] = []
        self._owned: Fill | None = None
        self._attempt_logs = attempt_logs

    def hold(self, fill: Fill, *, owner: bool = False) -> None:
        """Keep a fill alive; `owner`: this request began it and may get its answer."""
        if owner:
            self._owned = fill
        if fill not in self._held:
            fill.hold()
            self._held.append(fill)
            self._attempt_logs.append(fill.attempt_log)

    def follow(self, remote: RemoteSlice) -> None:
        """Keep following what another worker writes."""
        if remote not in self._followed:
            remote.followers += 1
            self._followed.append(remote)

    def leave(self, remote: RemoteSlice) -> None:
        """Stop following one of them."""
        if remote in self._followed:
            self._followed.remove(remote)
            remote.leave()

    def comes_to(self, version: bytes, number: int) -> None:
        """Note with the fills that this request has come to slice `number`."""
        for fill in self._held:
            slices = fill.slices
            if slices.version == version and number > slices.furthest:
                slices.furthest = number

    def fetched(self, version: bytes, number: int) -> bool:
        """Return whether one of these fills has fetched a slice."""
        return any(fill.slices.fetched(version, number) for fill in self._held)

    def unsaved(self, version: bytes, number: int) -> GrowingSlice | None:
        """Return a complete slice that one of these fills has and the store does not."""
        for fill in self._held:
            if fill.slices.version == version and number in fill.slices.unsaved:
                return fill.slices.unsaved[number]
        return None

    def release(self) -> None:
        """Leave all of them."""
        held, self._held = self._held, []
        for fill in held:
            fill.release(owner=fill is self._owned)
        followed, self._followed = self._followed, []
        for remote in followed:
            remote.leave()
