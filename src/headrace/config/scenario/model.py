"""The whole of a scenario."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from headrace.config.base import FilePath, Model
from headrace.config.network.words import CapacityBps, Name
from headrace.config.scenario.control import ControlTable
from headrace.config.scenario.demand import AudienceTable, CatalogueTable, LiveTable
from headrace.config.scenario.events import FailureTable, NewServerTable, WithdrawalTable
from headrace.config.units import DurationS, SizeBytes

_PerGb = Annotated[float, Field(ge=0, le=1e6)]
_Line = Annotated[
    str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$")
]


class ClientsTable(Model):
    """How clients come to servers, and how long they stay there."""

    by: Literal["redirect", "dns", "anyhow"] = Field(
        default="redirect",
        description="`redirect`: the router decides for each session by what it asks for. `dns`: "
        "clients of a network keep an answer of the class's `ttl`, which knows nothing of titles. "
        "`anyhow`: to any server of the site, as if nothing were sharded.",
    )
    stay: Literal["session", "ttl", "chunk"] = Field(
        default="session",
        description="How long a client stays with a server: for a `session`; for the `ttl` of the "
        "class, as players do that are steered; or for one `chunk`.",
    )
    retry_s: DurationS = Field(
        default=2.0,
        gt=0,
        le=600,
        description="A client that got nothing asks again after so long.",
    )
    patience_s: DurationS = Field(
        default=60.0, le=86400, description="A viewer who got nothing for so long gives up."
    )


class EdgesTable(Model):
    """What holds for all caching servers."""

    storage_bytes: SizeBytes = Field(
        default=0,
        le=2**60,
        description="The store of servers whose `storage` the description does not say.",
    )
    eviction: Literal["s3-fifo", "lru", "fifo"] = Field(
        default="s3-fifo", description="How a full store makes room. Edges have `s3-fifo`."
    )
    tiering: bool = Field(
        default=True, description="Whether servers ask each other before the origins."
    )


class OriginTable(Model):
    """The origins, taken as one."""

    capacity_bps: CapacityBps | None = Field(
        default=None, description="What they can send. Unset: whatever is asked."
    )


class PricesTable(Model):
    """What bytes cost, in any currency."""

    site: dict[Name, _PerGb] = Field(
        default={}, description="By the name of a site, what a GB to its clients costs."
    )
    otherwise: _PerGb = Field(default=0.0, description="What a GB costs at all other sites.")
    origin: _PerGb = Field(default=0.0, description="What a GB costs that an origin sends.")


class VariantTable(Model):
    """The same scenario with something else in it, to be compared."""

    name: Name = Field(description="A unique short name.")
    network: FilePath | None = Field(
        default=None, description="Another description of the network."
    )
    clients: ClientsTable | None = Field(default=None, description="In place of `[clients]`.")
    edges: EdgesTable | None = Field(default=None, description="In place of `[edges]`.")
    control: ControlTable | None = Field(default=None, description="In place of `[control]`.")
    new_servers: list[NewServerTable] = Field(
        default=[],
        alias="new_server",
        max_length=1000,
        description="In place of `[[new_server]]`, if there are any.",
    )
    withdrawals: list[WithdrawalTable] = Field(
        default=[],
        alias="withdrawal",
        max_length=1000,
        description="In place of `[[withdrawal]]`, if there are any.",
    )


class ScenarioConfig(Model):
    """A simulation: what runs, for how long, and what is asked for."""

    title: _Line = Field(default="", description="What it shows, in a line.")
    network: FilePath = Field(description="The description of the network.")
    seed: int = Field(default=1, ge=0, le=2**62, description="The same seed, the same result.")
    length_s: DurationS = Field(gt=1, le=30 * 86400, description="How long it runs.")
    starts_s: DurationS = Field(
        default=0.0, lt=86400, description="The time of day at which it begins: `18h`."
    )
    warm_up_s: DurationS = Field(
        default=0.0,
        description="So much of the time is not counted in the totals: stores fill meanwhile.",
    )
    interval_s: DurationS = Field(
        default=5.0,
        ge=0.1,
        le=600,
        description="The step of the clock: load is measured over it, and requests within one are "
        "of the same moment. Let it be no shorter than the pieces, or who asks together makes "
        "peaks.",
    )
    scale: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="A model of this size stands for the whole: of titles, viewers, stores and "
        "capacities only this share is simulated, and bytes and requests are multiplied back.",
    )
    audiences: list[AudienceTable] = Field(
        default=[], alias="audience", max_length=1000, description="Who watches."
    )
    catalogues: list[CatalogueTable] = Field(
        default=[], alias="catalogue", max_length=100, description="What there is to watch."
    )
    live: list[LiveTable] = Field(default=[], max_length=100, description="Live events.")
    failures: list[FailureTable] = Field(
        default=[], alias="failure", max_length=1000, description="What fails."
    )
    withdrawals: list[WithdrawalTable] = Field(
        default=[], alias="withdrawal", max_length=1000, description="What is maintained."
    )
    new_servers: list[NewServerTable] = Field(
        default=[], alias="new_server", max_length=1000, description="What is new."
    )
    control: ControlTable = Field(
        default_factory=ControlTable, description="What observes the network and steers it."
    )
    clients: ClientsTable = Field(default_factory=ClientsTable, description="The clients.")
    edges: EdgesTable = Field(default_factory=EdgesTable, description="The servers.")
    origin: OriginTable = Field(default_factory=OriginTable, description="The origins.")
    prices: PricesTable = Field(default_factory=PricesTable, description="What bytes cost.")
    variants: list[VariantTable] = Field(
        default=[],
        alias="variant",
        max_length=10,
        description="The same scenario with something else in it: each is simulated, and they are "
        "compared.",
    )

    def as_variant(self, variant: VariantTable) -> ScenarioConfig:
        """Return the scenario with what a variant has in place of its own."""
        names = ("network", "clients", "edges", "control", "new_servers", "withdrawals")
        changed = {name: one for name in names if (one := getattr(variant, name))}
        return self.model_copy(update={**changed, "variants": []})
