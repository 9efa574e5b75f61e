"""Kill a writer at its n-th step on the folder's files: ``python killed.py FOLDER first|second``.

For n = 1, 2, … a child process writes into ``FOLDER/n``, begun as a copy of ``FOLDER/before`` where
that is there, and is killed as it is about to open, rename or remove its n-th file. The last one
comes to its end. A child starts polars' threads itself: this process never does, so it may fork.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path

STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}


def kill_at(step: int, folder: Path) -> None:
    """End this process, without any farewell, before its n-th touch of a file of the folder."""
    count = itertools.count(1)

    def watch(event: str, told: tuple[object, ...]) -> None:
        if event in STEPS and str(folder) in str(told[0]) and next(count) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def main() -> None:
    base, which = Path(sys.argv[1]), sys.argv[2]
    from made import commit

    for step in itertools.count(1):
        folder = base / str(step)
        if (base / "before").exists():
            shutil.copytree(base / "before", folder)
        child = os.fork()
        if child == 0:
            kill_at(step, folder)
            commit(folder, which)
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            return


if __name__ == "__main__":
    main()
