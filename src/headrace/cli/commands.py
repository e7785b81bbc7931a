"""The sub-commands, each imported when it is asked for: all of them import what runs every role,
the demo and the simulator, which takes as long as all the rest of a short command.
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from headrace.cli.examples import examples

NAMES = (
    "edge", "router", "check", "demo", "purge", "explain", "locate", "log", "shard", "simulate",
    "top", "network", "feedback", "vip", "lab", "tickets",
)  # fmt: skip
"""Each is a function or a group, in the module of that name beside this one."""


class Commands(TyperGroup):
    """The group of all sub-commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Imported(NAMES)


class _Imported(UserDict[str, Any]):
    """The commands by their names."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(dict.fromkeys(names))

    def __getitem__(self, name: str) -> Any:
        if self.data[name] is None:
            self.data[name] = _command(name)
        return self.data[name]


def _command(name: str) -> object:
    found = getattr(import_module(f"headrace.cli.{name}"), name)
    if isinstance(found, typer.Typer):
        return get_group(found)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name=name, epilog=examples(name))(found)
    return get_command(alone)
