"""Files of results: what is written is read, and what a stranger might send is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench.speed import pages
from bench.speed.result import BadResult, decoded, encoded, plain, rounded
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.bench.speed.made_up import result, work

SOUND = result([work("a", {"headrace": [2.0], "nginx": [1.0]})])


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(encoded(SOUND)) | fields).encode()


def test_what_is_written_is_read() -> None:
    assert decoded(encoded(SOUND)) == SOUND


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", changed(format=2), changed(works=1), changed(more="x"),
        changed(peers=["<b>"]), changed(peers=[]),
        changed(machine=json.loads(encoded(SOUND))["machine"] | {"name": "../x"}),
        changed(machine=json.loads(encoded(SOUND))["machine"] | {"processor": "a | b"}),
    ],
)  # fmt: skip
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(BadResult):
        decoded(data)


@given(st.text(max_size=500))
def test_words_of_others_fit_into_a_table(text: str) -> None:
    found = plain(text)
    assert not set(found) & set("\n\r<>|`[]")
    failed = result([work("a", {}, failures={"nginx": found})])
    assert decoded(encoded(failed)) == failed


@given(st.floats(min_value=-1e12, max_value=1e12, allow_nan=False))
def test_rounding_keeps_five_digits(value: float) -> None:
    assert rounded(value) == pytest.approx(value, rel=1e-4)


def test_machines_are_added_and_replaced(tmp_path: Path) -> None:
    said: list[str] = []
    for name, date in (("one", "2026-01-01"), ("two", "2026-01-02"), ("one", "2026-01-03")):
        pages.add(result(SOUND.works, name=name, date=date), tmp_path, said.append)
    assert [each.machine.name for each in pages.known(tmp_path)] == ["one", "two"]
    text = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert "| date | 2026-01-03 | 2026-01-02 |" in text


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    pages.add(SOUND, tmp_path, lambda _text: None)
    (tmp_path / pages.MACHINES / "bad.json").write_text("{}")
    with pytest.raises(BadResult, match=r"bad\.json"):
        pages.draw(tmp_path, lambda _text: None)
