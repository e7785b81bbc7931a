"""Long downloads from VIPs, and what servers say of the handover."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from pathlib import Path

from tests.harness.vip_site import HOST, LARGE, VipServer, VipSite

PIECE_BYTES, PAUSE_S = 16 * 1024, 0.04


class Download:
    """A long one, by a client of its own, whose speed is that of a video until it is to end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.begun = threading.Event()
        self._hurry = threading.Event()
        self._digest = hashlib.sha256()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while piece := self.process.stdout.read(PIECE_BYTES):
            self._digest.update(piece)
            self.begun.set()
            self._hurry.wait(PAUSE_S)

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def ends_well(self, wanted: Path) -> None:
        """Wait for its end; every byte is right."""
        self._hurry.set()
        self._thread.join(60)
        assert self.process.wait(60) == 0
        assert self._digest.digest() == hashlib.sha256(wanted.read_bytes()).digest()


def download(site: VipSite, vip: str) -> Download:
    """Begin one."""
    host = f"[{vip}]" if ":" in vip else vip
    found = Download(
        site.where.popen(
            [
                *("curl", "-sS", "--cacert", str(site.authority.ca_file)),
                *("--resolve", f"{HOST}:443:{host}", f"https://{HOST}{LARGE}"),
            ],
            stdout=subprocess.PIPE,
        )
    )
    site.until(found.begun.is_set, f"a download from {vip} has begun")
    return found


def passes(server: VipServer, vip: str) -> str:
    """Whom a server passes on to what it does not know of a VIP; "" for nobody."""
    status = server.status().get("handover") or {}
    return str(status.get("to", {}).get(vip, ""))


def handover(server: VipServer, key: str) -> int:
    """What its handover counts."""
    return int(server.status()["handover"][key])
