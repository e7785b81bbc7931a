"""The name of a shard, made of a request's host and path: what has one name is held together. Pure.

A template has `{path}`, `{host}` and the groups of a pattern that the path matches from its start:
`{programme}/{version}` keeps the segments of a version together. A path that the pattern does not
match is a shard by itself. The query is never a part of it.

A router sees the host that a client asked for; a server sees its own name in place of it when the
client was redirected there. So the name of a shard has no host unless a template asks for it, and
then it should be one that clients reach by DNS.
"""

from __future__ import annotations

import re
from collections.abc import Callable

ShardKey = Callable[[bytes, bytes], bytes]
"""From a normalised host and path to the name of a shard."""

_NAME = re.compile(r"\{([^{}]*)\}")


def names_in(template: str) -> list[str]:
    """Return the names that a template has in braces."""
    return _NAME.findall(template)


def compile_shard_key(template: str, pattern: re.Pattern[str] | None) -> ShardKey:
    """Return what makes the names of a class's shards. Raises ValueError where the template has a
    name that is neither `path` nor `host`, nor a group of the pattern.
    """
    groups = frozenset(pattern.groupindex) if pattern is not None else frozenset[str]()
    for name in names_in(template):
        if name not in {"path", "host"} | groups:
            raise ValueError(
                f"{{{name}}} is not known: write {{path}}, {{host}} or a named group of the pattern"
            )
    if pattern is None and template == "{path}":
        return _whole_path
    return _templated(_NAME.split(template), pattern)


def _whole_path(_host: bytes, path: bytes) -> bytes:
    return path


def _templated(parts: list[str], pattern: re.Pattern[str] | None) -> ShardKey:
    """`parts` are text and names in turn."""
    quick = _of_groups(parts, pattern)
    if quick is not None:
        return quick

    def key(host: bytes, path: bytes) -> bytes:
        text = path.decode("latin-1")
        values = {"path": text, "host": host.decode("latin-1")}
        if pattern is not None:
            match = pattern.match(text)
            if match is None:
                return path
            values.update((name, value or "") for name, value in match.groupdict().items())
        return "".join(
            values[part] if number % 2 else part for number, part in enumerate(parts)
        ).encode("latin-1")

    return key


def _of_groups(parts: list[str], pattern: re.Pattern[str] | None) -> ShardKey | None:
    """Return the same for a template of nothing but groups of the pattern, made in a third of the
    time; None where it has something else.
    """
    names = parts[1::2]
    if pattern is None or not names or not pattern.groupindex.keys() >= set(names):
        return None
    match, numbers = pattern.match, [pattern.groupindex[name] for name in names]
    template = "%s".join(part.replace("%", "%%") for part in parts[::2])

    def key(_host: bytes, path: bytes) -> bytes:
        found = match(path.decode("latin-1"))
        if found is None:
            return path
        values = tuple([found[number] or "" for number in numbers])
        return (template % values).encode("latin-1")

    def key_of_all(_host: bytes, path: bytes) -> bytes:
        found = match(path.decode("latin-1"))
        return path if found is None else (template % found.groups("")).encode("latin-1")

    return key_of_all if numbers == list(range(1, pattern.groups + 1)) else key
