"""How a line gets its rate, delay and loss: what `tc` is told. Pure.

Where the kernel has netem it does all three. Elsewhere tbf does the rate, and a relay the rest.
"""

from __future__ import annotations

from headrace.config.lab.model import LineTable

_LEAST_BURST_BYTES = 128 * 1024  # a burst that the kernel hands over as one is up to 64 KiB
_BURST_S = 0.01
_QUEUE_S = 0.05
_NETEM_PACKETS = 10_000


def shaping(table: LineTable, *, netem: bool) -> list[str] | None:
    """Return the discipline of one end of a line, as `tc qdisc add dev X root` takes it; None: the
    line needs none.
    """
    if netem and (table.delay_s or table.loss):
        words = ["netem", "limit", str(_NETEM_PACKETS)]
        if table.delay_s:
            words += ["delay", f"{round(table.delay_s * 1e6)}us"]
        if table.loss:
            words += ["loss", f"{table.loss * 100:g}%"]
        if table.rate_bps is not None:
            words += ["rate", f"{table.rate_bps}bit"]
        return words
    if table.rate_bps is None:
        return None
    burst = max(_LEAST_BURST_BYTES, round(table.rate_bps / 8 * _BURST_S))
    queue_ms = round(_QUEUE_S * 1000)
    return [
        *("tbf", "rate", f"{table.rate_bps}bit"),
        *("burst", str(burst), "latency", f"{queue_ms}ms"),
    ]
