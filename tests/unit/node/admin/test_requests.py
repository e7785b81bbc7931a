"""Reading parameters and bodies into models."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from headrace.node.admin.problem import ProblemError
from headrace.node.admin.requests import read_body, read_query


class Lenient(msgspec.Struct):
    """Other fields are ignored."""

    count: Annotated[int, Meta(ge=2)] = 2
    ratio: float = 0.5
    name: str = ""
    on: bool = False
    label: Annotated[str, Meta(min_length=1)] | None = None


class Strict(Lenient, forbid_unknown_fields=True):
    """Other fields are refused."""


class Needed(msgspec.Struct):
    """One is needed."""

    url: Annotated[str, Meta(min_length=1, examples=["http://host/path"])]


def test_parameters_are_converted_and_absent_ones_have_their_defaults() -> None:
    assert read_query(Lenient, {"count": "7", "ratio": "0.25"}) == Lenient(7, 0.25)
    assert read_query(Lenient, {"label": "a", "other": "b"}) == Lenient(label="a")


def test_fields_are_taken_as_they_are() -> None:
    assert read_body(Lenient, b'{"on": true, "label": null, "x": 1}') == Lenient(on=True)


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ({"count": "1"}, "count", "count must be a number of at least 2"),
        ({"count": "1" * 10}, "count", "count must be a number"),
        ({"count": "２"}, "count", "count must be a number"),
        ({"ratio": "nan"}, "ratio", "ratio must be a number"),
        ({"label": ""}, "label", "label must be text that is not empty"),
        ({"cuont": "1"}, "cuont", "use count, ratio, name, on and label"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_remedy(
    query: dict[str, str], field: str, words: str
) -> None:
    with pytest.raises(ProblemError) as refusal:
        read_query(Strict, query)
    assert (refusal.value.status, refusal.value.field) == (422, field)
    assert words in refusal.value.detail


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"count": "7"}', "count"),
        (b'{"count": true}', "count"),
        (b'{"count": null}', "count"),
        (b'{"on": 1}', "on"),
        (b'{"name": 1}', "name"),
        (b'{"name": null}', "name"),
        (b'{"name": "\\udc00"}', "name"),
        (b'{"\\udc00": 1}', "\udc00"),
    ],
)
def test_a_wrong_field_is_named(body: bytes, field: str) -> None:
    with pytest.raises(ProblemError) as refusal:
        read_body(Strict, body)
    assert (refusal.value.status, refusal.value.field) == (422, field)


@pytest.mark.parametrize("query", [{}, {"url": ""}])
def test_what_is_missing_is_named_with_an_example(query: dict[str, str]) -> None:
    with pytest.raises(ProblemError, match=r"add \?url=http://host/path"):
        read_query(Needed, query)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ProblemError, match="url is missing"):
        read_body(Needed, b"{}")
