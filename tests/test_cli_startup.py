"""`ptycupy --help` answers at once."""

import statistics
import subprocess
import sys
import time

LIMIT_SECONDS = 0.2


def seconds(*arguments):
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return time.perf_counter() - start


def test_help_answers_at_once():
    """Python's own start is subtracted as far as it exceeds 50 ms: that is the machine's noise, not ours."""
    bare = statistics.median(seconds("-c", "pass") for _ in range(5))
    taken = statistics.median(seconds("-m", "ptycupy", "--help") for _ in range(5))
    assert taken - max(bare - 0.05, 0.0) < LIMIT_SECONDS
