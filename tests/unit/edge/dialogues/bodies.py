"""What the dialogues are about: an object of several slices, and fields that allow to store it."""

from __future__ import annotations

import random

from tests.harness.breakable_store import SLICE

FRESH = "Cache-Control: max-age=600"
BRIEF = "Cache-Control: max-age=10"
TAG = 'ETag: "a"'
FILM = random.Random(1).randbytes(3 * SLICE + 100)
OTHER = random.Random(2).randbytes(3 * SLICE + 100)
