"""Counts the records in a stream of TLS, so that those which bring nothing can be bounded.

OpenSSL takes in any number of key updates, refused renegotiations and their like in one call, and
each costs it some ten times as much as a record of data. All that is needed to bound them is in
the five plain bytes before each record (RFC 8446 section 5.1).
"""

from __future__ import annotations

HEADER_BYTES = 5
SILENT_RECORDS = 32
SILENT_PER_S = 1.0


class RecordMeter:
    """Finds where records end in a stream that comes in pieces.

    Between two records, `header` is empty and `left` is 0.
    """

    __slots__ = ("header", "left")

    def __init__(self) -> None:
        self.header = b""  # the beginning of a header that is not whole yet
        self.left = 0  # bytes of the present record that have not come

    def advance(self, data: bytes | memoryview, most: int, enough_bytes: int) -> tuple[int, int]:
        """Advance by `data`, at most to the end of the `most`th record that ends in it, or of the
        first with which it is `enough_bytes`.

        Return how many bytes that is, and how many records ended.
        """
        at = records = 0
        size = len(data)
        if not self.left and not self.header:
            # Whole records, as nearly all come.
            while size - at >= HEADER_BYTES:
                end = at + HEADER_BYTES + (data[at + 3] << 8 | data[at + 4])
                if end > size:
                    break
                at = end
                records += 1
                if records == most or at >= enough_bytes:
                    return at, records
        while at < size:
            if not self.left:
                header = self.header + data[at : at + HEADER_BYTES - len(self.header)]
                at += len(header) - len(self.header)
                if len(header) < HEADER_BYTES:
                    self.header = header
                    break
                self.header = b""
                self.left = header[3] << 8 | header[4]
            step = min(self.left, size - at)
            at += step
            self.left -= step
            if not self.left:
                records += 1
                if records == most or at >= enough_bytes:
                    break
        return at, records


def silent_now(silent: int, passed_s: float) -> int:
    """Return how many records without data still count, `passed_s` after they were last counted."""
    return max(0, silent - int(passed_s * SILENT_PER_S))
