"""Traffic between sites, for real: a site whose edge sends more than it should gives clients to the
next site, and takes them back.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.edge import TOKEN, Edge, free_port, running_edge
from tests.harness.feedback import HOST, PATH, SECRET, Feedback
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.probed import BODY
from tests.harness.replies import Reply
from tests.harness.router import Router
from tests.harness.toml import to_toml

PATIENCE_S = 60.0
PIECE = "/film/1.m4s"
PIECE_BYTES = 50_000
ADDRESSES = {"n1": "127.0.1.1", "s1": "127.0.1.2"}
CAPACITY = {"n1": "4Mbps", "s1": "1Gbps"}
CLIENTS = [f"127.0.{number}.{host}" for number in range(2, 12) for host in (7, 9)]


class Crowd:
    """Clients of one edge that take so many bits a second together."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.rate_bps = 0.0
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.05 if not self.rate_bps else PIECE_BYTES * 8 / self.rate_bps):
            if self.rate_bps:
                client = http.client.HTTPConnection(*self._address, timeout=20)
                with contextlib.suppress(OSError, http.client.HTTPException):
                    client.request("GET", PIECE, headers={"Host": HOST})
                    client.getresponse().read()
                client.close()


@dataclass
class Balanced:
    """Two sites of one edge each, where clients are told to go, and who decides that."""

    edges: dict[str, Edge]
    router: Router
    feedback: Feedback
    crowd: Crowd

    def share_of(self, server: str) -> float:
        """Return the share of clients that are sent to a server."""
        found = [self.router.location(PIECE, client) for client in CLIENTS]
        return sum(one.startswith(f"http://{server}.") for one in found) / len(found)

    def used(self, site: str) -> float:
        """Return to which share of its capacity a site is used, as the loop sees it."""
        rows = {row["site"]: row["used"] for row in self.feedback.status()["sites"]}
        return float(rows[site] or 0.0)


def _description(ports: dict[str, int], admin: dict[str, int]) -> dict[str, object]:
    return {
        "site": [{"name": "north", "target_utilisation": 0.4}, {"name": "south"}],
        "server": [
            {
                "name": name, "site": "north" if name == "n1" else "south", "ipv4": [address],
                "host": f"{name}.example", "http_port": ports[name], "https_port": 0,
                "capacity": CAPACITY[name],
                **({"admin": f"http://127.0.0.1:{admin[name]}"} if admin else {}),
            }
            for name, address in ADDRESSES.items()
        ],
        "coverage": [
            {
                "name": "all", "default": True,
                "sites": [{"name": "north"}, {"name": "south", "order": 2}],
            }
        ],
        "class": [{"name": "vod", "hosts": [HOST], "ttl": "2s", "shard_key": "{path}"}],
    }  # fmt: skip


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[Balanced]:
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(Origin())
        headers = (("Cache-Control", "max-age=3600"),)
        origin.serve(PATH, Reply(headers=headers, body=BODY))
        origin.serve(PIECE, Reply(headers=headers, body=b"x" * PIECE_BYTES))
        ports = {name: free_port() for name in ADDRESSES}
        description = tmp_path / "network.toml"
        description.write_text(to_toml(_description(ports, {})))
        secret, token = tmp_path / "secret", tmp_path / "token"
        secret.write_text(SECRET + "\n")
        token.write_text(TOKEN + "\n")
        feedback = stack.enter_context(Feedback(tmp_path / "feedback", "a", free_port()))
        member = {"file": description, "secret_file": secret}
        edges = {
            name: stack.enter_context(
                running_edge(
                    origin.url,
                    tmp_path / name,
                    {
                        "node_id": name,
                        "workers": 1,
                        "listen": [{"address": f"{ADDRESSES[name]}:{ports[name]}"}],
                        "network": {**member, "server": name},
                    },
                    check=False,
                )
            )
            for name in ADDRESSES
        }
        admin = {name: edge.admin_port for name, edge in edges.items()}
        new = tmp_path / "network.new"
        new.write_text(to_toml(_description(ports, admin)))
        new.rename(description)
        (tmp_path / "router").mkdir()
        router = stack.enter_context(Router(tmp_path / "router"))
        router.file.write_text(
            to_toml(
                {
                    "workers": 1,
                    "state_dir": router.cache_dir,
                    "redirect_max_age": 0,
                    "network": {**member, "view_from": [f"http://127.0.0.1:{feedback.port}"]},
                    "admin": {"listen": "127.0.0.1:0"},
                    "listen": [{"address": "127.0.0.1:0"}],
                }
            )
        )
        router.launch()
        feedback.write(
            description, tables=f'[reports]\ntoken_file = "{token}"\n[balance]\ninterval = "2s"\n'
        )
        feedback.start()
        router.event("ready")
        crowd = Crowd((ADDRESSES["n1"], ports["n1"]))
        yield Balanced(edges, router, feedback, crowd)
        crowd.close()


@pytest.mark.timeout(400)
def test_a_site_that_sends_too_much_gives_clients_to_the_next(balanced: Balanced) -> None:
    def until(holds: object, what: str) -> None:
        eventually(holds, what, PATIENCE_S, every_s=0.3)  # type: ignore[arg-type]

    until(lambda: balanced.share_of("n1") == 1.0, "all clients are sent to the near site")
    balanced.crowd.rate_bps = 3.2e6
    until(lambda: balanced.used("north") > 0.5, "the near site is used beyond its target")
    until(lambda: balanced.share_of("s1") > 0.2, "some clients are sent to the next site")
    because = "\n".join(balanced.feedback.ask("GET", "/feedback/why?name=north").json()["lines"])
    assert "coverage all" in because
    assert "to south" in because

    balanced.feedback.ask("POST", "/feedback/mode", {"mode": "states"})
    until(lambda: balanced.share_of("n1") == 1.0, "without the balance all are where they belong")
    balanced.feedback.ask("POST", "/feedback/mode", {"mode": "dry_run"})
    time.sleep(5)
    assert balanced.share_of("n1") == 1.0
    told = balanced.feedback.ask("GET", "/feedback/dry-run").json()
    assert not told["applied"]
    assert any("to south" in line for line in told["lines"])

    balanced.feedback.ask("POST", "/feedback/mode", {"mode": "configured"})
    until(lambda: balanced.share_of("s1") > 0.0, "the balance is in force again")
    balanced.crowd.rate_bps = 0.0
    until(lambda: balanced.share_of("n1") == 1.0, "all clients are back at the near site")
