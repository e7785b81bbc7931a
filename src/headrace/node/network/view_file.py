"""The file that holds a view: read whole, bounded, when it is another than before; and written."""

from __future__ import annotations

import os
from pathlib import Path

from headrace.node.network.files import NoFileError, Signature, opened, signature_of
from headrace.topology.view import View
from headrace.topology.view_codec import LARGEST_BYTES, Refusal, ViewError, encode_view


class ViewFile:
    """A file that others replace."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: Signature | None = None

    def read_if_changed(self) -> bytes | None:
        """Return what it says if it is another than the one that was read; a lost one is none.

        Raises ViewError.
        """
        found = signature_of(self._path)
        if found is None or found == self._seen:
            return None
        self._seen = found
        try:
            with opened(self._path) as file:
                data = file.read(LARGEST_BYTES + 1)
        except NoFileError as error:
            raise ViewError(Refusal.UNREADABLE, f"{self._path} is no file") from error
        except OSError as error:
            text = f"{self._path} cannot be read: {error.strerror}"
            raise ViewError(Refusal.UNREADABLE, text) from error
        return data


def write_view(path: Path, view: View) -> None:
    """Replace the view in a file, in one step. Raises ViewError or OSError."""
    data = encode_view(view) + b"\n"
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
