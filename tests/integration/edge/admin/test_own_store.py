"""The real store behind the supervisor's admin."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import structlog

from headrace.cache.key import key_hash
from headrace.cache.record import StoredResponse
from headrace.config import Config, Listener, Service
from headrace.edge.admin.own_store import CacheDirError, OwnStore, open_store
from headrace.edge.admin.report import STORE_COUNTERS, STORE_GAUGES
from headrace.edge.admin.store_admin import CursorError, Purge, StoredVariant
from headrace.store import Store, StoreInUse

KEYS = [b"video\nvideo.example/%d" % number for number in range(5)]


def config(cache_dir: Path) -> Config:
    return Config(
        cache_dir=cache_dir,
        listeners=[Listener(address="127.0.0.1:0")],
        services=[Service(name="video", hosts=["*"], origins=["http://origin.example"])],
    )


def record(key: bytes, generation: int = 0) -> StoredResponse:
    return StoredResponse(
        key=key,
        variant=b"",
        vary=(),
        status=200,
        headers=((b"Content-Type", b"video/mp4"),),
        response_time=time.time() - 7,
        corrected_age_s=3.0,
        lifetime_s=60.0,
        stale_while_revalidate_s=0.0,
        stale_if_error_s=0.0,
        flags=0,
        length=0,
        slice_bytes=8 * 2**20,
        version=key_hash(key),
        generation=generation,
        tags=(b"news",),
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OwnStore]:
    """An open store in which a worker has stored five responses."""
    own = open_store(config(tmp_path / "cache"))
    for key in KEYS:
        assert own.store.record(record(key), key_hash(key))
    yield own
    own.close()


def test_a_missing_directory_is_made(tmp_path: Path) -> None:
    open_store(config(tmp_path / "a" / "b")).close()
    assert (tmp_path / "a" / "b").is_dir()


def test_a_directory_has_one_owner(store: OwnStore, tmp_path: Path) -> None:
    with pytest.raises(StoreInUse, match="another edge"):
        open_store(config(tmp_path / "cache"))


def test_a_closed_store_can_be_opened_again(tmp_path: Path) -> None:
    open_store(config(tmp_path)).close()
    open_store(config(tmp_path)).close()


def test_a_file_of_another_user_is_named_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "claim.lock"

    def refused(_path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(theirs))

    monkeypatch.setattr(Store, "claim", refused)
    with pytest.raises(CacheDirError, match=f"{theirs}: Permission denied; .*chown -R"):
        open_store(config(tmp_path))


def test_a_path_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheDirError, match="file"):
        open_store(config(tmp_path / "file"))


def test_a_lost_index_is_reported_and_so_is_the_new_one(store: OwnStore, tmp_path: Path) -> None:
    store.close()
    shutil.rmtree(tmp_path / "cache" / "index")
    (tmp_path / "cache" / "objects" / "00").mkdir()
    (tmp_path / "cache" / "objects" / "00" / "no-slice").write_bytes(b"")
    with structlog.testing.capture_logs() as logged:
        again = open_store(config(tmp_path / "cache"))
        assert [line["event"] for line in logged] == ["index_rebuilding"]
        while again.stats()["rebuilding"]:
            again.sweep()
    assert [line["event"] for line in logged] == ["index_rebuilding", "index_rebuilt"]
    again.close()
    with structlog.testing.capture_logs() as logged:
        open_store(config(tmp_path / "cache")).close()
    assert logged == []


def test_every_number_of_the_store_that_is_exposed_exists(store: OwnStore) -> None:
    assert {*STORE_GAUGES, *STORE_COUNTERS} <= set(store.stats())


def test_listing_gives_every_object_page_by_page(store: OwnStore) -> None:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = store.listing(b"video\nvideo.example/", 2, cursor)
        found += [one.url for one in page.objects]
        cursor = page.cursor
        if cursor is None:
            break
    assert sorted(found) == [f"video.example/{number}" for number in range(5)]


def test_a_listed_object_tells_its_freshness(store: OwnStore) -> None:
    (shown,) = store.listing(KEYS[0], 10, None).objects
    assert (shown.service, shown.status, shown.fresh) == ("video", 200, True)
    assert 10 <= shown.age_s < 60


def test_a_cursor_from_elsewhere_is_refused(store: OwnStore) -> None:
    with pytest.raises(CursorError):
        store.listing(b"", 1, "no cursor")


def test_an_inspection_is_plain_json(store: OwnStore) -> None:
    (shown,) = store.inspect(KEYS[0])
    told = json.loads(json.dumps(msgspec.to_builtins(shown)))
    assert msgspec.convert(told, StoredVariant) == shown
    assert shown.headers == [("Content-Type", "video/mp4")]


def test_a_purged_object_is_gone_for_everyone(store: OwnStore) -> None:
    before = store.generation()
    assert store.purge(Purge("url", KEYS[0], soft=False, service="video")) > before
    assert store.store.lookup(key_hash(KEYS[0]), b"") is None
    assert store.store.lookup(key_hash(KEYS[1]), b"") is not None


def test_a_purge_by_tag_keeps_to_its_service(store: OwnStore) -> None:
    store.purge(Purge("tag", b"news", soft=False, service="other"))
    assert store.store.lookup(key_hash(KEYS[0]), b"") is not None
    store.purge(Purge("tag", b"news", soft=False, service="video"))
    assert store.store.lookup(key_hash(KEYS[0]), b"") is None


def test_sweeping_comes_to_an_end(store: OwnStore) -> None:
    store.purge(Purge("all", b"", soft=False))
    steps = 0
    while store.sweep():
        steps += 1
        assert steps < 1000
