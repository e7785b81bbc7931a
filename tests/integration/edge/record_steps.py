"""Record the steps of an answer again: `python -m tests.integration.edge.record_steps`.

Writes `steps.json` beside this file, for the Python that it runs with.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.harness.origin import Origin
from tests.integration.edge.counting import WITHOUT_MEMORY, counting_edge, record
from tests.integration.edge.test_steps import KINDS


def main() -> None:
    """Measure each kind, write and print."""
    with Origin() as origin, tempfile.TemporaryDirectory() as directory:
        for name in ("usual", "stored"):
            Path(directory, name).mkdir()
        with counting_edge(origin, Path(directory, "usual")) as counting:
            found = {kind: counting.steps(kind) for kind in KINDS}
        with counting_edge(origin, Path(directory, "stored"), WITHOUT_MEMORY) as counting:
            found["stored hit"] = counting.steps("stored hit")
    record(sys.version_info[:2], found)
    for kind, steps in found.items():
        print(f"{kind}: {steps}")


if __name__ == "__main__":
    main()
