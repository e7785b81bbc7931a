"""Which class and which shard a request is of: the same in a router and in a server."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.target import normalise_target
from headrace.topology.classify import MEMORY_BYTES, Classes, Classified
from headrace.topology.model import ContentClass
from headrace.topology.shard_key import compile_shard_key
from tests.harness.networks import a_server

PROGRAMMES = ContentClass(
    "programmes",
    ("vod.example", "*.vod.example"),
    ("/vod/*",),
    ("segment", "manifest"),
    re.compile(r"/vod/(?P<programme>[^/]+)/(?P<version>[^/]+)/"),
    "{programme}/{version}",
)
IMAGES = ContentClass("images", ("img.example",), kinds=("image/*",))
REST = ContentClass("rest", ("vod.example",))
CLASSES = (PROGRAMMES, IMAGES, REST)


def classified(host: str, path: str) -> tuple[str, bytes] | None:
    found = Classes(CLASSES).of(host.encode(), path.encode())
    return None if found is None else (found.content.name, found.shard)


def test_the_first_class_that_matches_host_path_and_kind_wins() -> None:
    assert classified("vod.example", "/vod/film/v1/1.m4s") == ("programmes", b"film/v1")
    assert classified("a.vod.example:8080", "/vod/film/v1/1.m4s") == ("programmes", b"film/v1")
    assert classified("vod.example", "/vod/film/v1/info.json") == (
        "rest",
        b"/vod/film/v1/info.json",
    )
    assert classified("img.example", "/a.png") == ("images", b"/a.png")
    assert classified("img.example", "/a.txt") is None
    assert classified("other.example", "/vod/film/v1/1.m4s") is None


def test_a_path_that_the_pattern_does_not_match_is_a_shard_by_itself() -> None:
    assert classified("vod.example", "/vod/1.m4s") == ("programmes", b"/vod/1.m4s")


def test_what_an_origin_may_take_for_the_end_of_a_path_does_not_make_it_an_image() -> None:
    assert classified("img.example", "/account;x.png") is None
    assert classified("img.example", "/account%2fx.png") is None


@given(st.lists(st.sampled_from("abc-~._")), st.randoms(use_true_random=False))
def test_spellings_that_have_one_cache_key_have_one_shard(
    letters: list[str], random: Random
) -> None:
    plain = "/vod/film" + "".join(letters) + "/v1/1.m4s"
    spelled = "".join(
        f"%{ord(letter):02X}" if letter != "/" and random.random() < 0.5 else letter
        for letter in plain
    )
    classes = Classes(CLASSES)
    found = [
        classes.of(*normalise_target(target.encode(), b"VOD.example:80", b"http")[:2])
        for target in (plain, spelled, spelled + "?session=1")
    ]
    assert found[0] == found[1] == found[2]


def test_a_server_finds_the_class_under_the_name_that_clients_are_sent_to() -> None:
    server = a_server("n1", "north", 1)
    named = ContentClass("named", ("named.example",), server_host="{server}.named.example")
    plain = ContentClass("plain", ("plain.example",))
    classes = Classes((named, plain), (server,))
    assert classes.of(b"n1.named.example", b"/a") == Classified(named, b"/a")
    assert classes.of(b"n1.cdn.example:443", b"/a") == Classified(plain, b"/a")
    assert classes.of(b"n2.named.example", b"/a") is None
    assert Classes((named, plain)).of(b"n1.cdn.example", b"/a") is None


@pytest.mark.parametrize("length", [10, 7000])
def test_what_is_remembered_of_clients_is_bounded_in_bytes(length: int) -> None:
    classes = Classes((ContentClass("all", paths=("/*",)),))
    for number in range(3 * MEMORY_BYTES // 7000):
        for _time in range(2):
            classes.of(b"h%d.example" % number, b"/%d/" % number + b"a" * length)
    held = sum(len(host) + len(path) for host, path in classes.known)
    assert 0 < held <= MEMORY_BYTES


def test_a_template_of_groups_alone_makes_the_same_names() -> None:
    pattern = re.compile("/(?P<a>[^/]+)/(?P<b>x[^/]*)?")
    quick = compile_shard_key("{b}%s{a}", pattern)
    for path, name in (
        (b"/p/x1/s", b"x1%sp"),
        (b"/p/s", b"%sp"),
        (b"/%E9%/", b"%s%E9%"),
        (b"/", b"/"),
    ):
        assert quick(b"h", path) == name
        general = compile_shard_key("{host}{b}%s{a}", pattern)(b"", path)
        assert general == name
