"""Purges on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.store import PurgeRule, purge_journal

RULES = [PurgeRule("url", b"films\n/%d" % number, generation=number) for number in range(1, 4)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    where = tmp_path / "purges"
    for rule in RULES:
        purge_journal.append(where, rule)
    return where


def test_rules_are_read_in_the_order_they_were_written(path: Path) -> None:
    purge_journal.sync(path)
    assert purge_journal.read(path) == RULES


def test_no_file_is_no_rules(tmp_path: Path) -> None:
    assert purge_journal.read(tmp_path / "purges") == []


def test_a_file_cut_anywhere_gives_its_first_rules(path: Path) -> None:
    text = path.read_bytes()
    for size in range(len(text)):
        path.write_bytes(text[:size])
        rules = purge_journal.read(path)
        assert rules == RULES[: len(rules)]
        assert len(rules) < len(RULES)


def test_a_flipped_byte_ends_the_file_before_its_rule(path: Path) -> None:
    text = bytearray(path.read_bytes())
    text[len(text) // 2] ^= 0xFF
    path.write_bytes(text)
    assert purge_journal.read(path) == RULES[:1]


def test_a_replaced_file_has_the_prepared_rules_and_those_made_since(path: Path) -> None:
    newer = PurgeRule("all", generation=9)
    purge_journal.prepare(path, RULES[1:])
    purge_journal.replace(path, [newer])
    assert purge_journal.read(path) == [*RULES[1:], newer]
