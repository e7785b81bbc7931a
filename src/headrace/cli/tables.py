"""Tables of text, and the screen that they are drawn on again and again."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from headrace.cli.admin_client import harmless, run

HOME, TO_LINE_END, TO_SCREEN_END = "\x1b[H", "\x1b[K", "\x1b[J"
Found = TypeVar("Found")
OTHER_SCREEN, FORMER_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


@contextlib.contextmanager
def screen(first: str) -> Iterator[None]:
    """Show the terminal's other screen, so that what goes wrong is said on the former."""
    sys.stdout.write(OTHER_SCREEN)
    draw([first], 2)
    try:
        yield
    finally:
        sys.stdout.write(FORMER_SCREEN)
        sys.stdout.flush()


def draw(lines: Sequence[str], height: int) -> None:
    """Draw lines over what was there, as many as fit."""
    shown = [line + TO_LINE_END for line in lines[: height - 1]]
    sys.stdout.write(HOME + "\r\n".join(shown) + TO_SCREEN_END)
    sys.stdout.flush()


def watch_looks(
    command: str,
    looks: Iterable[Found],
    lines: Callable[[Found, int], Sequence[str]],
    *,
    first: str,
    plain_width: int,
    as_json: bool,
    drawn: bool,
) -> None:
    """Show each look as it comes, drawn over the one before, or printed, as a table or as JSON;
    until there are no more, Ctrl-C, or nobody reads them. What fails ends the command as `run` does
    it.
    """

    def show() -> None:
        with screen(first) if drawn else contextlib.nullcontext():
            for found in looks:
                if as_json:
                    sys.stdout.write(json.dumps(msgspec.to_builtins(found)) + "\n")
                elif drawn:
                    size = shutil.get_terminal_size()
                    draw(lines(found, size.columns), size.lines)
                else:
                    sys.stdout.write("\n".join([*lines(found, plain_width), ""]))
                sys.stdout.flush()

    try:
        run(command, show)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        sys.stderr.close()  # nothing is left to say it to


def part(
    heads: Sequence[str], rows: Iterable[Sequence[str]], width: int, *, prose: bool = False
) -> list[str]:
    """Return a table whose first column takes the room that the others leave. With `prose` the last
    column is sentences: they are cut before anything of the first is.
    """
    shown = [[harmless(cell) for cell in row] for row in rows]
    if not shown:
        return []
    columns = [max(len(row[at]) for row in [heads, *shown]) for at in range(len(heads))]
    gaps = 2 * (len(columns) - 1)
    if prose:
        room = width - sum(columns[:-1]) - gaps
        columns[-1] = max(len(heads[-1]), min(columns[-1], room))
    columns[0] = max(8, min(columns[0], width - sum(columns[1:]) - gaps))
    lines = [""]
    for row in [heads, *shown]:
        cells = [_cut(row[0], columns[0]).ljust(columns[0])]
        cells += [cell.rjust(columns[at]) for at, cell in enumerate(row) if at]
        if prose:
            cells[-1] = _cut(row[-1], columns[-1])
        lines.append("  ".join(cells).rstrip())
    return lines


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def utc(unix_s: float) -> str:
    """Return a moment as text, which says that it is UTC."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%SZ}"
