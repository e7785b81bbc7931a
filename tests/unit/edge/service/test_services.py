"""What the configuration's caching rules become."""

from __future__ import annotations

import dataclasses
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


def test_each_setting_of_the_file_arrives() -> None:
    unlike = {
        "targeted": ["a"], "heuristic_fraction": 0.5, "heuristic_max": 3, "default_lifetime": 3,
        "force_lifetime": 3, "negative": {"404": 3}, "error_max": 3,
        "honour_request_directives": False, "stale_while_revalidate": 3, "stale_if_error": 3,
        "stale_if_unreachable": 3, "store_set_cookie": True, "store_post_answers": True,
        "bypass_on_cookie": ["a"], "cookie_in_request": "bypass", "accept_encodings": ["a"],
        "languages": ["a"], "media_types": ["a/b"], "shared": False, "max_object": 1 << 20,
        "slice": "1MiB",
    }  # fmt: skip
    arrived, own = rules(unlike), CacheRules()
    names = [field.name for field in dataclasses.fields(CacheRules)]
    assert [name for name in names if getattr(arrived, name) == getattr(own, name)] == []


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
