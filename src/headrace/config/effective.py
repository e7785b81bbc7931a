"""The effective configuration as TOML: every value in force, defaults included, secrets masked."""

from __future__ import annotations

from typing import Any

import tomli_w

from headrace.config.root import Root, RootT
from headrace.config.secrets import masked


def effective_toml(config: RootT, root: Root[RootT], *, show_secrets: bool = False) -> str:
    """Return TOML that loads to this very configuration, but for masked secrets."""
    document: dict[str, Any] = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    shown = document if show_secrets else masked(document, root.model)
    return tomli_w.dumps(_with_text_keys(shown))


def _with_text_keys(value: Any) -> Any:
    """Return the same where every key is a text, as TOML has them."""
    if isinstance(value, dict):
        return {str(key): _with_text_keys(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_text_keys(one) for one in value]
    return value
