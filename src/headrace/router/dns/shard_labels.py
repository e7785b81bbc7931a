"""What a host name says of the shard, where DNS alone routes. Pure.

DNS knows no path. A class whose shards are named by the host (`shard_key = "{host}"`) has one for
each name: `s0421.vod.example` is one, and whoever writes URLs says which programme has which. The
caching servers make the same name of the same host.
"""

from __future__ import annotations

from headrace.topology.model import ContentClass
from headrace.topology.shard_key import names_in


def host_shard(content: ContentClass, host: str) -> bytes:
    """Return the shard that a host names; b"" where the path would have to be known."""
    if content.shard_pattern is not None or set(names_in(content.shard_key)) != {"host"}:
        return b""
    return content.shard_key.replace("{host}", host).encode("ascii")
