"""What the process that compiles a description says to the supervisor that started it."""

from __future__ import annotations

import msgspec

from headrace.node.network.files import Signatures

LAST_GOOD = "--last-good"


class Outcome(msgspec.Struct):
    """How it went: `problem` is "" when a snapshot was written.

    `files` are all files that were read, as they were before; `torn`, that one of them changed
    meanwhile, so that what was read may be half of this and half of that.
    """

    problem: str = ""
    files: Signatures = {}
    torn: bool = False
