"""The house rules find what breaks them, and let pass only what is excepted for a reason."""

from __future__ import annotations

import pytest
from scripts.check_house import (
    House,
    complaints,
    counts,
    findings,
    is_imperative,
    subject_problem,
    tighten,
)

PATH = "src/headrace/edge/some.py"


def house_of(text: str, path: str = PATH) -> House:
    house = House()
    house.add(path, '"""Do something."""\n' + text)
    house.know_errors()
    return house


def rules(text: str) -> list[str]:
    return [found.rule for found in findings(house_of(text))]


def function(lines: int, doc: str = "Do it.") -> str:
    return f'def f():\n    """{doc}"""\n' + "    x = 1\n" * (lines - 2)


def test_a_long_function_is_found_and_a_shorter_one_is_not() -> None:
    assert rules(function(60)) == []
    assert rules(function(61)) == ["function-size"]


def test_methods_and_inner_functions_are_named_in_full() -> None:
    inner = "\n".join("        " + line for line in function(70).splitlines())
    text = f'class A:\n    """A thing."""\n\n    def g(self):\n        """Do it."""\n{inner}\n'
    names = [found.name for found in findings(house_of(text))]
    assert names == [f"{PATH}:A.g", f"{PATH}:A.g.f"]


def test_a_long_module_is_found() -> None:
    assert rules("x = 1\n" * 399) == []
    assert rules("x = 1\n" * 400) == ["module-size"]


@pytest.mark.parametrize("imported", ["from headrace.edge import hot", "import headrace.errors"])
def test_an_import_for_types_alone_is_found(imported: str) -> None:
    assert rules(f"if TYPE_CHECKING:\n    {imported}\n") == ["hidden-import"]


def test_a_library_may_be_imported_for_its_types() -> None:
    assert rules("if TYPE_CHECKING:\n    from aiohttp import web\n") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(): ...", ["no-docstring"]),
        ("def _f(): ...", []),
        ("class A:\n    pass", ["no-docstring"]),
        ("class A:\n    '''A thing.'''\n    def f(self): ...", ["no-docstring"]),
        ("class A:\n    '''A thing.'''\n    def __len__(self): ...", []),
        ("class _A:\n    def f(self): ...", []),
        ("def f():\n    '''The number.'''", ["not-imperative"]),
        ("def f():\n    '''Returns it.'''", ["not-imperative"]),
        ("def f():\n    '''Return it.'''", []),
        (
            "class A:\n    '''A thing.'''\n    @property\n    def f(self):\n        '''Size.'''",
            [],
        ),
    ],
)
def test_docstrings(text: str, found: list[str]) -> None:
    assert rules(text) == found


OWN = "class Own(Exception):\n    '''An error.'''\nclass Finer(Own):\n    '''An error.'''\n"


@pytest.mark.parametrize(
    ("doc", "raised", "found"),
    [
        ("Do it.", "raise Finer(1)", ["no-raises"]),
        ("Do it. Raises Finer.", "raise Finer(1)", []),
        ("Do it.", "raise ValueError", []),
        ("Do it.", "def inner(): raise Finer", []),
    ],
)
def test_own_errors_that_are_raised_are_named(doc: str, raised: str, found: list[str]) -> None:
    assert rules(f"{OWN}def f():\n    '''{doc}'''\n    {raised}\n") == found


def test_an_exception_needs_a_reason_and_a_rule_that_it_breaks() -> None:
    found = findings(house_of(function(61)))
    name = f"{PATH}:f"
    assert len(complaints(found, {}, {})) == 1
    assert complaints(found, {"functions": {name: "one table, read from top to bottom"}}, {}) == []
    assert len(complaints(found, {"functions": {name: "why"}}, {})) == 1
    stale = {"functions": {name: "one table, read from top to bottom", "gone.py:f": "it was long"}}
    assert "gone.py" in complaints(found, stale, {})[0]


def test_the_ratchet_neither_grows_nor_lags_behind() -> None:
    found = findings(house_of("def f(): ...\ndef g(): ..."))
    assert counts(found) == {"no-docstring": {"edge": 2}}
    assert complaints(found, {}, {"no-docstring": {"edge": 2}}) == []
    assert complaints(found, {}, {"no-docstring": {"edge": 1}})
    assert "--tighten" in complaints(found, {}, {"no-docstring": {"edge": 3}})[0]


def test_only_what_shrank_in_all_may_be_written() -> None:
    was = {"no-docstring": {"edge": 2, "node": 1}}
    assert tighten({"no-docstring": {"node": 3}}, was) == []
    assert tighten({"no-docstring": {"node": 4}}, was)
    assert tighten({"no-raises": {"node": 1}}, was)


def test_a_docstring_begins_with_what_to_do() -> None:
    assert is_imperative("Return `x`.")
    assert not is_imperative("`x`, if there is one.")
    assert not is_imperative("Whether it is.")


def test_subjects_of_commits() -> None:
    assert subject_problem("x" * 72) is None
    assert subject_problem("x" * 73) is not None
    assert subject_problem("Do it.") is not None
