from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config import Config
from headrace.config.edge import EDGE
from headrace.config.effective import effective_toml
from headrace.config.loader import load_config, parse_config
from headrace.config.node import default_node_id, node_id_of
from headrace.config.problems import MOST_LISTED, ConfigError

GOOD = """
cache_dir = "cache"
[[listen]]
address = "127.0.0.1:8080"
[[service]]
name = "default"
hosts = ["*"]
origins = ["http://127.0.0.1:8000"]
"""


def load(text: str) -> Config:
    return parse_config(text, "edge.toml", EDGE, base=Path("/etc"))


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        parse_config(text, "edge.toml", EDGE, base=Path("/etc"))
    return str(raised.value)


def test_a_small_file_gets_sound_defaults() -> None:
    config = parse_config(GOOD, "edge.toml", EDGE, base=Path("/etc"))
    assert (config.workers > 0, config.store.slice_bytes, config.timeouts.head_s) == (
        True,
        8 * 1024 * 1024,
        10.0,
    )


def test_relative_paths_start_from_the_file() -> None:
    config = parse_config(GOOD, "edge.toml", EDGE, base=Path("/etc"))
    assert config.cache_dir == Path("/etc/cache")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('workers = "two"', 'edge.toml:1: error: workers = "two"'),
        ("wrokers = 2", "unknown key"),
        ("workers = 0", "must be at least 1"),
        ('[store]\nsize = "10 parsecs"\n', "not a size"),
        ('[store]\nslice = "3MiB"\n', "power of two"),
        (
            '[[service]]\nname = "b"\nhosts = ["b"]\norigins = ["http://o"]\n'
            '[service.cache]\nslice = "16MiB"\n',
            "larger than store.slice",
        ),
        ('[timeouts]\nhead = "-1s"\n', "not a duration"),
        ("[service.cache]\nnegative = { 416 = 5 }\n", "range and is never stored"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(lines: str, says: str) -> None:
    assert says in complaint(lines + "\n" + GOOD if "[" not in lines else GOOD + lines)


def test_every_complaint_comes_with_a_remedy() -> None:
    text = complaint('workers = "two"\n' + GOOD)
    place, remedy = text.splitlines()
    assert (place.startswith("edge.toml:1: error:"), remedy.startswith("    ")) == (True, True)


def test_a_missing_table_is_named_as_the_file_has_it() -> None:
    text = complaint(GOOD + '[[service.pool]]\nname = "store"\n')
    assert "add at least one [[service.pool.origin]] table" in text


def test_all_errors_are_reported_at_once() -> None:
    text = complaint('workers = "two"\nbogus = 1\n' + GOOD.replace("http://", "ftp://"))
    assert [word in text for word in ("workers", "bogus", "origins")] == [True] * 3


def test_a_near_miss_is_recognised() -> None:
    assert "workers" in complaint("wrokers = 2\n" + GOOD)


def test_broken_toml_is_named_with_line_and_column() -> None:
    assert complaint("cache_dir = \n").startswith("edge.toml:1:13: error: not valid TOML")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "absent.toml", EDGE)


def test_a_file_that_is_not_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_bytes(b"cache_dir = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "edge.toml", EDGE)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (GOOD[GOOD.index("[[service]]") :], "another service has this name"),
        ('[[listen]]\naddress = "127.0.0.1:8080"\n', "listened on already"),
        ('[admin]\nlisten = "127.0.0.1:8080"\n', "listened on already"),
        ('[store]\nsize = "1MiB"\n', "more than half"),
    ],
)
def test_what_contradicts_across_tables_is_refused(more: str, says: str) -> None:
    assert says in complaint(GOOD + more)


def test_several_origins_are_a_pool_of_their_own() -> None:
    text = GOOD.replace('"http://127.0.0.1:8000"', '"http://a:1", "http://b:2"')
    (service,) = load(text).services
    (pool,) = service.all_pools
    assert pool.name == "default"
    assert [origin.url for origin in pool.origins] == ["http://a:1", "http://b:2"]


def test_a_service_without_any_origin_is_refused() -> None:
    text = GOOD.replace('origins = ["http://127.0.0.1:8000"]', "")
    assert "there is no origin" in complaint(text)


POOL = """
[[service.pool]]
name = "new"
[[service.pool.origin]]
url = "http://a:1"
[[service.pool.origin]]
url = "http://b:1"
"""


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('[[service.route]]\nname = "r"\npool = "nwe"', "the service has no pool of this name"),
        (
            '[[service.route]]\nname = "r"\npool = "new"\nretry = "p"',
            "no retry policy of this name",
        ),
        ('[[service.route]]\nname = "r"\nmirror = "old"', "the service has no pool of this name"),
        ('[[service.route]]\nname = "r"', "a route that changes nothing"),
        ('[[service.route]]\nname = "r"\npool = "new"\nregex = "("', "not a regular expression"),
        (
            '[[service.route]]\nname = "r"\npool = "new"\npath = "/a"\nprefix = "/b"',
            "one of path, prefix and regex",
        ),
        (
            '[[service.route]]\nname = "r"\npool = "new"\nprefix = "/b"\nrewrite = "/c/\\\\2"',
            "there is no group 2",
        ),
        (
            '[[service.route]]\nname = "r"\npool = "new"\nprefix = "/b"\nrewrite = "c"',
            "begins with /",
        ),
        (POOL, "this name is used already"),
        (
            '[[service.route]]\nname = "r"\npool = "new"\nprefix = "/b"\nrewrite = "/c\\\\n"',
            "rewrite has visible ASCII",
        ),
        (
            '[[service.pool]]\nname = "x"\n[[service.pool.origin]]\nurl = "http://a"\n'
            'headers = { Connection = "close" }',
            "the edge's own business",
        ),
        (
            '[[service.pool]]\nname = "s3"\n[[service.pool.origin]]\nurl = "http://a"\n'
            '[service.pool.origin.signing]\naccess_key = "k"',
            "give the secret once",
        ),
        (
            '[service.key]\nkeep = ["v"]\n'
            '[[service.route]]\nname = "r"\npool = "new"\nquery = { x = "1" }',
            "this parameter is no part of the key",
        ),
        (
            '[[service.route]]\nname = "r"\npool = "new"\nquery = { CMCD = "*" }',
            "this parameter is no part of the key",
        ),
        (
            '[service.key]\nhost = false\n[[service.route]]\nname="r"\npool = "new"\nhosts = ["a"]',
            "the service's key has no host",
        ),
        ('[service.key]\nrequest_fields = ["Host"]', "Host is the edge's own business"),
        ('[service.key]\nunkeyed_fields = ["X_Y"]', "has characters that are not allowed"),
    ],
)
def test_faults_in_pools_and_routes_are_reported(more: str, message: str) -> None:
    assert message in complaint(GOOD + POOL + more)


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ('["GET"]', "HEAD is always served"),
        ('["GET", "HEAD", "TRACE"]', "TRACE is not served by this edge"),
        ('["GET", "HEAD", "get"]', "has characters that are not allowed"),
    ],
)
def test_faults_in_methods_are_reported(methods: str, message: str) -> None:
    assert message in complaint(GOOD + f"methods = {methods}\n")


def test_a_secret_key_is_never_shown() -> None:
    text = GOOD + (
        '[[service.pool]]\nname = "s3"\n[[service.pool.origin]]\nurl = "http://a"\n'
        '[service.pool.origin.signing]\naccess_key = "k"\nsecret_key = "hush"\n'
    )
    assert "hush" not in effective_toml(load(text), EDGE)
    assert "hush" not in complaint(text + 'secret_file = "x"\n')


def test_tls_without_certificate_is_refused() -> None:
    text = GOOD.replace('8080"', '8080"\ntls = true')
    assert "[[certificate]]" in complaint(text)


def test_a_key_beside_its_former_name_is_kept_and_the_former_named() -> None:
    told = complaint('server_name = "a"\nnode_id = "b"\n' + GOOD).splitlines()
    assert told[0].endswith("`server_name` is called `node_id` now")
    assert len(told) == 2


def test_problems_are_reported_in_the_order_of_the_file() -> None:
    text = "wrokers = 1\n" + GOOD + "[metrics]\nsites_max = 3\n[store]\nsise = 1\n"
    lines = [int(line.split(":")[1]) for line in complaint(text).splitlines() if line[0] == "e"]
    assert len(lines) == 3
    assert lines == sorted(lines)


def test_words_of_older_files_are_named_with_those_of_today() -> None:
    text = GOOD.replace("[[service]]", "[[site]]") + (
        "[[site.policy]]\nname = 'p'\ntrys = 2\n[[site.route]]\nname = 'r'\nshadow = 'old'\n"
    )
    assert [line for line in complaint(text).splitlines() if line.startswith("edge")] == [
        "edge.toml:5: error: site: `site` is called `service` now",
        "edge.toml:9: error: site[0].policy: `policy` is called `retry` now",
        "edge.toml:11: error: site[0].policy[0].trys = 2: unknown key",
        'edge.toml:14: error: site[0].route[0].shadow = "old": `shadow` is called `mirror` now',
    ]
    text = GOOD + '[[service.policy]]\nname = "p"\n[[service.route]]\nname = "r"\nshadow = "old"\n'
    told = complaint(text)
    assert "`policy` is called `retry` now" in told
    assert "`shadow` is called `mirror` now" in told
    assert complaint('server_name = "edge-1"\n' + GOOD).splitlines() == [
        'edge.toml:1: error: server_name = "edge-1": `server_name` is called `node_id` now',
        "    write `node_id`",
    ]


@pytest.mark.parametrize("node_id", ["", "edge 1", "edge,1", "édge", "x" * 65])
def test_a_node_id_that_is_no_token_is_refused(node_id: str) -> None:
    assert "edge.toml:1: error: node_id" in complaint(f'node_id = "{node_id}"\n' + GOOD)


def test_a_node_is_called_by_its_host_name_if_nothing_else_is_said() -> None:
    assert load(GOOD).node_id == default_node_id()


@pytest.mark.parametrize(
    ("host_name", "node_id"),
    [
        ("edge-1.lon", "edge-1.lon"),
        ("eine maschine", "eine-maschine"),
        ("x" * 65, "x" * 64),
        ("", "unnamed"),
    ],
)
def test_a_host_name_becomes_an_id(host_name: str, node_id: str) -> None:
    assert node_id_of(host_name) == node_id


def test_an_answer_to_a_loop_is_never_stored() -> None:
    text = GOOD + "[service.cache]\nnegative = { 508 = '10s' }\n"
    assert "508 answers a loop that a client can claim in Via" in complaint(text)


def test_of_thousands_of_problems_the_first_are_listed() -> None:
    text = "".join(f"key{number} = 1\n" for number in range(1500)) + GOOD
    lines = complaint(text).splitlines()
    assert lines[0].startswith("edge.toml:1: error: key0 = 1: unknown key")
    assert len(lines) == 2 * MOST_LISTED + 1
    assert lines[-1] == "1,300 more problems: correct these first"
