"""The real store behind the supervisor's StoreAdmin: claims the cache directory and opens it.

Turns records into plain JSON values for operators; everything else is the store's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import msgspec
import structlog

from headrace.cache.freshness import current_age_s, remaining_s
from headrace.cache.key import key_hash
from headrace.cache.record import StoredFlag, StoredResponse
from headrace.config import Config
from headrace.edge.admin.store_admin import (
    CursorError,
    Page,
    PendingPurge,
    Purge,
    PurgeKind,
    StoredObject,
    StoredVariant,
)
from headrace.errors import HeadraceError
from headrace.store import DirectoryLock, PurgeRule, Store, StoreSettings
from headrace.store.errors import IndexDamaged
from headrace.store.index import READ_ERRORS, damaged
from headrace.store.maintenance import rebuild, sweep
from headrace.store.maintenance.orphans import OrphanSweep
from headrace.store.maintenance.trial import try_disk
from headrace.store.maintenance.warming import IndexWarming
from headrace.store.refusals import Cause, refused, tried

SWEEP_RECORDS = 500
ORPHAN_FILES = 500
REBUILD_FILES = 8  # read whole to verify them
ORPHANS_EVERY_S = 3600.0

log = structlog.get_logger("headrace.maintenance")


class CacheDirError(HeadraceError):
    """The cache directory cannot be used."""


def open_store(config: Config) -> OwnStore:
    """Own the cache directory and open its store; makes the directory when it is missing.

    Raises CacheDirError or StoreError. Waits for the disk.
    """
    return OwnStore.open(config)


class OwnStore:
    """A claimed, open store. Not for use by several threads (as the store itself)."""

    def __init__(
        self,
        claim: DirectoryLock,
        store: Store,
        *,
        keep_rules_s: float = sweep.KEEP_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._claim = claim
        self._keep_rules_s = keep_rules_s
        self._monotonic = monotonic
        self.store = store
        self._orphans = OrphanSweep(store)
        self._warming = IndexWarming(store.index)
        known = store.state.refusal()
        if known is not None and known.cause.is_of_disk:
            store.state.set_refusal(None)  # of a former run
        self._orphans_due_s = time.monotonic()
        self._rebuilding = bool(store.stats()["rebuilding"])
        if self._rebuilding:
            log.warning(
                "index_rebuilding",
                problem="the index was missing, damaged or not to be trusted after a crash: it is "
                "rebuilt from the files; an object that is not indexed yet is a miss",
            )

    @classmethod
    def open(cls, config: Config) -> Self:
        """Claim the directory and open its store. Raises CacheDirError or StoreError."""
        path = config.cache_dir
        settings = StoreSettings(
            size_bytes=config.store.size_bytes,
            slice_bytes=config.store.slice_bytes,
            checksum_on_open=config.store.checksum == "on_open",
            inline_bytes=config.store.inline_bytes,
        )
        try:
            path.mkdir(parents=True, exist_ok=True)
            claim = Store.claim(path)
            try:
                store = Store.open(path, settings)
            except (HeadraceError, OSError):
                claim.release(clean=False)
                raise
        except OSError as error:
            raise CacheDirError(
                f"the cache directory {path} cannot be used: {_told(error)}; let the user that "
                "runs headrace own all that is in it (`chown -R`) and write there, or choose "
                "another cache_dir"
            ) from error
        member = config.network is not None
        kept_s = sweep.KEEP_FOR_OTHERS_S if member else sweep.KEEP_S
        return cls(claim, store, keep_rules_s=kept_s)

    def generation(self) -> int:
        """Return the purge generation."""
        return self.store.generation()

    def purge(self, purge: Purge) -> int:
        """Make a purge true; return its generation."""
        service = None if purge.service is None else purge.service.encode()
        return self.store.purge(
            PurgeRule(kind=purge.kind, value=purge.value, soft=purge.soft, service=service)
        )

    def purges(self, limit: int) -> list[PendingPurge]:
        """Return the newest purges that are not carried out to the end yet."""
        return [shown_rule(rule) for rule in self.store.pending_purges(limit)]

    def sweep(self) -> bool:
        """Take one step of cleaning up; return whether there is more to do now. Where the index
        turns out to be damaged, all processes are told. Raises StoreError or OSError.
        """
        try:
            return self._sweep()
        except IndexDamaged:
            self._tell_damage()
            raise
        except READ_ERRORS as error:
            told = damaged(error)
            if isinstance(told, IndexDamaged):
                self._tell_damage()
            raise told from error

    def _tell_damage(self) -> None:
        state = self.store.state
        state.set_refusal(refused(state.refusal(), Cause.INDEX_DAMAGED, self._monotonic()))

    def _sweep(self) -> bool:
        if rebuild.step(self.store, REBUILD_FILES):
            return True
        if self._rebuilding:
            stats = self.store.stats()
            self._rebuilding = bool(stats["rebuilding"])
            if not self._rebuilding:
                log.info("index_rebuilt", objects=stats["objects"], slices=stats["slices"])
        if sweep.step(self.store, SWEEP_RECORDS, now=time.time(), keep_rules_s=self._keep_rules_s):
            return True
        now_s = time.monotonic()
        if self._warming.step(now_s):
            return True
        if now_s < self._orphans_due_s:
            return False
        more = self._orphans.step(ORPHAN_FILES)
        if not more:
            self._orphans_due_s = now_s + ORPHANS_EVERY_S
        return more

    def refusal(self) -> str:
        """Return why the disk takes nothing new, after a trial where it did not; "" if it does."""
        state = self.store.state
        known = state.refusal()
        if known is not None and known.cause.is_of_disk:
            cause = try_disk(self.store)
            known = tried(state.refusal() or known, cause, self._monotonic())
            state.set_refusal(known)
        return "" if known is None else known.words

    def stats(self) -> Mapping[str, float]:
        """Return sizes and counts, under the store's own names."""
        refusal = self.store.state.refusal()
        refused_s = 0.0 if refusal is None else max(0.0, self._monotonic() - refusal.since_s)
        return {
            **self.store.stats(),
            "refuses": float(refusal is not None),
            "refuses_s": round(refused_s, 3),
        }

    def listing(self, prefix: bytes, limit: int, cursor: str | None) -> Page:
        """Return a page of the stored objects. Raises CursorError."""
        start = None if cursor is None else _cursor_bytes(cursor)
        records, following = self.store.list(prefix, limit, start)
        now = time.time()
        return Page(
            [shown_record(record, now) for record in records],
            None if following is None else following.hex(),
        )

    def inspect(self, key: bytes) -> list[StoredVariant]:
        """Return every stored variant of one cache key."""
        now = time.time()
        return [shown_variant(variant, now) for variant in self.store.inspect(key_hash(key))]

    def close(self) -> None:
        """Release the store and the directory."""
        self.store.close()
        self._claim.release()


def shown_rule(rule: PurgeRule) -> PendingPurge:
    """Return a purge as it is shown: a key with its service apart."""
    service, value = rule.service, rule.value
    if rule.kind in ("url", "prefix"):
        service, _newline, value = rule.value.partition(b"\n")
    value, _newline, scheme = value.partition(b"\n")
    kind: PurgeKind = rule.kind
    if kind == "prefix" and not value:
        kind = "all"  # of one service
    return PendingPurge(
        generation=rule.generation,
        made=rule.made_at,
        kind=kind,
        value=plain(value),
        scheme=plain(scheme) or None,
        service=plain(service),
        soft=rule.soft,
    )


def shown_record(record: StoredResponse, now: float) -> StoredObject:
    """Return a record as it is shown, with its present age (RFC 9111 section 4.2.3)."""
    service, _newline, url = record.key.partition(b"\n")
    url, _newline, scheme = url.partition(b"\n")
    return StoredObject(
        service=plain(service),
        url=plain(url),
        scheme=plain(scheme) or None,
        variant=plain(record.variant),
        status=record.status,
        length=record.length,
        age_s=round(current_age_s(record, now), 3),
        lifetime_s=record.lifetime_s,
        fresh=remaining_s(record, now) > 0 and not record.flags & StoredFlag.INVALIDATED,
        tags=[plain(tag) for tag in record.tags],
        version=record.version.hex(),
    )


def shown_variant(variant: Mapping[str, Any], now: float) -> StoredVariant:
    """Return one variant of Store.inspect as it is shown, with its present age."""
    record = StoredResponse(**{name: variant[name] for name in StoredResponse.__struct_fields__})
    shown = {
        **{name: plain(value) for name, value in variant.items()},
        "version": variant["version"].hex(),
        "age_s": round(current_age_s(record, now), 3),
        "fresh": remaining_s(record, now) > 0 and variant["purged"] == "kept",
    }
    return msgspec.convert(shown, StoredVariant)


def plain(value: Any) -> Any:
    """Return a store's value as JSON can carry it: bytes as text, tuples as lists."""
    match value:
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case list() | tuple():
            return [plain(part) for part in value]
        case dict():
            return {str(plain(name)): plain(part) for name, part in value.items()}
        case _:
            return value


def _cursor_bytes(cursor: str) -> bytes:
    try:
        return bytes.fromhex(cursor)
    except ValueError as error:
        raise CursorError("this cursor is not from a listing: begin without one") from error


def _told(error: OSError) -> str:
    what = error.strerror or str(error)
    return what if error.filename is None else f"{os.fsdecode(error.filename)}: {what}"
