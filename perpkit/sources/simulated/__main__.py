"""Write the demo dataset from the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from perpkit.sources import simulated


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the demo dataset from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m perpkit.sources.simulated", description=simulated.__doc__
    )
    parser.add_argument("--out", type=Path, default=Path("data/demo"), help="the dataset's folder")
    folder: Path = parser.parse_args(arguments).out
    size = simulated.write(folder)
    sys.stdout.write(f"{folder}: 4 files, {size:,} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
