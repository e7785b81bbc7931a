"""`headrace explain`: what it prints of a request, and its exit code for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.explain import BadQuestion
from headrace.cli.main import app
from headrace.topology.view import ServerState, ServerView, View
from headrace.topology.view_codec import encode_view

CONFIG = """
cache_dir = "cache"
[[listen]]
address = "127.0.0.1:8080"
[[service]]
name = "vod"
hosts = ["vod.test"]
origins = ["http://127.0.0.1:8000"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "edge.toml"
    file.write_text(CONFIG)
    return file


def explained(config: Path, *arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["explain", "--config", str(config), *arguments])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output


def test_a_request_that_would_be_served_is_explained(config: Path) -> None:
    code, output = explained(config, "http://vod.test/a.mp4")
    assert (code, output.splitlines()[0]) == (0, "service        vod")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["http://other.test/"], "refused        421: "),
        (["http://vod.test/", "-H", "bad name: x"], "refused        400: "),
    ],
)
def test_a_request_that_would_be_refused_says_why_and_fails(
    config: Path, arguments: list[str], told: str
) -> None:
    code, output = explained(config, *arguments)
    assert (code, output.startswith(told), output.count("\n")) == (1, True, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["vod.test/a"],
        ["http://[::1/a"],
        [f"http://{'ü' * 64}.test/"],
        ["http://vod.test/", "-H", "no colon"],
        ["http://vod.test/", "-H", "x: ☃"],
    ],
)
def test_what_cannot_be_read_is_a_mistake_of_usage(config: Path, arguments: list[str]) -> None:
    with pytest.raises(BadQuestion):
        explained(config, *arguments)


def test_json_has_the_same_by_name(config: Path) -> None:
    _code, text = explained(config, "http://vod.test/a.mp4")
    code, output = explained(config, "http://vod.test/a.mp4", "--json")
    found = json.loads(output)
    assert (code, found["service"], found["content type"]) == (0, ["vod"], ["segment (video/mp4)"])
    assert sum(map(len, found.values())) == len(text.splitlines())
    code, output = explained(config, "http://other.test/", "--json")
    assert (code, list(json.loads(output))) == (1, ["refused"])


# An edge that is the server n1 of a network.

NETWORK = """
[[site]]
name = "north"
parents = ["mid"]
[[site]]
name = "mid"
kind = "mid"
[[server]]
name = "n1"
site = "north"
host = "n1.test"
ipv4 = ["192.0.2.1"]
[[server]]
name = "n2"
site = "north"
host = "n2.test"
ipv4 = ["192.0.2.2"]
[[server]]
name = "m1"
site = "mid"
host = "m1.test"
ipv6 = ["2001:db8::1"]
peer_tls = true
[[coverage]]
name = "all"
default = true
sites = [{ name = "north" }]
[[class]]
name = "vod"
hosts = ["vod.test"]
paths = ["/vod/*"]
"""
OURS, THEIRS = "http://vod.test/vod/0", "http://vod.test/vod/2"
FROM_M1 = "m1 of site mid (https://[2001:db8::1]:443)"
FROM_N2 = "n2 of site north (http://192.0.2.2:80)"
ALLOWED = "what the cache policy allows"


def member(
    tmp_path: Path, more: str = "", *, secret: bool = True, view: View | None = None
) -> Path:
    """Return the configuration of an edge that is the server n1; `more` is said of the class."""
    network = tmp_path / "network.toml"
    network.write_text(NETWORK + more)
    lines = [CONFIG, "[network]", f'file = "{network}"', 'server = "n1"']
    if secret:
        lines.append(f'secret_file = "{tmp_path}/secret"')
    if view is not None:
        (tmp_path / "view.json").write_bytes(encode_view(view))
        lines.append(f'view = "{tmp_path}/view.json"')
    file = tmp_path / "member.toml"
    file.write_text("\n".join(lines))
    return file


def of_network(config: Path, *arguments: str) -> dict[str, str]:
    """Return what is said of the network, by name."""
    code, output = explained(config, *arguments, "--json")
    assert code == 0
    names = ("network", "class", "shard", "held by", "asks", "asks 1", "asks 2", "stores")
    return {name: " ".join(said) for name, said in json.loads(output).items() if name in names}


def test_an_owner_asks_above_its_site_and_stores(tmp_path: Path) -> None:
    assert of_network(member(tmp_path), OURS) == {
        "network": "server n1 of site north",
        "class": "vod",
        "shard": "/vod/0",
        "held by": "n1: this server owns it",
        "asks 1": FROM_M1,
        "stores": f"{ALLOWED}: this server owns it",
    }


@pytest.mark.parametrize(
    ("more", "stores"),
    [
        ("", 'nothing while another server of the site answers (store = "own")'),
        ('store = "always"', f'{ALLOWED} (store = "always")'),
        (
            'store = "popular"\npopular_after = 7',
            'from request 7 within 300 s on (store = "popular")',
        ),
    ],
)
def test_who_does_not_own_it_asks_the_owner_first_and_stores_by_the_class(
    tmp_path: Path, more: str, stores: str
) -> None:
    found = of_network(member(tmp_path, more), THEIRS)
    assert found["held by"] == "n2: this server stands in for it"
    assert (found["asks 1"], found["asks 2"], found["stores"]) == (FROM_N2, FROM_M1, stores)


def test_the_view_says_who_owns_it_now(tmp_path: Path) -> None:
    view = View(1, 1.0, {"n2": ServerView(ServerState.FAILED)})
    found = of_network(member(tmp_path, view=view), THEIRS)
    assert (found["held by"], found["asks 1"]) == ("n1: this server owns it", FROM_M1)


@pytest.mark.parametrize(
    ("more", "arguments", "asks"),
    [
        ("tiering = false", [THEIRS], "no server (tiering = false)"),
        ("", [THEIRS, "-X", "POST"], "no server: the request goes past the cache"),
    ],
)
def test_why_no_server_is_asked(tmp_path: Path, more: str, arguments: list[str], asks: str) -> None:
    assert of_network(member(tmp_path, more), *arguments)["asks"] == asks


def test_without_a_secret_no_server_is_asked(tmp_path: Path) -> None:
    found = of_network(member(tmp_path, secret=False), THEIRS)
    assert found["asks"] == "no server: [network] has no secret_file, nor a certificate to show"


def test_what_is_of_no_class_is_none_of_the_network_s(tmp_path: Path) -> None:
    found = of_network(member(tmp_path), "http://vod.test/other")
    assert found == {
        "network": "server n1 of site north", "class": "none: the network has no part in it",
    }  # fmt: skip


def test_a_server_that_the_description_lacks_is_a_mistake(tmp_path: Path) -> None:
    config = member(tmp_path)
    config.write_text(config.read_text().replace('server = "n1"', 'server = "n9"'))
    with pytest.raises(BadQuestion, match="no server 'n9'"):
        explained(config, OURS)


def test_a_wrong_description_does_not_hide_the_rest(tmp_path: Path) -> None:
    code, output = explained(member(tmp_path, "nonsense"), OURS)
    assert code == 0
    assert "what is about the network is left out, for its files are wrong" in output
    assert f"{tmp_path}/network.toml:" in output
    assert "service        vod" in output
