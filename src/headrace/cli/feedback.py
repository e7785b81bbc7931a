"""`headrace feedback`: run a feedback process, and ask or tell one that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.role_file import load_for
from headrace.config.feedback import FEEDBACK

feedback = typer.Typer(
    name="feedback",
    help="Observe the network, take failing servers out and balance traffic between sites.",
    add_completion=False,
    rich_markup_mode=None,
    invoke_without_command=True,
)


@feedback.callback()
def run_feedback(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Run by this configuration file.")
    ] = None,
) -> None:
    """Run a feedback process until a signal stops it; or ask and tell one that runs."""
    if context.invoked_subcommand is not None:
        return
    if config is None:
        typer.echo("headrace feedback: name its file with --config, or a command", err=True)
        raise typer.Exit(2)
    wanted = load_for(config, FEEDBACK)
    from headrace.feedback.role import FeedbackRole
    from headrace.node.supervisor import run

    raise typer.Exit(run(FeedbackRole(), wanted, config))
