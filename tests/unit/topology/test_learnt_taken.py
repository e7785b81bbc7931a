from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.config.problems import ConfigError
from headrace.topology.build import load_description, load_topology
from headrace.topology.coverage import CoverageTable
from headrace.topology.learnt_taken import halves_of
from headrace.topology.model import Topology
from headrace.topology.prefix_set import record_of, text_of
from headrace.topology.snapshot import decode, encode, topology_of, version_of

NETWORK = """
[[network]]
name = "isp"
prefixes = ["81.0.0.0/16", "81.0.7.0/24"]

[[network]]
name = "other"
prefixes = ["81.9.0.0/16"]

[[site]]
name = "a"
network = "isp"

[[site]]
name = "b"
network = "isp"

[[server]]
name = "a1"
site = "a"
host = "a1.example"
vip_listener = "http://a1.example:8093"

[[server]]
name = "b1"
site = "b"
host = "b1.example"
vip_listener = "http://b1.example:8093"

[[coverage]]
name = "all"
networks = ["isp", "other"]
default = true
sites = [{ name = "a" }, { name = "b" }]

[[coverage]]
name = "at-a"
networks = []
sites = [{ name = "a" }]
[coverage.learnt]
site = "a"
file = "a.prefixes"
within = ["81.0.0.0/8"]
most = 4

[[coverage]]
name = "at-b"
sites = [{ name = "b" }]
[coverage.learnt]
site = "b"
file = "b.prefixes"
within = ["81.0.0.0/8"]

[[class]]
name = "everything"
"""


@pytest.fixture
def description(tmp_path: Path) -> Path:
    path = tmp_path / "network.toml"
    path.write_text(NETWORK)
    return path


def covered(topology: Topology, address: str) -> str:
    found = CoverageTable(topology).find(ip_address(address)).coverage
    return found.name if found else ""


def test_a_learnt_prefix_decides_where_it_is_the_longest(description: Path) -> None:
    (description.parent / "a.prefixes").write_text("81.0.1.0/24\n81.0.0.0/20 # heard\n")
    (description.parent / "b.prefixes").write_text("81.0.2.0/24\n81.0.1.0/24\n")
    topology = load_topology(description)
    assert covered(topology, "81.0.1.1") == "at-a"  # both have it: the first does
    assert covered(topology, "81.0.2.1") == "at-b"
    assert covered(topology, "81.0.3.1") == "at-a"
    assert covered(topology, "81.0.16.1") == "all"


def test_without_its_file_nothing_is_learnt_and_nothing_is_wrong(description: Path) -> None:
    found = load_description(description)
    assert not found.topology.coverage[1].prefixes
    assert not any("learnt" in text for text in found.warnings)


def test_a_learnt_prefix_comes_before_the_same_one_of_the_description(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text(NETWORK.replace("networks = []", 'prefixes = ["81.0.4.0/22", "81.0.8.128/25"]'))
    (tmp_path / "b.prefixes").write_text("81.0.4.0/22\n81.0.8.0/24\n81.0.5.0/24\n")
    topology = load_topology(path)
    assert covered(topology, "81.0.4.1") == "at-b"
    assert covered(topology, "81.0.6.1") == "at-b"
    assert covered(topology, "81.0.8.1") == "at-b"
    assert covered(topology, "81.0.8.200") == "at-a"  # the description is more specific


def test_what_may_not_be_taken_is_left_out_with_a_warning(description: Path) -> None:
    (description.parent / "a.prefixes").write_text("0.0.0.0/0\n81.9.1.0/24\n82.0.0.0/16\n")
    found = load_description(description)
    assert not found.topology.coverage[1].prefixes
    text = "\n".join(found.warnings)
    assert "1 not taken (default-route), the first is 0.0.0.0/0" in text
    assert "1 not taken (others-clients), the first is 81.9.1.0/24" in text
    assert "1 not taken (not-within), the first is 82.0.0.0/16" in text


def test_of_too_many_none_is_taken(description: Path) -> None:
    lines = "".join(f"81.0.{number}.0/24\n" for number in range(5))
    (description.parent / "a.prefixes").write_text(lines)
    found = load_description(description)
    assert not found.topology.coverage[1].prefixes
    assert "5 not taken (too-many)" in "\n".join(found.warnings)


def test_a_damaged_file_changes_nothing_and_is_told(description: Path) -> None:
    (description.parent / "a.prefixes").write_text("81.0.1.0/24\n81.0.\0")
    found = load_description(description)
    assert not found.topology.coverage[1].prefixes
    assert "nothing is learnt from it: line 2" in "\n".join(found.warnings)


def test_a_snapshot_has_what_was_learnt_and_its_rules(description: Path) -> None:
    bare = version_of(load_topology(description))
    (description.parent / "a.prefixes").write_text("81.0.1.0/24\n")
    topology = load_topology(description)
    data = memoryview(encode(topology))
    assert topology_of(data) == topology
    assert decode(data).topology.coverage[1].learnt == topology.coverage[1].learnt
    assert version_of(topology) != bare


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('within = ["81.0.0.0/8"]\nmost', "most", "nothing says whose clients these may be"),
        ('site = "a"\nfile', 'site = "c"\nfile', "there is no edge site of this name"),
        ('site = "a"\nfile', 'site = "b"\nfile', "does not serve them"),
        ('file = "b.prefixes"', 'file = "a.prefixes"', "this file is another table's already"),
        ("most = 4", "longest_v4 = 7", "the longest prefix taken is of 7 bits"),
        ("most = 4", "longest_v4 = 32", "must be at most 31"),
        ('within = ["81.0.0.0/8"]\nmost', 'within = ["81.0.0.1/8"]\nmost', "is not a prefix"),
    ],
)
def test_wrong_rules_are_told(description: Path, old: str, new: str, said: str) -> None:
    description.write_text(description.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=said):
        load_topology(description)


def test_a_site_without_a_listener_is_warned_of(description: Path) -> None:
    text = description.read_text().replace('vip_listener = "http://a1.example:8093"\n', "")
    description.write_text(text)
    assert any("has a vip_listener" in text for text in load_description(description).warnings)


@given(st.integers(0, 2**32 - 1), st.integers(1, 31))
def test_halves_are_the_prefix(address: int, length: int) -> None:
    whole = ip_network((address, length), strict=False)
    found = [ip_network(text_of(one)) for one in halves_of(record_of(str(whole)))]
    assert found == list(whole.subnets())
    assert IPv4Address(address) in whole
