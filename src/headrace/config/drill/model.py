"""The models of a drill: what happens to a lab, what is asked for meanwhile, what is hoped for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from headrace.config.base import Model
from headrace.config.units import DurationS

LONGEST_S = 600.0
MachineName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
Process = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,20}$")]
Action = Literal[
    "kill", "stop", "continue", "start", "restart", "power-off", "power-on", "cut", "black-hole",
    "split", "heal", "drain", "return", "configure", "restore", "withdraw", "slow", "nothing",
]  # fmt: skip
Moment = Literal["moved", "gone", "home", "ready", "alive"]
Title = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class StepTable(Model):
    """A step. It is taken at a time, or once something has happened."""

    at_s: DurationS | None = Field(
        default=None,
        le=LONGEST_S,
        description="When, from the end of `before` on. Unset: right after the step before.",
    )
    when: Moment | None = Field(
        default=None,
        description="Wait for this first: `moved`: no VIP of `on` goes to its owner any more; "
        "`gone`: they go nowhere; "
        "`home`: all of them do again; `ready`: all programs of `on` say that they are ready; "
        "`alive`: the same, and one that drains is as good.",
    )
    within_s: DurationS = Field(
        default=60.0, gt=0, le=LONGEST_S, description="The longest to wait. Then the run fails."
    )
    do: Action = Field(
        description="`kill` (SIGKILL), `stop` (SIGSTOP) or `continue` (SIGCONT) a program; `start` "
        "it again; `restart`: end it by SIGTERM, then start it; `power-off`: kill all programs of "
        "a machine at once and take its line down, `power-on`: both back; `cut` a line, so that "
        "both ends see it; `black-hole`: drop all that is on it, without a word; `split` two "
        "sites, ISPs or machines (`on` and `from`); `heal` what was cut; `drain` and `return` a "
        "server; `configure`: replace `text` by `by` in a program's configuration, and reload it, "
        "`restore` it; `withdraw`: the description says that a site is left alone for a time, "
        "drained in the first third of `for`; `slow`: the program stands still for `still` of each "
        "`period`, as one whose disk lets it wait, until `for` is over; `nothing`.",
    )
    on: list[MachineName] = Field(
        default=[], max_length=16, description="What it is done to, all at the same moment."
    )
    from_: MachineName | None = Field(
        default=None, alias="from", description="For `split`: the other side."
    )
    program: Process = Field(
        default="edge", description="Which program of the machine: `edge`, `vip`, `speaker`, …."
    )
    wait_s: DurationS = Field(
        default=0.0,
        alias="wait",
        le=LONGEST_S,
        description="For `drain` and `return`: wait until the server is out, or serves, for so "
        "long at most.",
    )
    text: str = Field(default="", max_length=1000, description="For `configure`: what is replaced.")
    by: str = Field(default="", max_length=1000, description="By what.")
    for_s: DurationS = Field(
        default=0.0, alias="for", le=LONGEST_S, description="For `slow` and `withdraw`: how long."
    )
    still_s: DurationS = Field(default=0.4, gt=0, le=10, description="For `slow`.")
    period_s: DurationS = Field(default=0.5, gt=0, le=10, description="For `slow`.")
    event: bool = Field(
        default=False,
        description="Times count from here. Unset everywhere: from the first step.",
    )
    healed: bool = Field(
        default=False, description="From here on the lost is on its way back: counted apart."
    )


class LoadTable(Model):
    """What clients ask for meanwhile."""

    every_s: DurationS = Field(
        default=0.01,
        ge=0.002,
        le=1,
        description="A new connection with one request to each VIP that is affected, from a client "
        "of each ISP.",
    )
    vips: bool = Field(
        default=True,
        description="Whether affected VIPs are asked at all, whatever DNS says of them.",
    )
    named_s: DurationS = Field(
        default=0.1,
        ge=0.005,
        le=5,
        description="How often clients ask for the host by its name, at an address that DNS gives.",
    )
    others_s: DurationS = Field(
        default=0.1, ge=0.005, le=5, description="The same to each of the other VIPs."
    )
    most: int = Field(
        default=500,
        ge=10,
        le=5000,
        description="So many requests a second at most to all affected VIPs, by all clients: with "
        "more VIPs, `every` grows. Clients and servers share one machine.",
    )
    most_others: int = Field(
        default=100, ge=10, le=5000, description="The same for all other VIPs."
    )
    questions_s: DurationS = Field(
        default=0.1,
        ge=0.02,
        le=5,
        description="How often each request router is asked, by DNS and by HTTP.",
    )
    patience_s: DurationS = Field(
        default=0.9,
        ge=0.05,
        le=10,
        description="A request has failed after so long. After a second the kernel repeats what "
        "opens a connection, so more would hide what is lost.",
    )
    downloads: int = Field(
        default=1, ge=0, le=10, description="So many long downloads from each affected VIP."
    )
    download_s: DurationS = Field(
        default=12.0, ge=1, le=LONGEST_S, description="How long each of these takes."
    )


class ExpectTable(Model):
    """What is hoped for: medians of all runs, and of counts the worst of any run."""

    works_again_s: DurationS | None = Field(
        default=None, description="New connections to affected VIPs work again after so long."
    )
    back_s: DurationS | None = Field(
        default=None, description="After `healed`, VIPs are with their owners after so long."
    )
    others_s: DurationS | None = Field(default=None, description="No other VIP fails for longer.")
    failed: int | None = Field(default=None, ge=0, description="So many requests fail at most.")
    failed_named: int | None = Field(
        default=None, ge=0, description="So many by name, at addresses that DNS gave."
    )
    resumed: bool = Field(
        default=False,
        description="Clients that speak TLS resume their sessions at the neighbour.",
    )
    cut: int | None = Field(default=None, ge=0, description="So many downloads end early at most.")


class DrillConfig(Model):
    """A drill: steps that are taken in a lab under load, and what is measured."""

    title: Title = Field(description="What happens, in a few words.")
    topology: str = Field(
        default="two-isps",
        max_length=200,
        description="The topology: a shipped one, or a file.",
    )
    bfd: bool | None = Field(
        default=None, description="Have it with BFD at every site, or without. Unset: as it says."
    )
    affected: list[MachineName] = Field(
        min_length=1,
        max_length=16,
        description="The servers whose VIPs are affected. A site means all of its servers.",
    )
    least_servers: int = Field(
        default=1,
        ge=1,
        le=16,
        description="So many servers at least must each site of an affected server have.",
    )
    in_turn: MachineName | None = Field(
        default=None,
        description="All steps are taken for each server of this site, one server after the other: "
        "`on` is then that server.",
    )
    before_s: DurationS = Field(
        default=1.0, ge=0.5, le=60, description="The load runs so long before the first step."
    )
    after_s: DurationS = Field(
        default=2.0, ge=0.5, le=LONGEST_S, description="And so long after the last."
    )
    steps: list[StepTable] = Field(
        alias="step", min_length=1, max_length=100, description="The steps, in order."
    )
    load: LoadTable = Field(default_factory=LoadTable, description="The load.")
    expect: ExpectTable = Field(default_factory=ExpectTable, description="What is hoped for.")
