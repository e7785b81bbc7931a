"""The `[network]` table of a node: which network it belongs to, and who it is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from headrace.config.addresses import UNIX_PATH_LIMIT
from headrace.config.base import FilePath, Model, Written
from headrace.config.units import DurationS

DEFAULT_HOPS = 4
MOST_VIEW_URLS = 32


def base_url(text: str) -> str:
    """Return where to ask over HTTP, without a slash at its end. Raises ValueError."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"{text!r} is no URL: write http://192.0.2.1:8091") from None
    whole = parts.hostname and (port is None or port > 0) and parts.path in ("", "/")
    if parts.scheme not in ("http", "https") or not whole or "@" in parts.netloc:
        raise ValueError(f"{text!r} does not say where to ask: write http://192.0.2.1:8091")
    if parts.query or parts.fragment or not text.isascii() or not text.isprintable():
        raise ValueError(f"{text!r} has more than a place: write http://192.0.2.1:8091")
    return text.removesuffix("/")


BaseUrlText = Annotated[str, AfterValidator(base_url), Written("URL")]


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
    view_from: list[BaseUrlText] = Field(
        default=[],
        max_length=MOST_VIEW_URLS,
        description="The listeners of the network's feedback processes: "
        '`["http://192.0.2.1:8091"]`. Each is asked for views, and answers as soon as there is a '
        "new one; of all that come, the newest counts. Needs `secret_file`.",
    )
    feedback_ca: FilePath | None = Field(
        default=None,
        description="A PEM file of the authorities that sign the certificates of feedback "
        "processes, where `view_from` (in a feedback process: `[[observer]]`) has https URLs. "
        "Unset: the system's.",
    )
    secret_file: FilePath | None = Field(
        default=None,
        description="A file with the secret by which the network's servers know each other: one "
        "of at least 32 characters a line, at most four. The first signs, each is accepted. It is "
        "read again when it changes. Unset: no server is asked, and none is believed, but by "
        "certificates.",
    )
    learn_coverage: bool = Field(
        default=False,
        description="Ask the servers of sites that learn coverage (`[coverage.learnt]`) what their "
        "ISP's routers announce, and keep it in the files that the description names. Needs "
        "`secret_file`.",
    )
    view_max_age_s: DurationS = Field(
        default=600.0,
        ge=1.0,
        description="A view older than this ages toward what the description says: its weights go "
        "there step by step over the same time again. Servers that failed stay left out.",
    )

    @property
    def me(self) -> str | None:
        """The server that the node is, by the description; None where it is none."""
        return None

    @property
    def fixed(self) -> dict[str, object]:
        """What a reload cannot change: the settings' names in the file, and their values."""
        return {
            "network.file": self.file,
            "network.server": self.me,
            "network.view": self.view,
            "network.view_socket": self.view_socket,
            "network.view_from": self.view_from,
            "network.feedback_ca": self.feedback_ca,
            "network.learn_coverage": self.learn_coverage,
            "network.view_max_age": self.view_max_age_s,
        }

    @model_validator(mode="after")
    def _views_are_signed(self) -> NetworkMember:
        if self.view_from and self.secret_file is None:
            raise ValueError(
                "view_from needs secret_file: views are signed with the secret of the network, so "
                "name the file that the feedback processes have"
            )
        if self.learn_coverage and self.secret_file is None:
            raise ValueError(
                "learn_coverage needs secret_file: what servers learnt is signed with the secret "
                "of the network, so name the file that they have"
            )
        return self

    @field_validator("view_socket")
    @classmethod
    def _path_that_a_socket_may_have(cls, path: Path | None) -> Path | None:
        if path is not None and len(os.fsencode(path)) > UNIX_PATH_LIMIT:
            raise ValueError(f"a Unix socket's path has at most {UNIX_PATH_LIMIT} bytes")
        return path


class TieringOptions(Model):
    """How other servers of the network are asked, before origins are."""

    first_byte_s: DurationS = Field(
        default=0.1,
        ge=0.005,
        le=10.0,
        description="A server that has said nothing for so long is slow: the next one, or the "
        "origin, is asked too, and whichever answers first is taken.",
    )
    hedges: float = Field(
        default=0.2,
        ge=0.0,
        le=1.0,
        description="The share of requests for which that may happen. Beyond it, a slow server is "
        "waited for. One that is left alone because it fails is never waited for.",
    )
    answer_s: DurationS = Field(
        default=1.0,
        ge=0.01,
        le=60.0,
        description="A server that has said nothing for so long has failed. One that has to ask "
        "others says so at once.",
    )
    connect_s: DurationS = Field(
        default=0.25, ge=0.005, le=30.0, description="How long a connection to a server may take."
    )
    between_bytes_s: DurationS = Field(
        default=2.0,
        ge=0.05,
        le=300.0,
        description="A body that stalls for so long is continued from the next server, or from "
        "the origin.",
    )
    concurrent: int = Field(
        default=256,
        ge=1,
        le=65536,
        description="Requests to one server under way at once, per worker. With more, the next "
        "one is asked.",
    )
    ca: FilePath | None = Field(
        default=None,
        description="A PEM file of the authorities that sign the certificates of servers with "
        "`peer_tls`. Unset: the system's.",
    )
    cert: FilePath | None = Field(
        default=None,
        description="The certificate to show to servers that ask for one (`client_ca`), in PEM "
        "with its intermediates. Its subjectAltName has the `host` of this server.",
    )
    key: FilePath | None = Field(default=None, description="Its private key, in PEM.")
    popular_within_s: DurationS = Field(
        default=300.0,
        ge=1.0,
        le=86400.0,
        description='Classes with `store = "popular"` count requests over such a time, and the '
        "same before. Each worker counts what it gets itself.",
    )


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
    tiering: TieringOptions = Field(
        default_factory=TieringOptions,
        description="How other servers of the network are asked, before origins are.",
    )
    peer_places: int = Field(
        default=32,
        ge=1,
        le=10_000,
        description="As how many client networks another server counts in the limits on requests "
        "to origins (`origin_requests_per_address` and `unwatched_…`): it speaks for many.",
    )

    @property
    def me(self) -> str:
        """The server that the edge is."""
        return self.server
