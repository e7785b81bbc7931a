"""The command line.

The first thing that a starting edge does, before the imports that take it a second: ignore the
signals that ask a running one to reload or to open its logs again. Their default is to end the
process, so a rotation of logs in that second would have stopped it.
"""

from __future__ import annotations

import signal
import sys

if sys.argv[1:2] == ["edge"]:
    for _number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(_number, signal.SIG_IGN)
