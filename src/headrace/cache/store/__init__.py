"""Where stored responses live: an index shared by all workers, and one file per slice of a body."""

from headrace.cache.store.claim import Claim
from headrace.cache.store.errors import SliceTooLarge, StoreError, StoreFull, StoreInUse
from headrace.cache.store.follower import PartFollower
from headrace.cache.store.part import Busy, Part, PartPhase
from headrace.cache.store.reading import FileMark, OpenSlice, body_is_sound, mark_of
from headrace.cache.store.rules import PurgeRule, matches
from headrace.cache.store.settings import StoreSettings
from headrace.cache.store.store import Store

__all__ = [
    "Busy",
    "Claim",
    "FileMark",
    "OpenSlice",
    "Part",
    "PartFollower",
    "PartPhase",
    "PurgeRule",
    "SliceTooLarge",
    "Store",
    "StoreError",
    "StoreFull",
    "StoreInUse",
    "StoreSettings",
    "body_is_sound",
    "mark_of",
    "matches",
]
