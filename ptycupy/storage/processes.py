"""Whether another process of this machine still runs."""

from __future__ import annotations

import os
import sys


def runs(pid: int) -> bool:
    """Whether there is a process with this number; on Windows, where asking would end it, always True."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
