"""The geographic file as a node follows it: an own copy is mapped, and replaced when it changes.

Whoever renews the file may write over it in place; a process that has it mapped would die of that.
So the file is copied once for all processes of the node, under a name made of its content, and the
copy is what they map. It also stands in when the node starts and the file is broken.
"""

from __future__ import annotations

import os
from pathlib import Path

import xxhash

from headrace.node.network.files import NoFileError, Signature, opened, signature_of
from headrace.topology.geo import BadGeoFile, GeoTable

LARGEST_BYTES = 2 * 1024**3
_PIECE_BYTES = 1024 * 1024
_PREFIX, _SUFFIX = "geo-", ".mmdb"


class GeoFile:
    """A geographic file that others replace, and the folder of the node's copies of it."""

    def __init__(self, path: Path, kept_in: Path) -> None:
        self._path = path
        self._kept_in = kept_in
        self._seen: Signature | None = None

    def changed(self) -> bool:
        """Return whether another file is there than the one that was read; a lost one is none."""
        found = signature_of(self._path)
        return found is not None and found != self._seen

    def read(self) -> GeoTable:
        """Return what it says now. It takes as long as copying the file. Raises BadGeoFile."""
        self._seen = signature_of(self._path)
        new = self._kept_in / f"{_PREFIX}{os.getpid()}.new"
        try:
            digest = self._copy(new)
            table = GeoTable(new)
            kept = self._kept_in / f"{_PREFIX}{digest}{_SUFFIX}"
            new.replace(kept)
        except OSError as error:
            raise BadGeoFile(f"cannot copy {self._path}: {error.strerror or error}") from error
        except BadGeoFile as error:
            text = str(error).replace(str(new), str(self._path))
            raise BadGeoFile(text) from error
        finally:
            new.unlink(missing_ok=True)
        self._forget_others(kept)
        return table

    def last_good(self) -> GeoTable | None:
        """Return what the newest copy says, if there is a good one."""
        for kept in sorted(self._copies(), key=_changed_at, reverse=True):
            try:
                return GeoTable(kept)
            except BadGeoFile:
                continue
        return None

    def _copy(self, new: Path) -> str:
        """Copy the file, and return a hash of its content. Raises BadGeoFile or OSError."""
        digest = xxhash.xxh3_128()
        try:
            source = opened(self._path)
        except NoFileError as error:
            raise BadGeoFile(f"{self._path} is no file") from error
        with source:
            if os.fstat(source.fileno()).st_size > LARGEST_BYTES:
                raise BadGeoFile(f"{self._path} has more than {LARGEST_BYTES} bytes")
            made = os.open(
                new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
            with os.fdopen(made, "wb") as copy:
                while piece := source.read(_PIECE_BYTES):
                    digest.update(piece)
                    copy.write(piece)
        return digest.hexdigest()

    def _forget_others(self, kept: Path) -> None:
        """Remove older copies: who has one mapped keeps it."""
        for other in self._copies():
            if other != kept:
                other.unlink(missing_ok=True)

    def _copies(self) -> list[Path]:
        return list(self._kept_in.glob(f"{_PREFIX}*{_SUFFIX}"))


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
