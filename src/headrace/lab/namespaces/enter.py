"""Ways into a network namespace: for a thread, and for a process that becomes another program."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from headrace.lab.errors import LabError

NETNS = Path("/run/netns")
_CLONE_NEWNET, _CLONE_NEWNS = 0x40000000, 0x00020000
_MS_BIND, _MS_REC, _MS_SLAVE = 0x1000, 0x4000, 0x80000
Result = TypeVar("Result")


def enter(name: str) -> None:
    """Take the calling thread into a namespace, for good. Raises LabError."""
    try:
        file = os.open(NETNS / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise LabError(f"the namespace {name}: {error.strerror}") from None
    try:
        _call("setns", file, _CLONE_NEWNET)
    finally:
        os.close(file)


def inside(name: str, what: Callable[[], Result]) -> Result:
    """Call `what` in a namespace, and return what it does: in a thread of its own, for namespaces
    are of threads. Raises LabError, or what it raises.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def there() -> None:
        try:
            enter(name)
            results.append(what())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=there)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def settle(name: str, resolver: Path | None = None) -> None:
    """Take this process into a namespace, with what belongs to it in the file system: the devices
    below /sys, and `resolver` in place of /etc/resolv.conf. Raises LabError.

    The mounts are seen by this process and its children only, and end with them.
    """
    enter(name)
    _call("unshare", _CLONE_NEWNS)
    _mount("none", "/", None, _MS_SLAVE | _MS_REC)
    with contextlib.suppress(LabError):  # where that is forbidden, /sys shows the machine's devices
        _mount(name, "/sys", "sysfs", 0)
    if resolver is not None:
        target = os.path.realpath("/etc/resolv.conf")
        if Path(target).exists():
            _mount(str(resolver), target, None, _MS_BIND)


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    _call(
        "mount",
        source.encode(),
        target.encode(),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        None,
    )


def _call(function: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) != 0:
        raise LabError(f"{function}: {os.strerror(ctypes.get_errno())}")
