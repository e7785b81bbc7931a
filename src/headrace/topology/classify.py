"""Which class a request is of, and which shard it asks for. Pure but for what is remembered.

Host and path are as `http.target.normalise_target` returns them, in routers and servers alike: then
both come to the same shard, however a client spelled its escapes.

A server that clients are redirected to sees its own name in place of the one they asked for. With
`servers`, such a name stands for the hosts of a class: the one that `server_host` makes, or the
server's own `host` for classes without.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import msgspec

from headrace.bounded import BoundedMemory, Door
from headrace.http.content import content_of
from headrace.http.hosts import host_matches, host_of
from headrace.http.target import path_for_rules
from headrace.topology.model import ContentClass, Server
from headrace.topology.shard_key import ShardKey, compile_shard_key

MEMORY_BYTES = 8 * 1024 * 1024
"""For what was asked lately; as much as an eighth of it for hosts."""


class Classified(msgspec.Struct, frozen=True):
    """The class of a request, and its shard's name. A struct, since one is made for each answer."""

    content: ContentClass
    shard: bytes


class Classes:
    """The classes of a network, in order: the first that matches is a request's."""

    __slots__ = ("_by_host", "_classes", "_door", "_known", "known")

    def __init__(self, classes: Iterable[ContentClass], servers: Iterable[Server] = ()) -> None:
        servers = tuple(servers)
        self._classes = tuple(_Compiled(content, servers) for content in classes)
        self._known = BoundedMemory[tuple[bytes, bytes], Classified](MEMORY_BYTES, _cost)
        self._door = Door()
        # The same, to be looked into directly.
        self.known = self._known.entries
        self._by_host = BoundedMemory[bytes, _OfHost](
            MEMORY_BYTES // 8,
            lambda host, found: 200 + 2 * len(host) + 8 * len(found.classes),
        )

    def of(self, host: bytes, path: bytes) -> Classified | None:
        """Return the class and the shard of a normalised authority and path; None: of no class."""
        found = self._by_host.entries.get(host) or self._of_host(host)
        whole = found.whole
        if whole is not None:  # whatever the path is: quicker than to look it up
            return Classified(whole.content, whole.shard_of(path))
        key = (host, path)
        known = self.known.get(key)
        if known is None:
            known = found.classify(path)
            if known is not None and self._door.came_before(hash(key)):
                self._known.put(key, known)
        return known

    def whole(self, host: bytes) -> Whole | None:
        """Return the class of all that is asked of a normalised authority; None: it depends."""
        return (self._by_host.entries.get(host) or self._of_host(host)).whole

    def _of_host(self, host: bytes) -> _OfHost:
        name = host_of(host)
        found = _OfHost(name, tuple(one for one in self._classes if one.is_for_host(name)))
        self._by_host.put(host, found)
        return found


class Whole(NamedTuple):
    """The class of a whole host. `shard_of` returns the shard of a normalised path."""

    content: ContentClass
    shard_of: Callable[[bytes], bytes]


class _OfHost:
    """The classes that a host has a part in. `whole`: the first is for all paths."""

    __slots__ = ("classes", "name", "whole")

    def __init__(self, name: bytes, classes: tuple[_Compiled, ...]) -> None:
        self.name = name
        self.classes = classes
        self.whole: Whole | None = None
        if classes and classes[0].is_for_all_paths:
            self.whole = Whole(classes[0].content, partial(classes[0].shard_of, name))

    def classify(self, path: bytes) -> Classified | None:
        """Return the class and the shard of a path."""
        if not self.classes:
            return None
        named = path_for_rules(path)
        for one in self.classes:
            if one.is_for_path(named):
                return Classified(one.content, one.shard_of(self.name, path))
        return None


def _cost(asked: tuple[bytes, bytes], found: Classified) -> int:
    return 200 + len(asked[0]) + len(asked[1]) + len(found.shard)


class _Compiled:
    """A class, ready to be asked."""

    __slots__ = (
        "_hosts", "_kinds", "_paths", "_server_names", "content", "is_for_all_paths", "shard_of",
    )  # fmt: skip

    def __init__(self, content: ContentClass, servers: tuple[Server, ...]) -> None:
        self.content = content
        self.shard_of: ShardKey = compile_shard_key(content.shard_key, content.shard_pattern)
        self._hosts = tuple(host.encode() for host in content.hosts)
        self._server_names = frozenset(server_name(content, server).encode() for server in servers)
        self._kinds = frozenset(content.kinds)
        # A star never has to be tried again (`fnmatch` makes atomic groups), so that no path
        # can keep a process busy.
        self._paths = tuple(re.compile(fnmatch.translate(path).encode()) for path in content.paths)
        self.is_for_all_paths = not self._paths and not self._kinds

    def is_for_host(self, host: bytes) -> bool:
        """Return whether requests for a host can be of the class."""
        return (
            not self._hosts
            or host in self._server_names
            or any(host_matches(pattern, host) for pattern in self._hosts)
        )

    def is_for_path(self, path: bytes) -> bool:
        """Return whether requests for a path (as `path_for_rules` has it) can be of the class."""
        if self._paths and not any(pattern.match(path) for pattern in self._paths):
            return False
        return not self._kinds or content_of(path).is_one_of(self._kinds)


def server_name(content: ContentClass, server: Server) -> str:
    """Return the name that clients of a class are sent to at a server."""
    return content.server_host.replace("{server}", server.name) or server.host
