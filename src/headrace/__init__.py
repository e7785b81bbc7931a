"""Headrace: a content delivery network that one team can run itself.

What is set here makes each of its processes start in about two thirds of the time, and end sooner.
"""

import atexit
import gc
import os
import sys

__version__ = "0.1.0"

# A start makes many objects, and most of them stay: visited after every 700 new ones, which is
# Python's default, they took a seventh of it.
gc.set_threshold(20_000, 20, 50)

# At the end Python visits every object several times, to take apart what the system takes back
# anyway: a fifth of what a short process costs. Registered first, so it comes after all that is to
# be done at the end.
atexit.register(gc.freeze)

# pydantic searches everything that is installed for plugins of its own, in each process: a node has
# none, and should not run what another package brings.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

# structlog imports Rich wherever it finds it (typer brings it), to print tracebacks with the values
# of local variables, which no log of ours should hold.
if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
