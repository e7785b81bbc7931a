"""The picture of the floors is made of what the code says."""

from __future__ import annotations

from pathlib import Path

from scripts.draw_floors import (
    NAME_LETTER,
    NAME_SIZE,
    Box,
    boxes,
    computed_floors,
    draw,
    imports_between,
    modules,
    name_size,
    named_floors,
    stands_on,
)


def a_house(directory: Path, **texts: str) -> dict[str, Path]:
    package = directory / "headrace"
    package.mkdir()
    for name, text in texts.items():
        (package / f"{name}.py").write_text(f'"""Does {name}. And more."""\n{text}\n')
    return modules(directory)


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    known = a_house(
        tmp_path,
        a="from headrace.b import x\ndef f():\n    import headrace.c",
        b="from headrace import c",
        c="import json",
    )
    assert imports_between(known, "headrace") == {"a": {"b", "c"}, "b": {"c"}, "c": frozenset()}


def test_a_box_stands_on_what_nothing_else_brings() -> None:
    graph = {"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset("")}
    assert stands_on(graph, "a") == ("b",)


def test_each_floor_is_above_all_that_it_imports() -> None:
    graph = {"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset(""), "d": frozenset("c")}
    assert computed_floors(graph) == [["a"], ["b", "d"], ["c"]]


def test_a_circle_has_floors_all_the_same() -> None:
    graph = {"a": frozenset("b"), "b": frozenset("ac"), "c": frozenset("")}
    floors = computed_floors(graph)
    assert sorted(name for floor in floors for name in floor) == ["a", "b", "c"]


def test_an_import_upward_is_shown_as_one(tmp_path: Path) -> None:
    known = a_house(tmp_path, a="", b="import headrace.a")
    graph = imports_between(known, "headrace")
    found = boxes(known, "headrace", graph, [["a"], ["b"]])
    assert found == [[Box("a", "Does a")], [Box("b", "Does b", (), ("a",))]]
    assert "UPWARD: a" in draw("house", found)


def test_the_floors_are_those_of_the_contract() -> None:
    text = "[importlinter:contract:floors]\nlayers =\n    a\n    b | c\n"
    assert named_floors(text) == [["a"], ["b", "c"]]


def test_the_picture_is_the_same_each_time_and_keeps_texts_as_they_are() -> None:
    floors = [[Box("a", "What <is> & was")]]
    assert draw("x", floors) == draw("x", floors)
    assert "What &lt;is&gt; &amp; was" in draw("x", floors)


def test_a_long_name_gets_smaller_letters_until_it_fits() -> None:
    assert name_size("clock", 95) == NAME_SIZE
    small = name_size("purge_allowance", 95)
    assert small < NAME_SIZE
    assert small * NAME_LETTER * len("purge_allowance") <= 96
