"""What this machine lacks for a lab, and how it gets it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from headrace.config.lab.model import LabConfig
from headrace.lab.errors import LabError
from headrace.lab.namespaces.namespace import End, Namespace, link
from headrace.lab.network.build import PROBE

SYSTEM_PATH = ("/usr/sbin", "/sbin", "/usr/lib/frr")
_TOOLS = {
    "ip": "iproute2",
    "bridge": "iproute2",
    "tc": "iproute2",
    "nft": "nftables",
    "bird": "bird2",
    "birdc": "bird2",
}


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is missing, and what brings it: a Debian package, or a piece of advice."""

    what: str
    package: str = ""
    advice: str = ""


def refuse_missing(config: LabConfig) -> None:
    """Refuse to go on where something is missing. Raises LabError, which names all of it."""
    found = [*_system(), *_tools(config)]
    found = found or [*_kernel(config)]
    if not found:
        return
    lines = ["this machine cannot have a lab:"]
    lines += [f"    {one.what}" + (f": {one.advice}" if one.advice else "") for one in found]
    packages = dict.fromkeys(one.package for one in found if one.package)
    if packages:
        lines.append(f"install what is missing: sudo apt install {' '.join(packages)}")
    raise LabError("\n".join(lines))


def with_system_path() -> None:
    """Let commands of administrators be found, as root has them."""
    parts = os.environ.get("PATH", "").split(":")
    os.environ["PATH"] = ":".join([*parts, *(one for one in SYSTEM_PATH if one not in parts)])


def _system() -> Iterator[Missing]:
    if sys.platform != "linux":
        yield Missing("it has no network namespaces", advice="only Linux has them")
    elif os.geteuid() != 0:
        yield Missing("you are not root", advice="run it with sudo")


def _tools(config: LabConfig) -> Iterator[Missing]:
    wanted = dict(_TOOLS)
    if any(site.bfd for site in config.sites):
        wanted["bfdd"] = "frr"
    for tool, package in wanted.items():
        if shutil.which(tool) is None:
            yield Missing(f"{tool} is not installed", package)
    if find_spec("exabgp") is None:
        advice = f"{sys.executable} -m pip install 'headrace[vip]'"
        yield Missing("ExaBGP is not installed", advice=advice)


def _kernel(config: LabConfig) -> Iterator[Missing]:
    """Try what a lab is made of, in a namespace that is removed again."""
    probe = Namespace(f"{PROBE}{os.getpid()}")
    try:
        try:
            probe.add()
        except (LabError, OSError) as error:
            advice = f"in a container, give it CAP_SYS_ADMIN and CAP_NET_ADMIN ({_short(error)})"
            yield Missing("it makes no network namespaces", advice=advice)
            return
        yield from _devices(config, probe)
    finally:
        probe.remove()


def _devices(config: LabConfig, probe: Namespace) -> Iterator[Missing]:
    lines = [isp.exchange for isp in config.isps]
    lines += [isp.access for isp in config.isps] + [site.line for site in config.sites]
    trials: dict[str, Callable[[], object]] = {
        "veth": lambda: link(End(probe, "one"), End(probe, "other")),
        "bridge": lambda: probe.ip("link", "add", "name", "br", "type", "bridge"),
        "nf_tables": lambda: probe.nft("table inet probe { }\n"),
    }
    if any(line.rate_bps is not None for line in lines):
        words = ("rate", "1mbit", "burst", "128kb", "latency", "50ms")
        trials["sch_tbf"] = lambda: probe.tc("qdisc", "add", "dev", "lo", "root", "tbf", *words)
    for module, trial in trials.items():
        try:
            trial()
        except LabError as error:
            advice = f"load the module {module}: modprobe {module} ({_short(error)})"
            yield Missing(f"its kernel has no {module}", advice=advice)


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[-1][-200:] if str(error).strip() else repr(error)


def home_is_usable(root: Path) -> None:
    """Make the directory of all labs. Raises LabError when that cannot be."""
    try:
        root.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"{root}: {error.strerror}: name another with --state-dir") from None
