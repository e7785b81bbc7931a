"""A process that purges one key. Arguments: the store's directory, the key, how often (1).

Prints the generation of each purge.
"""

from __future__ import annotations

import sys
from pathlib import Path

from headrace.store import PurgeRule
from tests.integration.store.samples import open_store


def main() -> None:
    store = open_store(Path(sys.argv[1]))
    for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 1):
        print(store.purge(PurgeRule("url", sys.argv[2].encode()), durable=False), flush=True)
    store.close()


if __name__ == "__main__":
    main()
