"""Another root than the edge's gets the same loader: the same errors, the same page, no secret."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import Field

from headrace.config.base import FilePath, Model
from headrace.config.effective import effective_toml
from headrace.config.loader import check_machine, load_config, parse_config
from headrace.config.problems import ConfigError, Problem, Severity
from headrace.config.reference import page
from headrace.config.root import Page, Root
from headrace.config.units import DurationS, SizeBytes


class Host(Model):
    """A host of the toy."""

    name: str = Field(description="Its name.")
    password: str | None = Field(default=None, repr=False, description="Its password.")


class Toy(Model):
    """A toy.

    It has hosts.
    """

    pause_s: DurationS = Field(default=2.0, description="How long.")
    room_bytes: SizeBytes = Field(default=2048, description="How much.")
    notes: FilePath | None = Field(default=None, description="Where.")
    host: list[Host] = Field(default=[], description="The hosts.")


def inconsistencies(toy: Toy) -> list[Problem]:
    names = [host.name for host in toy.host]
    return [
        Problem(("host", at, "name"), "used already", "choose another", repr(name))
        for at, name in enumerate(names)
        if name in names[:at]
    ]


def machine_problems(toy: Toy) -> Sequence[Problem]:
    if toy.notes is None or toy.notes.exists():
        return ()
    return [Problem(("notes",), "no such file", "write it", str(toy.notes))]


TOY = Root(
    Toy,
    inconsistencies,
    machine_problems,
    renamed={"delay": "pause"},
    page=Page(Path("toy.md"), "Of toys.\n", "None.\n"),
)
BARE = Root(Toy)


def complaint(text: str, root: Root[Toy] = TOY) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse_config(text, "toy.toml", root, base=Path("/"))
    return str(raised.value).splitlines()


def test_a_file_becomes_the_roots_model(tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text('pause = "250ms"\nroom = "1KiB"\nnotes = "n"\n')
    toy = load_config(tmp_path / "toy.toml", TOY)
    assert toy == Toy(pause_s=0.25, room_bytes=1024, notes=tmp_path / "n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'room = 1\n\npause = "soon"\n',
            [
                'toy.toml:3: error: pause = "soon": not a duration',
                '    write seconds as a number, or a text such as "250ms", "10s" or "5m" '
                "(units: ms, s, m, h, d)",
            ],
        ),
        (
            "\npuase = 1\n",
            ["toy.toml:2: error: puase = 1: unknown key", "    did you mean `pause`?"],
        ),
        (
            "delay = 1\n",
            [
                "toy.toml:1: error: delay = 1: `delay` is called `pause` now",
                "    write `pause`",
            ],
        ),
        (
            '[[host]]\nname = "a"\n[[host]]\nname = "a"\n',
            ["toy.toml:4: error: host[1].name = 'a': used already", "    choose another"],
        ),
        (
            "[[host]]\n",
            [
                "toy.toml:1: error: host[0].name: required, but missing",
                "    add `name = …` (Its name.)",
            ],
        ),
        (
            'name = "a"\n',
            ['toy.toml:1: error: name = "a": unknown key', "    `name` belongs in [[host]]"],
        ),
    ],
)
def test_errors_have_lines_and_remedies(text: str, told: list[str]) -> None:
    assert complaint(text) == told


def test_what_belongs_to_the_edge_means_nothing_here() -> None:
    assert complaint("site = 1\n")[0] == "toy.toml:1: error: site = 1: unknown key"
    assert "is called" not in complaint("delay = 1\n", BARE)[0]


def test_all_problems_are_reported_at_once() -> None:
    told = complaint('pause = -1\n[[host]]\nname = "a"\n[[host]]\nname = "a"\n')
    assert [line.partition(": ")[0] for line in told[::2]] == ["toy.toml:1", "toy.toml:5"]


@pytest.mark.parametrize("key", ["password", "passwrod"])
def test_no_error_shows_a_secret(key: str) -> None:
    text = "\n".join(complaint(f'[[host]]\n{key} = "hush"\nname = 1\n'))
    assert "hush" not in text
    assert key == "password" or "(hidden)" in text


def test_what_is_in_force_is_printed_without_secrets() -> None:
    text = '[[host]]\nname = "a"\npassword = "hush"\n'
    toy = parse_config(text, "toy.toml", TOY, base=Path("/"))
    assert effective_toml(toy, TOY) == (
        'pause = 2.0\nroom = 2048\nhost = [\n    { name = "a", password = "(hidden)" },\n]\n'
    )
    shown = effective_toml(toy, TOY, show_secrets=True)
    assert parse_config(shown, "again", TOY, base=Path("/")) == toy


def test_what_this_machine_lacks_has_its_line(tmp_path: Path) -> None:
    file = tmp_path / "toy.toml"
    file.write_text('\nnotes = "absent"\n')
    toy = load_config(file, TOY)
    check_machine(toy, BARE, file)
    with pytest.raises(ConfigError) as raised:
        check_machine(toy, TOY, file)
    assert str(raised.value).startswith(f"{file}:2: error: notes = {tmp_path}/absent: no such file")


def test_what_this_machine_may_lack_for_now_is_a_warning(tmp_path: Path) -> None:
    def problems(toy: Toy) -> Sequence[Problem]:
        return [replace(one, severity=Severity.WARNING) for one in machine_problems(toy)]

    file = tmp_path / "toy.toml"
    file.write_text('\nnotes = "absent"\n')
    told: list[str] = []
    check_machine(load_config(file, TOY), Root(Toy, inconsistencies, problems), file, told.append)
    (warning,) = told
    assert warning.startswith(f"{file}:2: warning: notes = {tmp_path}/absent: no such file")


def rows(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if line.startswith("| `"))


def test_the_reference_is_written_from_the_model() -> None:
    text = page(TOY)
    assert "\nOf toys.\n" in text
    assert "## Top of the file\n\nA toy.\n" in text
    assert "## `[[host]]`\n\nA host of the toy.\n" in text
    assert list(rows(text)) == [
        "| `pause` | duration | `2` | How long. |",
        '| `room` | size | `"2KiB"` | How much. |',
        "| `notes` | path | unset | Where. |",
        "| `name` | text | required | Its name. |",
        "| `password` | text | unset | Its password. |",
    ]
