"""Tell systemd how the service fares (sd_notify), when it asked to be told."""

from __future__ import annotations

import os
import socket
import time

import structlog

log = structlog.get_logger("headrace.supervisor")


def notify(state: str) -> None:
    """Send one state, such as `READY=1`, `RELOADING=1` or `STOPPING=1`; no-op outside systemd."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    if state == "RELOADING=1":
        state += f"\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto(state.encode(), socket.MSG_DONTWAIT, address)
        except OSError as error:
            log.warning("systemd_not_notified", state=state, problem=str(error))
