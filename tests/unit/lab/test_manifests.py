"""The manifests of players that the router guides."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from headrace.lab.assets import MEDIA
from headrace.lab.manifests import redirected, redirected_media, steered, steered_dash

ROUTER = "http://127.0.0.1:8053"
BASE = f"{ROUTER}/media/"
PATHWAYS = {"router": BASE, "n1": "http://127.0.1.1:8081/media/"}
MASTER = (MEDIA / "master.m3u8").read_text()


def uris(playlist: str) -> list[str]:
    found = re.findall(r'(?<!SERVER-)URI="([^"]+)"', playlist)
    return found + [line for line in playlist.splitlines() if line and line[0] != "#"]


def test_steering_names_the_router_and_every_variant_its_pathway() -> None:
    text = steered(MASTER, BASE, ROUTER, PATHWAYS)
    tag = next(line for line in text.splitlines() if "CONTENT-STEERING" in line)
    asked = "url=http%3A%2F%2F127.0.0.1%3A8053%2Fmedia%2F&pathways=router,n1"
    assert f'SERVER-URI="{ROUTER}/v1/steering?{asked}"' in tag
    assert 'PATHWAY-ID="router"' in tag
    variants = re.findall(r'#EXT-X-STREAM-INF.*AUDIO="(.*?)",PATHWAY-ID="(.*)"', text)
    assert variants == [("group_A1-router", "router")] * 3 + [("group_A1-n1", "n1")] * 3


def test_steering_comes_before_the_first_variant() -> None:
    lines = steered(MASTER, BASE, ROUTER, PATHWAYS).splitlines()
    assert lines[0] == "#EXTM3U"
    assert lines[1].startswith("#EXT-X-VERSION")
    assert lines[2].startswith("#EXT-X-CONTENT-STEERING")


def test_each_pathway_has_absolute_urls_of_its_own() -> None:
    found = uris(steered(MASTER, BASE, ROUTER, PATHWAYS))
    for base in PATHWAYS.values():
        assert {f"{base}media_{number}.m3u8" for number in range(4)} <= set(found)
    assert all(uri.startswith(tuple(PATHWAYS.values())) for uri in found)


def test_a_dash_manifest_names_the_pathways_and_who_steers() -> None:
    plain = (MEDIA / "manifest.mpd").read_text()
    root = ElementTree.fromstring(steered_dash(plain, BASE, ROUTER, PATHWAYS))
    space = "{urn:mpeg:dash:schema:mpd:2011}"
    urls = {each.get("serviceLocation"): each.text for each in root.findall(f"{space}BaseURL")}
    assert urls == PATHWAYS
    steering = root.find(f"{space}ContentSteering")
    assert steering is not None
    assert steering.text is not None
    assert steering.text.startswith(f"{ROUTER}/v1/steering?url=")
    assert steering.get("defaultServiceLocation") == "router"


@pytest.mark.parametrize(
    "text",
    [
        redirected(MASTER, BASE),
        redirected_media((MEDIA / "media_0.m3u8").read_text(), BASE),
    ],
    ids=["redirected", "media"],
)
def test_every_url_is_the_routers(text: str) -> None:
    assert len(uris(text)) >= 4
    assert all(uri.startswith(BASE) for uri in uris(text))


def test_the_redirected_master_leads_to_redirected_playlists() -> None:
    assert set(uris(redirected(MASTER, BASE))) == {f"{BASE}redirect_{n}.m3u8" for n in range(4)}


def test_a_redirected_playlist_has_every_segment() -> None:
    before = (MEDIA / "media_1.m3u8").read_text()
    after = redirected_media(before, BASE)
    assert after.replace(BASE, "") == "".join(f"{line}\n" for line in before.split("\n") if line)
