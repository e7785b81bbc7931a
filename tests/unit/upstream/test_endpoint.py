"""Where an origin is, and how it is spoken to."""

from __future__ import annotations

import ssl

import pytest

from headrace.upstream.endpoint import origin_context


@pytest.mark.parametrize("verify", [True, False])
def test_an_end_of_tls_that_nobody_signed_is_an_error_on_any_python(
    monkeypatch: pytest.MonkeyPatch, verify: bool
) -> None:
    made = ssl.create_default_context

    def as_before_3_11_4(*, cafile: str | None) -> ssl.SSLContext:
        context = made(cafile=cafile)
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
        return context

    monkeypatch.setattr(ssl, "create_default_context", as_before_3_11_4)
    monkeypatch.setattr("headrace.upstream.endpoint._contexts", {})
    context = origin_context(None, verify=verify)
    assert not context.options & ssl.OP_IGNORE_UNEXPECTED_EOF
