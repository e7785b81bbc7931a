"""The speaker that a configuration asks for."""

from __future__ import annotations

from ipaddress import IPv4Address

from headrace.bgp.bfd.monitor import PROGRAM, Bfd
from headrace.bgp.bfd.text import Pace
from headrace.bgp.bird.daemon import INCLUDE, SOCKET
from headrace.bgp.errors import BgpError
from headrace.bgp.events import Listener, SessionKey
from headrace.bgp.exabgp.speaker import ExaBgpSpeaker
from headrace.bgp.frr.daemon import SOCKETS
from headrace.bgp.polled import Daemon, PolledSpeaker
from headrace.bgp.session import Intake, Session, read_passwords, unique
from headrace.bgp.speaker import Speaker
from headrace.config.vip.model import VipConfig
from headrace.config.vip.speaking import RouterSession
from headrace.vip.speak.guard import Guard, GuardedSpeaker
from headrace.vip.speak.guard_process import GuardTask, daemon_at

BFD_DIRECTORY = "bfd"
GUARD_LOCK = "guard.lock"
INCLUDE_LOCK = ".headrace.lock"
"""Beside BIRD's file: two processes that write it would each take back what the other announces."""


def sessions_of(config: VipConfig, former: tuple[Session, ...] = ()) -> tuple[Session, ...]:
    """Return the sessions with all routers. Where no identifier is set, that of the `former` ones
    stays: another would end each of them.
    """
    own = config.speaker.router_id or next((one.router_id for one in former), None)
    own = own or _first_ipv4(config)
    return tuple(_session(config, one, own) for one in config.routers)


def check_sessions(config: VipConfig, sessions: tuple[Session, ...]) -> dict[SessionKey, str]:
    """Return the passwords that sessions need to be made. Raises BgpError."""
    try:
        unique(sessions)
    except ValueError as error:
        raise BgpError(str(error)) from None
    if config.speaker.kind != "exabgp":
        return {}
    if any(one.bfd for one in sessions) and not PROGRAM.exists():
        raise BgpError(f"bfd needs {PROGRAM}: install the package frr")
    return read_passwords(sessions)


def daemon_of(config: VipConfig) -> Daemon | None:
    """Return the daemon that announces by itself; None where ExaBGP is started."""
    task = guarded(config)
    return None if task is None else daemon_at(task)


def guarded(config: VipConfig) -> GuardTask | None:
    """Return what a guard watches; None where ExaBGP is started, which has a watch of its own."""
    speaking = config.speaker
    if speaking.kind == "exabgp":
        return None
    bird = speaking.kind == "bird"
    socket, include = speaking.bird_socket or SOCKET, speaking.bird_include or INCLUDE
    return GuardTask(
        kind="bird" if bird else "frr",
        local_as=speaking.as_number,
        place=str(socket if bird else speaking.frr_sockets or SOCKETS),
        include=str(include),
        lease_s=config.checking.watchdog_s,
        lock=str(include.with_name(INCLUDE_LOCK) if bird else config.state_dir / GUARD_LOCK),
        log_level=config.log_level,
    )


def make_speaker(config: VipConfig, listener: Listener) -> Speaker:
    """Return the speaker, which has not been started. Raises OSError."""
    sessions, task = sessions_of(config), guarded(config)
    if task is not None:
        polled = PolledSpeaker(sessions, listener, daemon=daemon_at(task))
        return GuardedSpeaker(polled, Guard(task, polled.tell_again))
    bfd = Bfd(config.state_dir / BFD_DIRECTORY, _pace(config))
    return ExaBgpSpeaker(
        sessions,
        listener,
        user=config.speaker.user,
        bfd=bfd,
        lease_s=config.checking.watchdog_s,
    )


def _session(config: VipConfig, router: RouterSession, router_id: IPv4Address) -> Session:
    speaking = config.speaker
    return Session(
        peer=router.address,
        local=router.local_address,
        peer_as=router.as_number,
        local_as=speaking.as_number,
        router_id=router_id,
        description=router.name,
        hold_time_s=int(router.hold_time_s),
        password_file=router.password_file,
        ttl_security_hops=router.ttl_security,
        graceful_restart_s=int(router.graceful_restart_s),
        passive=router.passive,
        port=router.port,
        bfd=router.bfd and speaking.kind == "exabgp",
        bfd_multihop=router.bfd_multihop,
        # What is taken into coverage is judged where that is known, with reasons.
        intake=Intake(
            most=router.most_prefixes,
            longest_v4=32,
            longest_v6=128,
            within=tuple(router.within),
            private=True,
        ),
    )


def _first_ipv4(config: VipConfig) -> IPv4Address:
    own = (one.local_address for one in config.routers)
    return next(one for one in own if isinstance(one, IPv4Address))


def _pace(config: VipConfig) -> Pace:
    speaking = config.speaker
    return Pace(round(speaking.bfd_interval_s * 1000), speaking.bfd_multiplier)
