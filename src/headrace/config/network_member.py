"""The `[network]` table of a node: which network it belongs to, and who it is there."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, field_validator

from headrace.config.addresses import UNIX_PATH_LIMIT
from headrace.config.base import FilePath, Model
from headrace.config.units import DurationS

DEFAULT_HOPS = 4


class NetworkMember(Model):
    """The network that this node belongs to."""

    file: FilePath = Field(
        description="The description of the network. It is watched: a new one is in force a few "
        "seconds after it was put there, and a wrong one is refused. Replace it whole (`mv`)."
    )
    view: FilePath | None = Field(
        default=None,
        description="A file with the state of the network, watched as well. Unset: capacities and "
        "administrative states of the description decide.",
    )
    view_socket: FilePath | None = Field(
        default=None,
        description="A Unix socket that the node makes, and on which it takes views from whoever "
        "observes the network. With `view` as well, the newest counts.",
    )
    view_max_age_s: DurationS = Field(
        default=600.0,
        ge=1.0,
        description="A view older than this ages toward what the description says: its weights go "
        "there step by step over the same time again. Servers that failed stay left out.",
    )

    @field_validator("view_socket")
    @classmethod
    def _path_that_a_socket_may_have(cls, path: Path | None) -> Path | None:
        if path is not None and len(os.fsencode(path)) > UNIX_PATH_LIMIT:
            raise ValueError(f"a Unix socket's path has at most {UNIX_PATH_LIMIT} bytes")
        return path


class EdgeMember(NetworkMember):
    """The network that this edge belongs to, and which server of it the edge is."""

    server: str = Field(
        min_length=1,
        max_length=128,
        description="The name of the server, in the network's description, that this edge is.",
    )

    cdn_name: str | None = Field(
        default=None,
        pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$",
        description="The network's name in the `CDN-Loop` of requests to origins and other "
        "servers, the same for all servers. Unset: each server's `node_id`.",
    )
    hops: int = Field(
        default=DEFAULT_HOPS,
        ge=1,
        le=16,
        description="How many servers of the network a request may come through. One more is "
        "answered with 508.",
    )
    secret_file: FilePath | None = Field(
        default=None,
        description="A file with the secret by which the network's servers know each other: one "
        "of at least 32 characters a line, at most four. The first signs, each is accepted. It is "
        "read again when it changes. Unset: no server is asked, and none is believed.",
    )
    peer_places: int = Field(
        default=32,
        ge=1,
        le=10_000,
        description="As how many client networks another server counts in the limits on requests "
        "to origins (`origin_requests_per_address` and `unwatched_…`): it speaks for many.",
    )
