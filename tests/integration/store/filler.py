"""A process that begins one slice, writes half of it, and waits to be killed.

Arguments: the store's directory, the part's name. Prints `part` or `busy`, then reads a line:
`finish` makes it write the rest and finish.
"""

from __future__ import annotations

import sys
from pathlib import Path

from headrace.store import Part
from tests.integration.store.samples import a_response, open_store

BODY = b"first half|second half"


def main() -> None:
    store = open_store(Path(sys.argv[1]))
    part = store.begin_part(sys.argv[2].encode(), 0)
    if not isinstance(part, Part):
        print("busy", flush=True)
        return
    stored = a_response(b"service\nhost/followed", BODY, store.generation())
    part.set_head(stored)
    part.write(BODY[:11], 0)
    part.publish(11)
    print("part", flush=True)
    if sys.stdin.readline() == "finish\n":
        part.write(BODY[11:], 11)
        part.publish(len(BODY))
        assert part.finish(stored, len(BODY))


if __name__ == "__main__":
    main()
