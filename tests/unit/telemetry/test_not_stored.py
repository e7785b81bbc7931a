"""What is remembered of reasons, and that it stays small."""

from __future__ import annotations

from collections import Counter

from headrace.telemetry.not_stored import (
    MOST_KEYS,
    MOST_WORDS,
    REASONS_EACH,
    NotStored,
    NotStoredLately,
    counted_word,
    together,
)

KEY = b"k" * 16


def test_equal_reasons_are_counted_together() -> None:
    reasons = NotStoredLately()
    reasons.note(KEY, "no-store", 200, 1.0)
    reasons.note(KEY, "no-store", 200, 2.0)
    reasons.note(KEY, "no-store", 404, 3.0)
    assert reasons.of(KEY) == [
        NotStored("no-store", 200, 2, 2.0),
        NotStored("no-store", 404, 1, 3.0),
    ]
    assert reasons.of(b"other") == []


def test_the_oldest_reason_and_the_quietest_key_are_forgotten() -> None:
    reasons = NotStoredLately()
    for number in range(REASONS_EACH + 1):
        reasons.note(KEY, f"r{number}", 200, float(number))
    assert [one.reason for one in reasons.of(KEY)] == [
        f"r{number}" for number in range(1, REASONS_EACH + 1)
    ]
    for number in range(MOST_KEYS - 1):
        reasons.note(b"%d" % number, "x", 200, 0.0)
    reasons.note(KEY, "again", 200, 9.0)
    reasons.note(b"one more", "x", 200, 0.0)
    assert reasons.of(KEY)
    assert reasons.of(b"0") == []


def test_workers_are_added_up_latest_first() -> None:
    one = [NotStored("a", 200, 1, 1.0), NotStored("b", 200, 1, 5.0)]
    two = [NotStored("a", 200, 2, 9.0)]
    assert together([one, two]) == [NotStored("a", 200, 3, 9.0), NotStored("b", 200, 1, 5.0)]


def test_a_metric_has_a_bounded_number_of_words() -> None:
    counts: Counter[str] = Counter()
    for number in range(MOST_WORDS * 2):
        counts[counted_word(f"w{number}", counts)] += 1
    assert len(counts) == MOST_WORDS + 1
    assert counts["other"] == MOST_WORDS
