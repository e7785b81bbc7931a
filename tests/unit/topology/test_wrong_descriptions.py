"""Each mistake in a description gets its message, with its line and what to do about it."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from headrace.config.problems import ConfigError
from headrace.topology.build import load_description

GOOD = """\
[[network]]
name = "isp"
prefixes = ["192.0.2.0/24"]
[[site]]
name = "north"
network = "isp"
coordinates = [59.91, 10.75]
parents = ["mid"]
[[site]]
name = "mid"
kind = "mid"
[[site]]
name = "other"
kind = "external"
base_url = "https://cdn.example.net"
[[server]]
name = "n1"
site = "north"
host = "n1.example"
ipv4 = ["198.51.100.1"]
[[server]]
name = "m1"
site = "mid"
host = "m1.example"
ipv6 = ["2001:db8::2"]
[[coverage]]
name = "all"
networks = ["isp"]
default = true
sites = [{ name = "north" }, { name = "other", order = 2 }]
[[class]]
name = "vod"
hosts = ["vod.example"]
"""
FILES = {
    "isp.prefixes": "203.0.113.0/24\n",
    "bad.prefixes": "# ours\n\n10.0.0.0/8 # all\n10.1.2.3/8\nten\n::/129\n",
    "same.prefixes": "198.51.100.0/24\n192.0.2.0/24 # again\n",
    "empty.prefixes": "# nothing yet\n",
    "latin.prefixes": b"10.0.0.0/8\n\xff\n".decode("latin-1"),
}
SITE = 'name = "north"\n'
SERVER = 'ipv4 = ["198.51.100.1"]\n'
COVERAGE = 'networks = ["isp"]\n'
CLASS = 'hosts = ["vod.example"]\n'
OTHER = 'default = true\nsites = [{ name = "north" }, { name = "other", order = 2 }]\n'
FURTHER = '[[coverage]]\nname = "more"\nsites = [{ name = "north" }]\n'
ISP2 = '[[network]]\nname = "isp2"\nprefixes = ["::/0", "192.0.2.0/24"]\n'
MAPPED = (
    'prefixes = ["192.0.2.0/24"]\n[[network]]\nname = "isp2"\nprefixes = ["::ffff:192.0.2.0/120"]\n'
)


def _maintenance(of: str, start: str = "2026-12-01T02:00:00Z") -> str:
    return f"[[withdrawal]]\n{of}\nfrom = {start}\nuntil = 2026-12-01T04:00:00+01:00\n"


BY_NETWORK = "coverage 'all' has this prefix already, by its network 'isp'"


def told(tmp_path: Path, text: str) -> list[str]:
    """Return the problems of a description, or its warnings; each is a line and a remedy."""
    for name, lines in FILES.items():
        (tmp_path / name).write_text(lines, encoding="latin-1")
    path = tmp_path / "network.toml"
    path.write_text(text)
    try:
        said = "\n".join(load_description(path).warnings)
    except ConfigError as error:
        said = str(error)
    return said.replace(f"{tmp_path}/", "").splitlines()


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_the_good_one_is_good(tmp_path: Path) -> None:
    assert told(tmp_path, GOOD) == []


# What is written in place of what; then the line that the message names, and the message.
WRONG = [
    # Values by themselves.
    ('["192.0.2.0/24"]', '["192.0.2.1/24"]', "prefixes", "prefixes[0] = '192.0.2.1/24': has bits"),
    ('["192.0.2.0/24"]', '["x"]', "prefixes", "network[0].prefixes[0] = 'x': 'x' is not a prefix"),
    ('["192.0.2.0/24"]', '["::/129"]', "prefixes", "'::/129': /129 is longer than an address"),
    ('name = "isp"', 'name = "i sp"', "i sp", 'network[0].name = "i sp": has characters that'),
    ('name = "isp"', 'name = "isp"\nas_numbers = [0]', "as_", "as_numbers[0] = 0: must be at"),
    ("[59.91, 10.75]", "[91, 0]", "91", "site[0].coordinates: not coordinates"),
    ("[59.91, 10.75]", "[1, 2, 3]", "1, 2", "site[0].coordinates: not coordinates"),
    ("[59.91, 10.75]", "[nan, 0.0]", "nan", "site[0].coordinates: not coordinates"),
    (SITE, SITE + 'country = "Norway"\n', "country", 'country = "Norway": has characters'),
    (SITE, SITE + 'continent = "XX"\n', "continent", 'continent = "XX": not one of the allowed'),
    (SITE, SITE + 'capacity = "10Gb"\n', "capacity", 'site[0].capacity = "10Gb": not a bit rate'),
    (SITE, SITE + "capacity = 0\n", "capacity", "site[0].capacity = 0: must be more than 0"),
    (SITE, SITE + 'capacity = "5000Tbps"\n', "capacity", "must be at most 1000000000000000"),
    (SITE, SITE + "target_utilisation = 1.5\n", "target", "utilisation = 1.5: must be at most 1"),
    ('kind = "mid"', 'kind = "middle"', "middle", 'site[1].kind = "middle": not one of the'),
    ("https://cdn.example.net", "ftp://cdn", "ftp", 'base_url = "ftp://cdn": an origin begins'),
    (SERVER, 'ipv4 = ["198.51.100"]\n', "ipv4", "'198.51.100' is not an IPv4 address"),
    (SERVER, 'ipv6 = ["[::1]"]\n', "ipv6", "'[::1]' is not an IPv6 address"),
    (SERVER, 'ipv6 = ["fe80::1%eth0"]\n', "ipv6", "an address that others cannot reach as it is"),
    (SERVER, "http_port = 65536\n", "65536", "server[0].http_port = 65536: must be at most 65535"),
    (SERVER, 'state = "off"\n', "off", 'server[0].state = "off": not one of the allowed values'),
    (SERVER, 'storage = "1 TB!"\n', "TB", 'server[0].storage = "1 TB!": not a size'),
    (SERVER, 'ipv4 = ["0.0.0.0"]\n', "ipv4", "'0.0.0.0' is no address of one"),
    (SERVER, 'ipv4 = ["224.0.0.1"]\n', "ipv4", "'224.0.0.1' is no address of one server"),
    (SERVER, 'ipv6 = ["ff02::1"]\n', "ipv6", "'ff02::1' is no address of one server"),
    ('"n1.example"', '"[::]"', "host", "'::' is no address of one server"),
    ('"n1.example"', '"255.255.255.255"', "host", "'255.255.255.255' is no address of one"),
    ('"n1.example"', '"*.example"', "host", 'server[0].host = "*.example": a server has one'),
    ('"n1.example"', '"n1:80"', "host", 'server[0].host = "n1:80": a host pattern has no scheme'),
    ('"n1.example"', '"[fe80::1%e]"', "host", "a host pattern has no zone"),
    ("order = 2", "order = 0", "order = 0", "coverage[0].sites[1].order = 0: must be at least 1"),
    ("order = 2", "weight = 0", "weight", "sites[1].weight = 0: must be more than 0"),
    ("order = 2", "weight = inf", "weight", "sites[1].weight = Infinity: must be at most 1000"),
    (CLASS, 'hosts = ["a.*.b"]\n', "hosts", 'class[0].hosts[0] = "a.*.b": a star stands alone'),
    (CLASS, 'paths = ["vod"]\n', "paths", 'class[0].paths[0] = "vod": has characters'),
    (CLASS, 'kinds = ["movie"]\n', "kinds", 'class[0].kinds[0] = "movie": no kind of content'),
    (CLASS, "redirect = 301\n", "301", "class[0].redirect = 301: not one of the allowed values"),
    (CLASS, "replicas = 0\n", "replicas", "class[0].replicas = 0: must be at least 1"),
    (CLASS, 'store = "none"\n', "store", 'class[0].store = "none": not one of the allowed'),
    (CLASS, 'ttl = "2d"\n', "ttl", "class[0].ttl = 172800.0: must be at most 86400"),
    (CLASS, 'server_host = "{name}.x"\n', "server_host", "{name} is not known here"),
    (CLASS, 'server_host = "{server"\n', "server_host", 'server_host = "{server": not a template'),
    (CLASS, 'server_host = "{server}-.x"\n', "server_host", "makes 'n1-.x', which is no host name"),
    (CLASS, 'shard_key = "{a}"\n', "[[class]]", "shard_key has {a}, which is no named group"),
    (CLASS, 'shard_key = "{a"\n', "shard_key", 'class[0].shard_key = "{a": not a template'),
    (CLASS, 'shard_pattern = "/(.)/"\n', "[[class]]", "shard_pattern alone changes nothing"),
    (CLASS, 'shard_pattern = "("\n', "shard", 'shard_pattern = "(": not a regular expression'),
    (CLASS, 'shard_pattern = "(a+)+"\n', "shard", 'shard_pattern = "(a+)+": a group is repeated'),
    (CLASS, "widening = { above = 0.15 }\n", "above", "a shard that was just widened would be"),
    (CLASS, "replicas = 4\nwidening = { most = 2 }\n", "[[class]]", "narrower than its replicas"),
    # Keys that are not known, or missing.
    (SITE, SITE + 'lat = "x"\n', "lat", 'site[0].lat = "x": unknown key'),
    ('site = "mid"\n', "", "[[server]]", "server[1].site: required, but missing"),
    (f'[[class]]\nname = "vod"\n{CLASS}', "", "[[network]]", "class: required, but missing"),
    # Names.
    ('name = "mid"\n', 'name = "north"\n', "north", "'north': another site has this name already"),
    ('name = "m1"', 'name = "n1"', "n1", "server[1].name = 'n1': another server has this name"),
    ('network = "isp"', 'network = "ips"', "ips", "'ips': there is no network of this name"),
    ('site = "mid"', 'site = "mad"', "mad", "server[1].site = 'mad': there is no site of this"),
    ('site = "mid"', 'site = "other"', "other", "server[1].site = 'other': an external site has"),
    (COVERAGE, 'networks = ["x"]\n', "networks", "networks[0] = 'x': there is no network"),
    (COVERAGE, 'networks = ["isp", "isp"]\n', "networks", "'all' is for this network already"),
    ('{ name = "north" }', '{ name = "n" }', "sites", "sites[0].name = 'n': there is no site"),
    ('{ name = "north" }', '{ name = "mid" }', "sites", "'mid': a mid site serves no clients"),
    ('"other", order', '"north", order', "sites", "sites[1].name = 'north': the site is named"),
    (COVERAGE + "default = true\n", "", "[[coverage]]", "coverage[0]: 'all' is for nobody"),
    ("[[class]]", FURTHER + "default = true\n[[class]]", "default", "'all' is the default already"),
    ("[[class]]", FURTHER + COVERAGE + "[[class]]", "networks", "'all' is for this network"),
    # Sites and their parents.
    ('base_url = "https://cdn.example.net"\n', "", "[[site]]", "is external, but has no base_url"),
    ('kind = "mid"', 'kind = "mid"\nbase_url = "http://x"', "http://x", "only external sites have"),
    ("https://cdn.example.net", "https://n1.example", "base_url", "a server of this network is"),
    ('["mid"]', '["mod"]', "mod", "site[0].parents[0] = 'mod': there is no site of this name"),
    ('["mid"]', '["other"]', "parents", "a parent must be a mid site, and this is of kind"),
    ('["mid"]', '["mid", "mid"]', "parents", "parents[1] = 'mid': the parent is named twice"),
    ('kind = "mid"', 'kind = "mid"\nparents = ["mid"]', "parents", "ask themselves: mid → mid"),
    ('kind = "external"', 'kind = "external"\nparents = ["mid"]', "parents", "asks no parents"),
    ('site = "north"', 'site = "mid"', "[[site]]", "site[0]: 'north' has no server"),
    # Addresses and ports.
    ("n1.example", "m1.example", "m1.example", "'n1' has this name already, with port 80"),
    ('"m1.example"', '"m1.example"\nipv4 = ["198.51.100.1"]', "ipv4", "'n1' has this address"),
    (SERVER, "ipv6 = ['::1', '0::1']\n", "ipv6", "ipv6[1] = '::1': this server has this address"),
    (SERVER, "https_port = 80\n", "https_port", "server[0].https_port = 80: http_port is the same"),
    (SERVER, "peer_port = 443\n", "peer_port", "peer_port = 443: clients are served at this port"),
    (SERVER, "peer_tls = true\nhttps_port = 0\n", "peer_tls", "it has no port with TLS"),
    (SERVER, "http_port = 0\nhttps_port = 0\n", "[[server]]", "'n1' serves nobody: it has no port"),
    (SERVER, 'admin = "http://h:1/x"\n', "admin", "an admin API has no path"),
    (SERVER, 'admin = "http://u:p@h:1"\n', "admin", "carries no user name or password"),
    (SERVER, 'admin = "/run/admin.sock"\n', "admin", "an origin begins with http://"),
    (SERVER, 'admin = "http://m1.example"\n', "admin", "'m1' answers clients there"),
    # Maintenance.
    (CLASS, CLASS + _maintenance('server = "x"'), "server = ", "there is no server of this name"),
    (CLASS, CLASS + _maintenance('site = "x"'), 'site = "x"', "there is no site of this name"),
    (CLASS, CLASS + _maintenance('site = "other"'), 'site = "o', "has no servers to withdraw"),
    (CLASS, CLASS + _maintenance(""), "[[withdrawal]]", "it is of one server or of one site"),
    (CLASS, CLASS + _maintenance("", "2026-12-01T02:00:00"), "from", "a time without its offset"),
    (CLASS, CLASS + _maintenance("", '"at two"'), "from", "not a moment"),
    (CLASS, CLASS + _maintenance('server = "n1"', "2027-12-01T02:00:00Z"), "until", "it ends bef"),
    # Files of prefixes.
    ("prefixes = [", 'prefix_file = "no"\n#', "prefix_file", "cannot be read: No such file"),
    ("prefixes = [", 'prefix_file = "."\n#', "prefix_file", "cannot be read: Is a directory"),
    ("prefixes = [", 'prefix_file = "/dev/null"\n#', "prefix_file", "is not a file"),
    ("prefixes = [", 'prefix_file = "a\\u0000"\n#', "prefix_file", "cannot be read: embedded null"),
    # Prefixes that two claim.
    ("[[site]]\n" + SITE, ISP2 + "[[site]]\n" + SITE, "::/0", "'isp' has this prefix already"),
    ('prefixes = ["192.0.2.0/24"]', MAPPED, "/120", "network 'isp' has this prefix already"),
    ("[[class]]", FURTHER + 'prefixes = ["192.0.2.0/24"]\n[[class]]', "prefixes = [", BY_NETWORK),
    # Clients that would get nothing.
    (OTHER, 'default = true\nsites = [{ name = "north" }]\n', "sites", "would get nothing"),
    (CLASS, CLASS + "external = false\n", "sites", "class 'vod' has no server for the clients of"),
]  # fmt: skip
WITHDRAWN = ('site = "north"', 'site = "north"\nstate = "withdrawn"')


@pytest.mark.parametrize(("old", "new", "at", "message"), WRONG)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, at: str, message: str
) -> None:
    text = edited(old, new)
    if message.startswith(("would get", "class 'vod'")):
        text = text.replace(*WITHDRAWN)
    said = told(tmp_path, text)
    (found,) = [line for line in said if message in line and not line.startswith("  ")]
    file, number, severity, _ = found.split(":", 3)
    assert (file, severity) == ("network.toml", " error")
    assert at in text.splitlines()[int(number) - 1]
    assert all(remedy.startswith("    ") for remedy in said[1::2])


WARNINGS = [
    ('parents = ["mid"]\n', "", "'mid' is a mid site that no site asks"),
    ('prefixes = ["192.0.2.0/24"]\n', "", "no client is of 'isp': it has no prefixes"),
    ("prefixes = [", 'prefix_file = "empty.prefixes"\n#', "has no prefix"),
    ('[[class]]\nname = "vod"', '[[class]]\nname = "a"\n[[class]]\nname = "vod"', "'a' before it"),
    ("default = true\n", "", "", ),
    (SERVER, "", "'n1' has no address: DNS can send no client there"),
    ('ipv6 = ["2001:db8::2"]\n', "", "'m1' has no address: other servers cannot ask there"),
    ('["192.0.2.0/24"]', '["2001:db8:1::/48"]', "'all' has clients with IPv6 addresses, and no"),
    ('default = true\nsites = [{ name = "north" }, ', "default = true\nsites = [", "'north': no"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), WARNINGS)
def test_what_is_odd_but_can_be_used_is_a_warning(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    said = told(tmp_path, edited(old, new))
    assert len(said) == (2 if message else 0)
    assert all(": warning: " in line and message in line for line in said[::2])


def test_maintenance_that_leaves_clients_without_a_server_is_a_warning(tmp_path: Path) -> None:
    alone = edited(OTHER, 'default = true\nsites = [{ name = "north" }]\n')
    second = (
        '[[server]]\nname = "n2"\nsite = "north"\nhost = "n2.example"\nipv4 = ["198.51.100.9"]\n'
    )

    def warned(text: str) -> bool:
        return any("no server is left for the clients of" in line for line in told(tmp_path, text))

    one, both = _maintenance('server = "n1"'), _maintenance('site = "north"')
    assert warned(alone + one)
    assert not warned(alone + second + one)
    assert warned(alone + second + both)
    assert warned(alone + second + one + _maintenance('server = "n2"'))
    later = _maintenance('server = "n2"', "2026-12-01T04:00:00+01:00").replace(
        "until = 2026-12-01T04", "until = 2026-12-01T05"
    )
    assert not warned(alone + second + one + later)
    assert not warned(GOOD + both)


def test_without_a_default_a_site_should_say_where_it_is(tmp_path: Path) -> None:
    text = edited("default = true\n", "").replace("coordinates = [59.91, 10.75]\n", "")
    (warning, _) = told(tmp_path, text)
    assert "warning: site[0]: 'north' has no coordinates, and no coverage is the def" in warning


def test_a_file_of_prefixes_has_lines_of_its_own(tmp_path: Path) -> None:
    text = edited('["192.0.2.0/24"]', '["192.0.2.0/24"]\nprefix_file = "bad.prefixes"')
    assert told(tmp_path, text) == [
        "bad.prefixes:4: error: network[0].prefix_file = '10.1.2.3/8': has bits beyond its length",
        "    write 10.0.0.0/8, or a longer one",
        "bad.prefixes:5: error: network[0].prefix_file = 'ten': 'ten' is not a prefix",
        "    write 192.0.2.0/24 or 2001:db8::/32",
        "bad.prefixes:6: error: network[0].prefix_file = '::/129': /129 is longer than an address",
        "    write a length from 0 to 128",
    ]
    said = told(tmp_path, text.replace("bad.prefixes", "latin.prefixes"))
    assert said[0] == "latin.prefixes:2: error: network[0].prefix_file = '\\\\xff': is no prefix"


def test_a_prefix_in_two_files_is_named_by_the_line_of_the_later(tmp_path: Path) -> None:
    other = '[[network]]\nname = "isp2"\nprefix_file = "same.prefixes"\n'
    said = told(tmp_path, edited("[[site]]\n" + SITE, other + "[[site]]\n" + SITE))
    assert said[0].startswith(
        "same.prefixes:2: error: network[1].prefix_file = '192.0.2.0/24': net"
    )


def test_files_with_thousands_of_faults_are_named_by_the_first(tmp_path: Path) -> None:
    (tmp_path / "wrong.prefixes").write_text("x\n" * 5000)
    said = told(tmp_path, edited("prefixes = [", 'prefix_file = "wrong.prefixes"\n#'))
    assert len(said) == 2 * 21
    assert "the rest was not read" in said[-2]


def test_thousands_of_prefixes_that_two_claim_are_counted(tmp_path: Path) -> None:
    for name in ("a", "b"):
        lines = (f"10.{n >> 8}.{n & 255}.0/24\n" for n in range(5000))
        (tmp_path / f"{name}.prefixes").write_text("".join(lines))
    text = edited("prefixes = [", 'prefix_file = "a.prefixes"\n#')
    other = '[[network]]\nname = "isp2"\nprefix_file = "b.prefixes"\n[[site]]\n' + SITE
    said = told(tmp_path, text.replace("[[site]]\n" + SITE, other))
    assert said[0].startswith("b.prefixes:1: error: ")
    assert len(said) == 2 * 21
    assert said[-2].endswith("4980 more prefixes are there twice")


def test_everything_wrong_is_reported_at_once(tmp_path: Path) -> None:
    text = (
        edited(CLASS, 'hosts = ["*.*"]\n')
        .replace(SITE, SITE + 'capacity = "x"\n')
        .replace('network = "isp"', 'network = "ips"')
        .replace('["mid"]', '["mod"]')
        .replace("prefixes = [", 'prefix_file = "bad.prefixes"\n#')
        .replace('site = "mid"', 'site = "other"')
    )
    said = "\n".join(told(tmp_path, text))
    for part in (
        "class[0].hosts[0]",
        "site[0].capacity",
        "site[0].network",
        "site[0].parents[0]",
        "bad.prefixes:4",
        "server[1].site",
        "site[1]: 'mid' has no server",
    ):
        assert part in said


def test_what_rests_on_a_faulty_value_is_not_judged(tmp_path: Path) -> None:
    (kind, _) = told(tmp_path, edited('kind = "mid"', 'kind = "mdi"'))
    assert "not one of the allowed values" in kind
    (state, _) = told(tmp_path, edited(SERVER, 'state = "withdrwan"\n'))
    assert "not one of the allowed values" in state
    said = told(tmp_path, edited('name = "mid"\n', 'name = "m i d"\n'))
    assert [line for line in said[::2] if "m i d" not in line] == []


SIBLING = '[[server]]\nname = "n2"\nsite = "north"\nhost = "n2.example"\n'


def test_servers_that_others_would_ask_should_have_addresses(tmp_path: Path) -> None:
    (warning, remedy) = told(tmp_path, edited("[[coverage]]", f"{SIBLING}[[coverage]]"))
    assert warning.endswith(
        "warning: server[2]: 'n2' has no address: other servers cannot ask there, and DNS can send "
        "no client there"
    )
    assert "ipv4 or ipv6" in remedy
    alone = edited("[[coverage]]", f"{SIBLING}[[coverage]]") + "tiering = false\n"
    assert "'n2' has no address: DNS can send" in told(tmp_path, alone)[0]
    assert told(tmp_path, alone.replace('"n2.example"', '"198.51.100.7"')) == []
    withdrawn = edited("[[coverage]]", f'{SIBLING}state = "withdrawn"\n[[coverage]]')
    assert told(tmp_path, withdrawn) == []


def test_many_servers_without_addresses_are_one_warning(tmp_path: Path) -> None:
    many = "".join(SIBLING.replace("n2", f"n{number}") for number in range(2, 31))
    (warning, _) = told(tmp_path, edited("[[coverage]]", f"{many}[[coverage]]"))
    assert "'n2', 'n3', " in warning
    assert "'n11' and 19 others have no address" in warning


def test_clients_of_a_file_may_have_a_family_that_no_server_has(tmp_path: Path) -> None:
    (tmp_path / "six.prefixes").write_text("2001:db8:1::/48\n")
    text = edited('prefixes = ["192.0.2.0/24"]', 'prefix_file = "six.prefixes"')
    (warning, _) = told(tmp_path, text)
    assert "coverage[0]: 'all' has clients with IPv6 addresses" in warning
    assert told(tmp_path, text.replace(SERVER, f'{SERVER}ipv6 = ["2001:db8::1"]\n')) == []
    assert told(tmp_path, text.replace('"n1.example"', '"[2001:db8::1]"')) == []


def test_a_site_has_no_more_servers_than_can_be_placed(tmp_path: Path) -> None:
    server = '[[server]]\nname = "x{0}"\nsite = "north"\nhost = "x{0}.example"\nipv4 = ["{1}"]\n'
    many = [server.format(number, IPv4Address(0x0A000000 + number)) for number in range(1000)]
    assert told(tmp_path, edited("[[coverage]]", f"{''.join(many[:999])}[[coverage]]")) == []
    (error, _) = told(tmp_path, edited("[[coverage]]", f"{''.join(many)}[[coverage]]"))
    assert error.endswith("site = 'north': a site has at most 1000 servers")


@pytest.mark.parametrize(("capacity", "is_wrong"), [("1Mbps", True), ("10Mbps", False)])
def test_servers_of_a_site_are_not_out_of_all_proportion(
    tmp_path: Path, capacity: str, is_wrong: bool
) -> None:
    small = SIBLING + f'ipv4 = ["198.51.100.9"]\ncapacity = "{capacity}"\n'
    text = edited("[[coverage]]", f"{small}[[coverage]]")
    said = told(tmp_path, text)
    assert len(said) == (2 if is_wrong else 0)
    if is_wrong:
        assert text.splitlines()[int(said[0].split(":")[1]) - 1] == 'capacity = "1Mbps"'
        assert "'n1' of the same site has more than 1000 times the capacity" in said[0]
