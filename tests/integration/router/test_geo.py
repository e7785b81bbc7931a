"""A router with a geographic file, and `headrace locate` that asks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.topology.geo import Place
from tests.harness.geo_files import city, write_geo_file
from tests.harness.polling import eventually
from tests.harness.router import HOST, NETWORK, NORTH, OTHERS, Router

OSLO, ROME = Place("NO", "EU", 59.9, 10.7), Place("IT", "EU", 41.9, 12.5)
CLIENTS = [f"127.0.{third}.7" for third in range(3, 15)]
PLACED = NETWORK.replace('network = "isp-a"\n[[', 'network = "isp-a"\ncountry = "NO"\n[[').replace(
    'network = "isp-b"\n\n[[', 'network = "isp-b"\ncountry = "IT"\n\n[['
)


def put_geo_file(router: Router, place: Place) -> None:
    """Replace the file in one step: all clients that no coverage lists are there."""
    new = write_geo_file(router.directory / "new.mmdb", {"127.0.0.0/8": city(place)})
    new.replace(router.directory / "city.mmdb")


def all_go(router: Router, site: str) -> bool:
    return {router.site(client) for client in CLIENTS} == {site}


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with Router(tmp_path) as running:
        running.put_network(PLACED)
        put_geo_file(running, OSLO)
        running.write(
            f'geo_file = "{tmp_path / "city.mmdb"}"', '[debug]\nnetworks = ["127.0.0.1/32"]'
        )
        running.start()
        yield running


def test_clients_of_no_coverage_go_by_the_file_in_force(router: Router) -> None:
    assert all_go(router, "north")
    put_geo_file(router, ROME)
    eventually(lambda: all_go(router, "south"), "all go south", 30)
    assert router.site(NORTH) == "north"
    kept = (router.directory / "city.mmdb").read_bytes()
    (router.directory / "city.mmdb").write_bytes(kept[:100])
    assert router.event("geo_refused")["in_force"] == "as_before"
    assert all_go(router, "south")


def test_a_running_router_says_how_it_decides(router: Router) -> None:
    host, port = router.address
    asked = ["locate", "--router", f"http://{host}:{port}", "--client", OTHERS]
    result = CliRunner().invoke(app, [*asked, "--json", f"http://{HOST}/film/1.m4s"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["client"], found["reason"]) == (OTHERS, "country")
    assert found["candidates"][0]["base_url"] == router.location("/film/1.m4s").removesuffix(
        "/film/1.m4s"
    )
    places = [step["says"] for step in found["steps"] if step["step"] == "place"]
    assert places == ["it is in NO, EU, 59.9000, 10.7000"]
