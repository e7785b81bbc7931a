"""The rules as values are the configuration's twin."""

from __future__ import annotations

import dataclasses

import pytest

from headrace.cache.rules import CacheRules
from headrace.config.edge import service as config_service

NAMES = ("targeted", "bypass_on_cookie", "accept_encodings", "languages", "media_types")

# Unset in the configuration, it follows another: see tests/unit/edge/service/test_services.py.
FOLLOWS = ("stale_if_unreachable_s",)


def test_rules_and_configuration_have_the_same_names() -> None:
    assert {field.name for field in dataclasses.fields(CacheRules)} == set(
        config_service.CacheRules.model_fields
    )


@pytest.mark.parametrize(
    "name", sorted(set(config_service.CacheRules.model_fields) - {*NAMES, *FOLLOWS})
)
def test_a_default_is_the_same_in_both(name: str) -> None:
    assert getattr(CacheRules(), name) == getattr(config_service.CacheRules(), name)


@pytest.mark.parametrize("name", NAMES)
def test_default_names_are_the_configured_ones_in_lower_case(name: str) -> None:
    configured = getattr(config_service.CacheRules(), name)
    assert getattr(CacheRules(), name) == tuple(value.lower().encode() for value in configured)
