"""What commands are asked about: the URL as routers read it, and the view in a file."""

from __future__ import annotations

from pathlib import Path

from headrace.errors import HeadraceError
from headrace.http.target import BadTarget, normalise_target
from headrace.topology.view import View
from headrace.topology.view_codec import LARGEST_BYTES, decode_view


class BadQuestion(HeadraceError):
    """A URL or a view cannot be read."""


def parts_of(url: str) -> tuple[bytes, bytes, bytes]:
    """Return the scheme of a URL, and its authority and path as routers read them. Raises
    BadQuestion.
    """
    scheme = url.partition("://")[0].lower().encode("ascii", "replace")
    if scheme not in (b"http", b"https") or "://" not in url:
        raise BadQuestion(f"{url!r} is not an http(s) URL: write https://host/path")
    if not url.isascii():
        raise BadQuestion(f"{url!r} is not in ASCII: escape what is not")
    try:
        authority, path, _query = normalise_target(url.encode(), None, scheme)
    except BadTarget as error:
        raise BadQuestion(f"{url!r} is wrong: {error}") from None
    return scheme, authority, path


def read_view(path: Path) -> View:
    """Return the view in a file. Raises BadQuestion."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise BadQuestion(f"cannot read {path}: {error.strerror}") from error
    try:
        return decode_view(data)
    except HeadraceError as error:
        raise BadQuestion(f"{path} is not a view: {error}") from error
