"""What one request took of its origins, for the log."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Tried:
    """One try that failed: the origin's name, and how, in a word."""

    origin: str
    result: str


@dataclass(slots=True)
class AttemptLog:
    """What one request has tried so far.

    `client_network` is the network of who asks; `path` is what was asked for, without its query;
    `origin` is who was asked last, `trail` what failed before; `server`: it is no origin, but
    another server of the network.
    """

    pool: str = ""
    path: str = ""
    origin: str = ""
    tries: int = 0
    switches: int = 0
    trail: list[Tried] = field(default_factory=list)
    client_network: str = ""
    service: str = ""
    server: bool = False

    @property
    def label(self) -> str:
        """Return what metrics call the origin that was asked last."""
        return self.label_of(self.origin)

    def label_of(self, origin: str) -> str:
        """Return what metrics call an origin of this pool."""
        return f"{self.service}/{self.pool}/{origin}"

    def summary(self) -> str:
        """Return what each origin that failed did, in one line."""
        return ", ".join(f"{tried.origin}: {tried.result}" for tried in self.trail)
