"""The page about reasons, written from their list: run `python -m headrace.telemetry.reasons_page`.

A test compares the page with what this writes, so it cannot fall behind.
"""

from __future__ import annotations

from pathlib import Path

from headrace.reasons import Area, Reason

PAGE = Path("docs/reference/reasons.md")
_INTRODUCTION = """# Reasons

This page is generated from the program's list. Every word here says why something happened. The
same word stands in `Cache-Status` (`detail`), in the metrics (label `reason`), in the access log
and in `headrace log` (`reason`), and in the edge's own log. `headrace explain URL --live` says what
the words mean for one URL.

Two words hold another one: `status_503` stands for any status that counted as a failure or that
refused a request, and `not_shared_no-store` says that one part of a stored response came with
`no-store`, `private`, `set-cookie` or `authorization`, and could not be added to the others.

A setting `cache.max_object` is the key `max_object` of `[service.cache]`: see the
[configuration reference](configuration.md).
"""
_SEEN = {
    Area.STORING: "`Cache-Status`, log, `headrace_not_stored_total`.",
    Area.POSTING: "nothing yet: such a response is passed on like any other; and the words above.",
    Area.REUSE: (
        "`Cache-Status` of a service with `debug`. Where the cache was passed by, also in the log "
        "and `headrace_not_stored_total`."
    ),
    Area.WAITING: "`Cache-Status`, log; in `headrace_not_stored_total` where the response is sent.",
    Area.ORIGIN: (
        "`Cache-Status`, log, `headrace_origin_errors_total`, `_retries_total` and "
        "`_switches_total`; `origin_failed` as `ended` in the access log."
    ),
    Area.RETRY: "log, `headrace explain`; the first two also in `headrace_origin_errors_total`.",
    Area.STORE: (
        "`Cache-Status`, log, `headrace_not_stored_total`; `store_failed` also as `ended` in the "
        "access log."
    ),
    Area.CUT: "`ended` in the access log, where words of waiting, origins and the store stand too.",
    Area.REFUSED: "`headrace_connections_refused_total`.",
    Area.TIMEOUT: "`headrace_timeouts_total` (label `kind`), with `slow_client`.",
    Area.TLS: (
        "`headrace_tls_handshake_failures_total`, beside OpenSSL's own words in lower case "
        "(`unsupported_protocol`)."
    ),
    Area.PEER: "`headrace_peer_requests_refused_total`; in a network the answer is 421.",
    Area.ROUTING: "the router's decisions and their metrics, `headrace locate`.",
}


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join([_INTRODUCTION, *(_section(area) for area in Area)])


def _section(area: Area) -> str:
    rows = [
        f"| `{reason.word}` | {reason.meaning} |"
        for reason in Reason
        if reason and reason.area is area
    ]
    table = "\n".join(["| word | meaning |", "|---|---|", *rows])
    return f"## {area.value}\n\nSeen in: {_SEEN[area]}\n\n{table}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
