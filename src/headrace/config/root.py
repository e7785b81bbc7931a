"""What the top of one kind of configuration file is, as a value: its model and what goes with it.

The loader, the errors, the reference and the printed configuration work for any of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from headrace.config.base import Model
from headrace.config.problems import Problem

RootT = TypeVar("RootT", bound=Model)


def no_problems(_config: Any) -> Sequence[Problem]:
    """Return no problem: for a root without checks."""
    return ()


@dataclass(frozen=True, slots=True)
class Page:
    """The reference page of a root: where it is kept, and what stands around its tables."""

    path: Path
    introduction: str
    example: str
    title: str = "Configuration reference"


@dataclass(frozen=True, slots=True)
class Root(Generic[RootT]):
    """One kind of file."""

    model: type[RootT]
    inconsistencies: Callable[[RootT], Sequence[Problem]] = no_problems
    """Problems that span several tables, each fine by itself; warnings are among them. Pure."""
    machine_problems: Callable[[RootT], Sequence[Problem]] = no_problems
    """What the configuration asks of this machine and is not there, such as files."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Keys as older files write them, and what they are called now."""
    page: Page | None = None
