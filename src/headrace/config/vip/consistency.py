"""Problems of the configuration of VIPs that span several tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from headrace.config.addresses import TcpAddress
from headrace.config.for_servers import for_servers_alone
from headrace.config.problems import Problem, Severity
from headrace.config.vip.model import VipConfig

_RESERVED_AS = 23456


def inconsistencies(config: VipConfig) -> list[Problem]:
    """Return what does not fit together."""
    return [
        *for_servers_alone(config, "what announces addresses answers no requests of clients"),
        *_secret(config),
        *_sessions(config),
        *_numbers(config),
        *_router_id(config),
        *_own_daemon(config),
        *_listeners(config),
        *_times(config),
    ]


def _secret(config: VipConfig) -> Iterator[Problem]:
    if config.network.secret_file is None:
        yield Problem(
            ("network", "secret_file"),
            "the servers of a site ask each other what they announce, by the network's secret",
            "name the file that the other servers have: one secret of at least 32 characters",
            "unset",
        )


def _sessions(config: VipConfig) -> Iterator[Problem]:
    seen = set()
    for index, router in enumerate(config.routers):
        if router.address.version != router.local_address.version:
            yield Problem(
                ("router", index, "local_address"),
                f"it is not of the family of the router, {router.address}",
                "name an address of this server in that family: a session carries one",
                repr(str(router.local_address)),
                concerns=(("router", index, "address"),),
            )
        if router.address == router.local_address:
            yield Problem(
                ("router", index, "local_address"),
                "it is the router's address",
                "name an address of this server",
                repr(str(router.local_address)),
            )
        if router.address in seen:
            yield Problem(
                ("router", index, "address"),
                "another [[router]] has this address",
                "remove one: a router has one session for each family",
                repr(str(router.address)),
            )
        seen.add(router.address)


def _numbers(config: VipConfig) -> Iterator[Problem]:
    places = [(("speaker", "as"), config.speaker.as_number)]
    for index, router in enumerate(config.routers):
        yield from _whole_seconds(index, "hold_time", router.hold_time_s)
        yield from _whole_seconds(index, "graceful_restart", router.graceful_restart_s)
        if router.as_number == _RESERVED_AS:
            yield _reserved(("router", index, "as"))
    if places[0][1] == _RESERVED_AS:
        yield _reserved(("speaker", "as"))


def _reserved(path: tuple[str | int, ...]) -> Problem:
    return Problem(
        path,
        "this AS number is reserved (RFC 6793)",
        "write the real one: 32 bits are understood",
        str(_RESERVED_AS),
    )


def _whole_seconds(index: int, key: str, value_s: float) -> Iterator[Problem]:
    if value_s != int(value_s):
        yield Problem(
            ("router", index, key),
            "BGP counts whole seconds",
            "write whole seconds; faster than 3 s is what bfd is for",
            f"{value_s:g}",
        )


def _router_id(config: VipConfig) -> Iterator[Problem]:
    if config.speaker.router_id is None and all(
        one.local_address.version == 6 for one in config.routers
    ):
        yield Problem(
            ("speaker", "router_id"),
            "no session is of IPv4, so there is no address to take it from",
            'write one that no other speaker has: router_id = "192.0.2.1"',
            "unset",
        )


def _own_daemon(config: VipConfig) -> Iterator[Problem]:
    """Yield what a BIRD or an FRR that is there already does by its own configuration."""
    if config.speaker.kind == "exabgp":
        return
    for index, router in enumerate(config.routers):
        settings: tuple[tuple[str, bool | Path | int | float | None], ...] = (
            ("password_file", router.password_file),
            ("ttl_security", router.ttl_security),
            ("graceful_restart", router.graceful_restart_s),
            ("bfd", router.bfd),
            ("passive", router.passive),
        )
        for key, value in settings:
            if value:
                yield Problem(
                    ("router", index, key),
                    f"{config.speaker.kind} has its sessions in its own configuration",
                    "set it there, and remove the line",
                    str(value),
                    severity=Severity.WARNING,
                )


def _listeners(config: VipConfig) -> Iterator[Problem]:
    for index, listener in enumerate(config.listeners):
        if listener.tls:
            yield Problem(
                ("listen", index, "tls"),
                "the other servers ask without TLS: what is said here is signed, and no secret",
                "remove the line",
                "true",
            )
    ports = {one.port for each in config.listeners if isinstance(one := each.parsed, TcpAddress)}
    if config.neighbours.port not in ports:
        yield Problem(
            ("neighbours", "port"),
            "this server does not listen there itself: the others are asked at a port of their own",
            "let all servers of a site listen on the same port, and name it here",
            str(config.neighbours.port),
            severity=Severity.WARNING,
            concerns=(("listen",),),
        )


def _times(config: VipConfig) -> Iterator[Problem]:
    if config.neighbours.timeout_s > config.neighbours.interval_s:
        yield Problem(
            ("neighbours", "timeout"),
            f"it is longer than interval, {config.neighbours.interval_s:g} s",
            "make it shorter, or the interval longer",
            f"{config.neighbours.timeout_s:g}",
        )
    checking = config.checking
    if checking.watchdog_s < 2 * checking.interval_s:
        yield Problem(
            ("checking", "watchdog"),
            f"it is less than twice the interval, {checking.interval_s:g} s: it would bite a "
            "process that only waits for its next turn",
            "make it longer",
            f"{checking.watchdog_s:g}",
            concerns=(("checking", "interval"),),
        )
