"""The models of what every role's machine does: listen, hold certificates, set limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    model_validator,
)

from headrace.config.addresses import Address, parse_address
from headrace.config.base import FilePath, Model, Written
from headrace.config.units import DurationS, SizeBytes

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def _address_text(text: str) -> str:
    return str(parse_address(text))


def _file_mode(value: object) -> object:
    if isinstance(value, str):
        try:
            return int(value, 8)
        except ValueError:
            raise ValueError('not a file mode: write octal digits such as "0660"') from None
    return value


AddressText = Annotated[str, AfterValidator(_address_text)]
FileMode = Annotated[
    int,
    BeforeValidator(_file_mode),
    Field(ge=0, le=0o777),
    PlainSerializer(lambda mode: f"{mode:04o}", return_type=str, when_used="json"),
    Written("file mode"),
]


class Listener(Model):
    """One address that every worker accepts clients on."""

    address: AddressText = Field(
        description="Where to listen: `127.0.0.1:8080`, `[::]:80`, `*:80` (all IPv4 and IPv6 "
        "addresses) or `unix:/run/headrace.sock`."
    )
    tls: bool = Field(
        default=False,
        description="Speak TLS on this address. Needs at least one `[[certificate]]`.",
    )
    backlog: int = Field(
        default=4096,
        ge=1,
        le=2**31 - 1,
        description="Connections that may wait to be accepted, per worker. The kernel caps it at "
        "`net.core.somaxconn`.",
    )
    unix_mode: FileMode = Field(
        default=0o660,
        description='File mode of a Unix socket, in octal: `"0660"` lets owner and group connect.',
    )
    v6_only: bool = Field(
        default=False,
        description="On an IPv6 address, refuse IPv4 clients. With the default, `[::]:80` takes "
        "both.",
    )

    freebind: bool = Field(
        default=False,
        description="Listen on an address that this machine does not have yet, such as a VIP that "
        "is bound later. An address of all (`[::]:443`) needs no such thing.",
    )

    peers: bool = Field(
        default=False,
        description="Answer only other servers of the network here: everybody else gets 421. Of "
        "an edge only; needs `[network]` with a `secret_file`, or a `client_ca`.",
    )

    client_ca: FilePath | None = Field(
        default=None,
        description="A PEM file of authorities: whoever connects here has to show a certificate "
        "that one of them signed, for the `host` of the server that it is. Needs `tls` and "
        "`peers`; then no shared secret is needed here. Always TLS 1.3.",
    )

    @property
    def parsed(self) -> Address:
        """The address in parts."""
        return parse_address(self.address)


class Certificate(Model):
    """A certificate chain and its key. Its names come from its subjectAltName."""

    cert: FilePath = Field(description="PEM file: the certificate, then its intermediates.")
    key: FilePath = Field(description="PEM file: the unencrypted private key.")


class TlsOptions(Model):
    """How TLS listeners speak."""

    min_version: Literal["1.2", "1.3"] = Field(
        default="1.2", description="The oldest TLS version accepted."
    )
    ciphers: str | None = Field(
        default=None,
        description="OpenSSL cipher list for TLS 1.2; unset means AES-GCM and ChaCha20 with ECDHE. "
        "TLS 1.3 suites are always OpenSSL's. Of those on offer, the client chooses.",
    )
    kernel_tls: bool = Field(
        default=False,
        description="Let the kernel encrypt where OpenSSL and the kernel offer it (the `tls` "
        "module); elsewhere it changes nothing. Only where clients are trusted: what they make "
        "OpenSSL do without sending data is not bounded then.",
    )
    refuse_uncovered_hosts: bool = Field(
        default=True,
        description="Answer 421 to a request for a host that the connection's certificate does "
        "not cover.",
    )
    session_tickets: bool = Field(
        default=True,
        description="Let clients resume sessions with tickets, which saves a handshake's work.",
    )
    ticket_secret_file: FilePath | None = Field(
        default=None,
        description="A file with the secrets of which keys for tickets are made: with the same "
        "file and the same certificate a client resumes on every server of a site. It is read "
        "again when it changes; `headrace tickets new` writes it. Unset: this node has random keys "
        "of its own.",
    )


class Admin(Model):
    """The admin API: metrics, purge, reload, state."""

    listen: AddressText = Field(
        description="Where the admin API listens, apart from every client listener. Keep it on "
        "loopback or a Unix socket unless a firewall guards it."
    )
    token: str | None = Field(
        default=None,
        min_length=16,
        repr=False,
        description="The bearer token that callers must show. Prefer `token_file`.",
    )
    token_file: FilePath | None = Field(
        default=None,
        description="A file that holds the token. With neither this nor `token`, a token is made "
        "and kept in `admin.token` in the cache directory, readable by its owner only.",
    )
    report_token_file: FilePath | None = Field(
        default=None,
        description="A file with another token, for whom `GET /report` is all that it may ask: the "
        "feedback processes. Unset: none.",
    )
    interface: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,14}$",
        description="The network interface through which clients are served: its speed and what it "
        "sends are in `GET /report`. Unset: that of the default route.",
    )

    @property
    def parsed(self) -> Address:
        """The address in parts."""
        return parse_address(self.listen)

    @model_validator(mode="after")
    def _one_token_source(self) -> Admin:
        if self.token is not None and self.token_file is not None:
            raise ValueError("token and token_file exclude each other: keep token_file")
        return self


class ClientLimits(Model):
    """What one client, or all of them, may ask of a worker of any role."""

    connections: int = Field(
        default=20_000, ge=1, description="Client connections per worker; more wait unaccepted."
    )
    connections_per_address: int = Field(
        default=1000,
        ge=1,
        description="Client connections from one address per worker (IPv6: from one /64).",
    )
    handshakes_per_address: int = Field(
        default=200,
        ge=1,
        description="TLS handshakes under way from one address per worker (IPv6: from one /64).",
    )
    head_bytes: SizeBytes = Field(
        default=32 * KIB, ge=1024, description="Bytes of a whole request head; more gets 431."
    )
    line_bytes: SizeBytes = Field(
        default=8 * KIB, ge=256, description="Bytes of the request line; more gets 414."
    )
    header_count: int = Field(
        default=100, ge=1, description="Header fields in a request; more gets 431."
    )
    ranges: int = Field(
        default=16, ge=1, description="Ranges in one request; with more, the field is ignored."
    )
    request_body_bytes: SizeBytes | None = Field(
        default=None, description="Bytes of a request body; more gets 413. Unset: no limit."
    )
    requests_per_connection: int | None = Field(
        default=None,
        ge=1,
        description="Requests served on a connection before it is closed. Unset: no limit.",
    )


class ClientTimeouts(Model):
    """How long each step of a client may take, at a worker of any role."""

    head_s: DurationS = Field(
        default=10.0, gt=0, description="From a request's first byte to the end of its head."
    )
    idle_s: DurationS = Field(
        default=60.0, gt=0, description="A client connection without a request."
    )
    tls_handshake_s: DurationS = Field(default=10.0, gt=0, description="A whole TLS handshake.")
    send_min_rate_bytes_per_s: SizeBytes = Field(
        default=1000,
        description="A client that takes (or sends, in a request body) fewer bytes a second over "
        "the rate window is dropped. 0 never drops.",
    )
    rate_window_s: DurationS = Field(
        default=20.0, gt=0, description="The window over which `send_min_rate` is measured."
    )
