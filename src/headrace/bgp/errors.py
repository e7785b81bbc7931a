"""What can go wrong with a speaker as a whole."""

from __future__ import annotations

from headrace.errors import HeadraceError


class BgpError(HeadraceError):
    """A speaker cannot be used. The message names what was wrong and the remedy."""


class TooMuchError(BgpError):
    """A daemon's answer is larger than what is read of one: a router may be the cause."""
