"""`headrace lab`: a network in network namespaces of this machine, to be broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.examples import examples
from headrace.cli.lab_drill import drill
from headrace.config.lab import LAB
from headrace.config.loader import load_config
from headrace.lab.network.configuration import HOST
from headrace.lab.network.control import Lab, end_known_lab, open_lab, start_lab
from headrace.lab.network.home import DEFAULT_ROOT, labs, options
from headrace.lab.network.keeper import LATE
from headrace.lab.network.missing import home_is_usable, refuse_missing, with_system_path
from headrace.lab.network.requests import Heal, Kill, MakeCut
from headrace.lab.network.status import observe, status_lines
from headrace.lab.network.topology import DEFAULT, find_topology, shipped

EXIT_NOT_WELL = 1

lab = typer.Typer(
    name="lab",
    help="Build a network of ISPs and sites on this machine, and break it. As root.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Root = Annotated[
    Path,
    typer.Option("--state-dir", metavar="DIR", help="Where labs have their files."),
]
NameOption = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="Which lab. Unset: the only one that runs."),
]


lab.command(name="drill", epilog=examples("lab drill"))(drill)


@lab.callback()
def _common() -> None:
    with_system_path()


@lab.command(name="up", epilog=examples("lab up"))
def up(
    *,
    topology: Annotated[
        str,
        typer.Option(metavar="FILE", help=f"A topology: {', '.join(shipped())}, or your own file."),
    ] = DEFAULT,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it. Unset: as the file does.")
    ] = None,
    state_dir: Root = DEFAULT_ROOT,
) -> None:
    """Build a lab, start all of its programs, and leave it running.

    It is there when every VIP goes to its owner. Where that takes longer than a minute, it says
    so, leaves the lab as it is, and exits with 1.
    """
    file = find_topology(topology)
    config = load_config(file, LAB)
    if name is not None:
        config = LAB.model.model_validate({**config.model_dump(by_alias=True), "name": name})
    refuse_missing(config)
    home_is_usable(state_dir)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        typer.echo(line)

    started = start_lab(state_dir, config.name, file, say)
    for line in greeting(started, state_dir):
        typer.echo(line)
    if any(line.startswith(LATE) for line in said):
        raise typer.Exit(EXIT_NOT_WELL)


def greeting(started: Lab, state_dir: Path) -> list[str]:
    """Return what to do with a lab, by commands that mean this one."""
    name = started.plan.name
    alone = labs(state_dir) == [name] and state_dir == DEFAULT_ROOT
    words = "" if alone else f" {options(state_dir, name)}"
    client = next((one for one in started.plan.machines if "-client" in one), "")
    server = next((one.name for one in started.plan.machines.values() if one.vips), "")
    url = f"http://{HOST}/media/master.m3u8"
    return [
        f"The lab {name} runs; its files are in {started.directory}",
        f"  headrace lab status{words}",
        f"  headrace lab exec{words} {client} -- curl -sv {url}",
        f"  headrace lab kill{words} {server}:edge",
        f"  headrace lab down{words}",
    ]


@lab.command(name="status", epilog=examples("lab status"))
def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    name: NameOption = None,
    state_dir: Root = DEFAULT_ROOT,
) -> None:
    """Print what runs, what is cut, and where each VIP's packets go."""
    observed = observe(open_lab(state_dir, name))
    if as_json:
        typer.echo(json.dumps(observed.as_json(), indent=2))
        return
    for line in status_lines(observed):
        typer.echo(line)


@lab.command(
    name="exec",
    epilog=examples("lab exec"),
    context_settings={"allow_interspersed_args": False},
)
def execute(
    machine: Annotated[str, typer.Argument(metavar="MACHINE", help="A machine of the lab.")],
    command: Annotated[list[str], typer.Argument(metavar="COMMAND…", help="What to run there.")],
    *,
    name: NameOption = None,
    state_dir: Root = DEFAULT_ROOT,
) -> None:
    """Run a command on a machine of the lab. Clients ask the lab's name servers."""
    words = command[1:] if command[0] == "--" else command
    open_lab(state_dir, name).execute(machine, words)


@lab.command(name="kill", epilog=examples("lab kill"))
def kill(
    target: Annotated[
        str,
        typer.Argument(metavar="NAME[:PROCESS]", help="A machine, or a site; a process there."),
    ],
    *,
    signal: Annotated[
        str, typer.Option(metavar="SIGNAL", help="KILL, TERM, STOP, CONT, or another.")
    ] = "KILL",
    name: NameOption = None,
    state_dir: Root = DEFAULT_ROOT,
) -> None:
    """Send a signal. What it ends stays down until `heal`."""
    _print(open_lab(state_dir, name).do(Kill(target, signal)).done)


@lab.command(name="cut", epilog=examples("lab cut"))
def cut(
    one: Annotated[
        str, typer.Argument(metavar="LINE|A", help="The machine whose line it is; or A.")
    ],
    other: Annotated[
        str | None, typer.Argument(metavar="B", help="Between A and B: machines, sites or ISPs.")
    ] = None,
    *,
    silent: Annotated[
        bool,
        typer.Option("--silent", help="Drop everything, with the line up, so that nobody is told."),
    ] = False,
    name: NameOption = None,
    state_dir: Root = DEFAULT_ROOT,
) -> None:
    """Cut a machine's line, or drop what goes between two."""
    _print(open_lab(state_dir, name).do(MakeCut(one, other, silent)).done)


@lab.command(name="heal", epilog=examples("lab heal"))
def heal(
    one: Annotated[
        str | None, typer.Argument(metavar="NAME[:PROCESS]|A", help="Of what. Unset: of all.")
    ] = None,
    other: Annotated[str | None, typer.Argument(metavar="B", help="Between A and B.")] = None,
    *,
    name: NameOption = None,
    state_dir: Root = DEFAULT_ROOT,
) -> None:
    """Take back what was cut, and start what was killed or stopped."""
    done = open_lab(state_dir, name).do(Heal(one, other)).done
    _print(done or ["there was nothing to heal"])


@lab.command(name="down", epilog=examples("lab down"))
def down(
    *,
    name: NameOption = None,
    all_labs: Annotated[bool, typer.Option("--all", help="All labs.")] = False,
    state_dir: Root = DEFAULT_ROOT,
) -> None:
    """End a lab and remove all of it: processes, namespaces, files."""
    if all_labs:
        wanted = labs(state_dir)
    elif name is not None:
        wanted = [name]
    else:
        wanted = [open_lab(state_dir, None).plan.name]
    for one in wanted:
        end_known_lab(state_dir, one)
        typer.echo(f"The lab {one} is gone.")


def _print(lines: list[str]) -> None:
    for line in lines:
        typer.echo(line)
