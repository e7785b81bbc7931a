"""What can go wrong in the lab."""

from __future__ import annotations

from headrace.errors import HeadraceError


class LabError(HeadraceError):
    """The lab cannot be set up, or one of its programs ended."""
