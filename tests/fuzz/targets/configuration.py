"""The configuration: any text is a configuration, or a message that says where and what.

The input is TOML, whole or as changes to a good file.
"""

from __future__ import annotations

from pathlib import Path

from headrace.config.edge import EDGE
from headrace.config.loader import parse_config
from headrace.config.problems import ConfigError
from tests.fuzz.inputs import Bytes

WORDS = (
    b"[[service]]\n",
    b"[[listen]]\n",
    b"[store]\n",
    b"[admin]\n",
    b"[limits]\n",
    b"[timeouts]\n",
    b"[[service.pool]]\n",
    b"name = ",
    b"hosts = ",
    b"origins = ",
    b"address = ",
    b"size = ",
    b'"',
    b"'",
    b'"""',
    b"true",
    b"1e9",
    b"nan",
    b"1979-05-27",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\n",
    b"= ",
    b'"http://a:1"',
    b'"10GiB"',
    b'"5s"',
    b"[[service.rule]]\n",
    b"[service.cache]\n",
    b"[service.key]\n",
    b"[[service.route]]\n",
    b"[[service.retry]]\n",
    b"path = ",
    b"0x7fffffffffffffff",
)

ROOT = Path(__file__).resolve().parents[3]
GOOD = (ROOT / "docs" / "examples" / "edge.toml").read_text(encoding="utf-8").splitlines()
_BASE = Path("/etc/headrace")


def check(data: bytes) -> None:
    """Read it, and look at what is said of it."""
    source = Bytes(data)
    lines = list(GOOD) if source.flag() else []
    while lines and source.flag():
        at = source.number(len(lines) - 1)
        match source.number(3):
            case 0:
                del lines[at]
            case 1:
                key, equals, _value = lines[at].partition("=")
                lines[at] = key + equals + source.piece(20).decode("utf-8", "replace")
            case 2:
                lines.insert(at, lines[source.number(len(lines) - 1)])
            case _:
                lines.insert(at, source.piece(40).decode("utf-8", "replace"))
    text = "\n".join([*lines, source.rest().decode("utf-8", "replace")])
    try:
        parse_config(text, "edge.toml", EDGE, base=_BASE)
    except ConfigError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.message
            assert problem.remedy
        for said in str(error).splitlines():
            assert said.startswith(("edge.toml:", "    ")) or said, said
