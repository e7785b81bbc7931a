"""What the configuration's caching rules become."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.cache.rules import CacheRules
from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.edge.service.services import compile_services


def rules(cache: dict[str, object], **path_rule: object) -> CacheRules:
    """The rules of a service, or of a path of it."""
    service: dict[str, object] = {
        "name": "a", "hosts": ["*"], "origins": ["http://o:1"], "cache": cache,
    }  # fmt: skip
    if path_rule:
        service["rule"] = [{"path": "/x", **path_rule}]
    document = {
        "cache_dir": "/c", "listen": [{"address": "127.0.0.1:1"}], "service": [service],
    }  # fmt: skip
    compiled = compile_services(validate_document(document, EDGE, str, base=Path("/")))
    return compiled.all[0].rules_for(b"/x")


def test_what_is_left_out_is_as_the_policys_own_defaults() -> None:
    assert rules({}) == CacheRules()


@pytest.mark.parametrize(
    ("cache", "seconds"),
    [
        ({}, 60),
        ({"stale_if_error": 10}, 10),
        ({"stale_if_error": 10, "stale_if_unreachable": 90}, 90),
        ({"stale_if_error": 10, "stale_if_unreachable": 0}, 0),
        ({"stale_if_unreachable": 0}, 0),
    ],
)
def test_how_long_unreachable_origins_are_hidden(cache: dict[str, object], seconds: float) -> None:
    assert rules(cache).stale_if_unreachable_s == seconds


def test_a_path_may_say_otherwise() -> None:
    assert rules({"stale_if_error": 10}, stale_if_error=30).stale_if_unreachable_s == 30
    assert rules({}, error_max=2).error_max_s == 2
