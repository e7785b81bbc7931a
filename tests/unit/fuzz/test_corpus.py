"""What fuzzing found stays found: every input that is kept passes its target's check."""

from __future__ import annotations

import pytest

from tests.fuzz.catalogue import CORPUS, checks, names, words

LARGEST_CORPUS_BYTES = 1024 * 1024


@pytest.mark.parametrize("target", names())
def test_every_kept_input_passes(target: str) -> None:
    files = sorted((CORPUS / target).iterdir())
    assert files, "a target needs inputs to begin with"
    assert words(target)
    check = checks(target)
    check(b"")
    for file in files:
        try:
            check(file.read_bytes())
        except Exception as error:
            error.add_note(f"the input is {file}")
            raise


def test_the_corpus_stays_small_and_has_no_strays() -> None:
    assert {file.name for file in CORPUS.iterdir()} == set(names())
    assert sum(file.stat().st_size for file in CORPUS.rglob("*")) < LARGEST_CORPUS_BYTES
