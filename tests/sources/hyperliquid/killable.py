"""Runs fetches in children of its own and kills them, so that the next one starts at once.

Reads a line ``ADDRESS FOLDER FROM_MS SECONDS`` a fetch, kills the child after so many seconds
unless it has ended (never where they are negative), and writes its exit code.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from perpkit.rulebook import load_venue
from perpkit.sources.hyperliquid import Client, Wanted, fetch


def main() -> None:
    load_venue("xyz")  # once for all children, so that they are killed at their own work
    for line in sys.stdin:
        url, folder, from_ms, seconds = line.split()
        child = os.fork()
        if child == 0:
            wanted = Wanted(("xyz:NVDA", "BTC"), int(from_ms))
            fetch(Client(url), wanted, Path(folder))
            os._exit(0)
        if float(seconds) >= 0:
            time.sleep(float(seconds))
            os.kill(child, signal.SIGKILL)  # not waited for yet, so the number is still its own
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
