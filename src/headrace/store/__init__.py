"""Where stored responses live: an index shared by all workers, and one file per slice of a body."""

from headrace.store.directory_lock import DirectoryLock
from headrace.store.errors import SliceTooLarge, StoreError, StoreFull, StoreInUse
from headrace.store.follower import PartFollower
from headrace.store.part import Busy, Part
from headrace.store.permits import Claim
from headrace.store.phases import PartPhase
from headrace.store.purge_rules import PurgeRule, matches
from headrace.store.ready_rows import Block
from headrace.store.settings import StoreSettings
from headrace.store.slice_reader import FileMark, OpenSlice, SmallBody, body_is_sound, mark_of
from headrace.store.spare_files import lend
from headrace.store.store import Store

__all__ = [
    "Block",
    "Busy",
    "Claim",
    "DirectoryLock",
    "FileMark",
    "OpenSlice",
    "Part",
    "PartFollower",
    "PartPhase",
    "PurgeRule",
    "SliceTooLarge",
    "SmallBody",
    "Store",
    "StoreError",
    "StoreFull",
    "StoreInUse",
    "StoreSettings",
    "body_is_sound",
    "lend",
    "mark_of",
    "matches",
]
