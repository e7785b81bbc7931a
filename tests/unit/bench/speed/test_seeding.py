"""Objects that are written into a store are found there as if they had been fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.speed.seeding import NotSeeded, seed

from headrace.cache.key import key_hash
from headrace.config.edge.root import EDGE
from headrace.config.loader import load_config
from headrace.edge.worker import store_settings
from headrace.store import Store
from tests.unit.store.samples import a_record, fill

PREFIX = b"/small/grow-"
KEY = b"bench\nbench" + PREFIX


def a_config(directory: Path) -> Path:
    path = directory / "edge.toml"
    path.write_text(
        f'cache_dir = "{directory}/cache"\n[[listen]]\naddress = "127.0.0.1:8080"\n'
        '[store]\nsize = "1GiB"\n'
        '[[service]]\nname = "bench"\nhosts = ["*"]\norigins = ["http://127.0.0.1:1"]\n'
    )
    return path


def opened(config: Path) -> Store:
    loaded = load_config(config, EDGE)
    loaded.cache_dir.mkdir(exist_ok=True)
    return Store.open(loaded.cache_dir, store_settings(loaded))


def test_copies_are_found_with_their_bodies(tmp_path: Path) -> None:
    config = a_config(tmp_path)
    store = opened(config)
    fill(store, a_record(KEY + b"0"))
    charged = store.stats()["bytes"]
    store.close()
    seed(config, PREFIX, 1, 250)
    store = opened(config)
    versions = set()
    for number in range(251):
        found = store.whole(key_hash(KEY + b"%d" % number), lambda _vary: b"")
        assert found is not None
        stored, body, _slot = found
        versions.add(stored.version)
        assert (stored.key, body) == (KEY + b"%d" % number, b"hello")
    assert len(versions) == 251
    assert store.stats()["bytes"] == 251 * charged
    store.close()


def test_without_anything_to_copy_it_says_so(tmp_path: Path) -> None:
    config = a_config(tmp_path)
    opened(config).close()
    with pytest.raises(NotSeeded, match="is not in the store"):
        seed(config, PREFIX, 1, 2)
