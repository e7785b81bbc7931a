"""Who watches what during a drill, from the plan of a lab. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from headrace.config.drill.model import DrillConfig
from headrace.lab.drill.orders import affected, clients
from headrace.lab.network.configuration import HOST
from headrace.lab.network.plan import LabPlan

FFMPEG, HLS_JS = "ffmpeg", "hls.js"
PLAYERS = (FFMPEG, HLS_JS)


@dataclass(frozen=True, slots=True)
class Viewer:
    """A client that plays what a VIP serves under a host's name."""

    player: str
    client: str
    namespace: str
    vip: str
    host: str = HOST


def viewers(plan: LabPlan, config: DrillConfig, players: Iterable[str]) -> Iterator[Viewer]:
    """Yield the viewers: ffmpeg in each ISP, at the first affected VIP of each family; a browser,
    which costs far more, in the first one, at the first VIP. Raises LabError.
    """
    vips = affected(plan, config)
    of_each_family = {ip_address(vip).version: vip for vip in reversed(vips)}
    for player in dict.fromkeys(players):
        for client in clients(plan)[: 1 if player == HLS_JS else None]:
            namespace = plan.namespace(client.name)
            chosen = (
                vips[:1] if player == HLS_JS else sorted(of_each_family.values(), key=vips.index)
            )
            for vip in chosen:
                yield Viewer(player, client.name, namespace, vip)
