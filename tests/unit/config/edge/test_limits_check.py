from __future__ import annotations

from pathlib import Path

from headrace.config.descriptors import descriptors_for_clients
from headrace.config.edge import EDGE
from headrace.config.edge.limits_check import (
    complaints,
    descriptors_needed,
    open_files_within,
)
from headrace.config.edge.model import Config
from headrace.config.loader import validate_document


def config(connections: int = 100, backlog: int = 4096) -> Config:
    return validate_document(
        {
            "cache_dir": "/c",
            "listen": [{"address": "127.0.0.1:1", "backlog": backlog}],
            "service": [{"name": "a", "hosts": ["*"], "origins": ["http://o:1"]}],
            "limits": {"connections": connections},
        },
        EDGE,
        str,
        base=Path("/"),
    )


def test_enough_is_enough() -> None:
    wanted = config()
    assert complaints(wanted, descriptors=descriptors_needed(wanted), somaxconn=4096) == []


def test_too_few_descriptors_name_the_number_and_the_remedy() -> None:
    wanted = config()
    needed = descriptors_needed(wanted)
    (text,) = complaints(wanted, descriptors=needed - 1, somaxconn=None)
    assert (f"LimitNOFILE={needed}" in text, f"is {needed - 1}" in text) == (True, True)


def test_a_capped_backlog_is_named() -> None:
    (text,) = complaints(config(backlog=5000), descriptors=10**9, somaxconn=4096)
    assert "net.core.somaxconn=5000" in text


def test_some_descriptors_are_kept_for_those_who_are_in() -> None:
    assert [descriptors_for_clients(limit) for limit in (100, 1024, 2**20)] == [
        75, 768, 2**20 - 4096,
    ]  # fmt: skip
    assert descriptors_for_clients(-1) > 2**60
    assert [open_files_within(2048, limit) for limit in (100, 1024, 2**20, -1)] == [
        12, 128, 2048, 2048,
    ]  # fmt: skip
