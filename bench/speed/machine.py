"""What a comparison was made on: the processor and what it has for AES, the kernel, versions."""

from __future__ import annotations

import os
import platform
import ssl
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.speed.peers import Peer
from bench.speed.result import Machine

AES_FLAGS = ("aes", "pclmulqdq", "vaes", "vpclmulqdq", "avx2", "avx512f", "pmull")
VERSION_FLAGS = {"nginx": "-v", "varnishd": "-V", "haproxy": "-v", "traffic_server": "-V"}


def processor(cpuinfo: str) -> tuple[str, str]:
    """The processor's name, with family and model, and its flags that AES is made of. Pure."""
    found: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip())
    name = found.get("model name") or found.get("cpu part") or platform.machine()
    if "cpu family" in found and "model" in found:
        name += f" (family {found['cpu family']}, model {found['model']})"
    flags = set((found.get("flags") or found.get("features") or "").split())
    return name, " ".join(flag for flag in AES_FLAGS if flag in flags)


def stolen(before: str, after: str) -> float | None:
    """The share of processor time that other guests of the host had, by /proc/stat. Pure."""
    first, last = (_ticks(text) for text in (before, after))
    total = sum(last) - sum(first)
    if total <= 0 or len(first) < 8 or len(last) < 8:
        return None
    return max(0.0, (last[7] - first[7]) / total)


def _ticks(stat: str) -> list[int]:
    for line in stat.splitlines():
        if line.startswith("cpu "):
            # The last two are guests' time, which is in the first two already.
            return [int(each) for each in line.split()[1:9]]
    return []


def processor_ticks() -> str:
    """What /proc/stat says now, for `stolen`."""
    return Path("/proc/stat").read_text(encoding="ascii")


def versions(peers: Iterable[Peer]) -> dict[str, str]:
    """What was compared, as the programs call themselves."""
    found: dict[str, str] = {}
    for peer in peers:
        flag = VERSION_FLAGS.get(peer.program)
        if flag is None:
            continue
        done = subprocess.run([peer.program, flag], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).strip().splitlines()
        found[peer.name] = (lines[0] if lines else "?")[:200]
    return found


def describe(
    name: str, date: str, peers: Mapping[str, str], *, counted: bool, steal: float | None
) -> Machine:
    """This machine. Its host's name is not told."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model, aes = processor(text)
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        name=name,
        processor=model,
        aes=aes,
        cores=os.cpu_count() or 1,
        memory_gib=round(memory_bytes / 1024**3),
        kernel=platform.release(),
        python=platform.python_version(),
        openssl=ssl.OPENSSL_VERSION,
        date=date,
        versions=dict(peers),
        instructions_counted=counted,
        stolen=steal,
    )


def default_name() -> str:
    """A short name from the processor: what a machine is called unless it is given one."""
    model, _ = processor(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return slug(model)


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens: what a file can be called. Pure."""
    kept = "".join(each if each.isascii() and each.isalnum() else " " for each in text.lower())
    return "-".join(kept.split())[:40].rstrip("-") or "machine"
