"""An origin that serves the files of a directory, for storing: `… DIRECTORY ADDRESS PORT`."""

from __future__ import annotations

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Handler(SimpleHTTPRequestHandler):
    """Everything may be stored for an hour."""

    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        """Add the lifetime."""
        self.send_header("Cache-Control", "public, max-age=3600")
        super().end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    directory, address, port = sys.argv[1:]
    ThreadingHTTPServer((address, int(port)), partial(Handler, directory=directory)).serve_forever()
