"""Field lists: what is asked of them by name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.http.message import Field, Headers

FIELDS = st.lists(
    st.tuples(
        st.sampled_from([b"vary", b"set-cookie", b"via"]),
        st.sampled_from([b"", b"a", b"a, b", b", ", b"b,c"]),
    ),
    max_size=5,
)


@given(FIELDS)
def test_every_line_of_a_name_is_found(fields: list[Field]) -> None:
    headers = Headers(fields)
    assert headers.names() == {name for name, _value in fields}
    for name in (b"vary", b"set-cookie", b"via", b"none"):
        lines = [value for found, value in fields if found == name]
        assert headers.all(name) == lines
        assert headers.get(name) == (b", ".join(lines) if lines else None)
