"""Makers of speakers over BIRD and FRR, for `run_speaker`."""

from __future__ import annotations

from pathlib import Path

from headrace.bgp.bird.daemon import BirdDaemon
from headrace.bgp.events import Listener
from headrace.bgp.frr.daemon import FrrDaemon
from headrace.bgp.polled import PolledSpeaker
from headrace.bgp.session import Session


def bird_speaker(
    sessions: tuple[Session, ...], listener: Listener, *, socket: Path, include: Path
) -> PolledSpeaker:
    """A speaker over a BIRD."""
    daemon = BirdDaemon(sessions[0].local_as, socket=socket, include=include)
    return PolledSpeaker(sessions, listener, daemon=daemon)


def frr_speaker(
    sessions: tuple[Session, ...], listener: Listener, *, sockets: Path
) -> PolledSpeaker:
    """A speaker over a bgpd."""
    daemon = FrrDaemon(sessions[0].local_as, sockets=sockets)
    return PolledSpeaker(sessions, listener, daemon=daemon)
