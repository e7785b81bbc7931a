"""Become a program in a namespace: `python -m headrace.lab.namespaces.inside NAMESPACE PARENT
COMMAND…`. The program ends with the process PARENT, however that ends.
"""

from __future__ import annotations

import os
import sys

from headrace.lab.errors import LabError
from headrace.lab.lifeline import end_with_parent
from headrace.lab.namespaces.enter import settle


def main() -> None:
    """Go there, and become it."""
    namespace, parent, *command = sys.argv[1:]
    end_with_parent(int(parent))
    try:
        settle(namespace)
    except LabError as error:
        sys.exit(f"headrace lab: {error}")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
