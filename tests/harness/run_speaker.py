"""A speaker as a process of its own, to be run inside a network namespace.

`argv[1]` is a pickled maker of the speaker and its arguments; commands come and events go as lines
of pickles in base64.
"""

from __future__ import annotations

import asyncio
import base64
import pickle
import sys
from pathlib import Path
from typing import Any

import structlog
import uvloop


def say(value: object) -> None:
    """Write one value as a line."""
    sys.stdout.write(base64.b64encode(pickle.dumps(value)).decode() + "\n")
    sys.stdout.flush()


async def run() -> None:
    """Make the speaker, and carry out commands until it is closed."""
    maker, arguments, options = pickle.loads(Path(sys.argv[1]).read_bytes())
    speaker = maker(*arguments, say, **options)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        name, values = pickle.loads(base64.b64decode(line))
        if name == "start":
            await speaker.start()
        elif name == "close":
            await speaker.close(graceful=values)
            say("closed")
            return
        elif name == "ask":
            result: Any = getattr(speaker, values)
            say(("answer", result() if callable(result) else result))
        else:
            getattr(speaker, name)(*values)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(run())
