"""Be a client: `python -m headrace.lab.drill.client`. Orders come as a line of JSON on the standard
input, once it has said that it waits for them; its end, or the time in them, ends the client, which
then writes its record as JSON.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec
import uvloop

from headrace.lab.drill.client.asking import Client
from headrace.lab.drill.records import WAITS, Orders, Record
from headrace.lab.hurry import hurry


async def _run(orders: Orders) -> Record:
    client = Client(orders)
    loop = asyncio.get_running_loop()

    def said() -> None:
        if not os.read(sys.stdin.fileno(), 65_536):
            loop.remove_reader(sys.stdin)
            client.stop()

    loop.add_reader(sys.stdin, said)
    return await client.run()


def main() -> None:
    """Read the orders, follow them, and write what was seen."""
    hurry()
    sys.stdout.buffer.write(WAITS)
    sys.stdout.buffer.flush()
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        record = runner.run(_run(orders))
    sys.stdout.buffer.write(msgspec.json.encode(record))


if __name__ == "__main__":
    main()
