"""Opens the access log that a role's configuration describes."""

from __future__ import annotations

from pathlib import Path

from headrace.config.access_log import AccessLog as AccessLogOptions
from headrace.telemetry.access_log import AccessLog


def open_access_log(options: AccessLogOptions) -> AccessLog:
    """Open the access log. Raises HeadraceError."""
    return AccessLog(
        access_log_path(options), options.sample, options.client_address, cmcd=options.cmcd
    )


def access_log_path(options: AccessLogOptions) -> Path | str | None:
    """Return where the access log goes: a file, "-", or None for nowhere."""
    path = options.path
    return path if path is None or path == "-" else Path(path)
