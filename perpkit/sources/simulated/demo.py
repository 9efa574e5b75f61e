"""Make the shipped demo again: ``python -m perpkit.sources.simulated.demo --out data/demo``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from perpkit.errors import PerpkitError
from perpkit.sources.simulated.output import simulate
from perpkit.sources.simulated.world import Request

FILE: Final = Path(__file__).with_name("demo.toml")
COMMAND: Final = "python -m perpkit.sources.simulated.demo --out data/demo"
DEMO: Final = Request(
    scenario=str(FILE),
    stocks=("ORCA", "FALC", "LYNX", "HAWK"),
    days=365,
    seed=3,
    start=datetime(2025, 10, 13, tzinfo=UTC),
    venues=("baseline", "xyz"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the demo dataset."""
    parser = argparse.ArgumentParser(prog="python -m perpkit.sources.simulated.demo")
    parser.add_argument("--out", type=Path, default=Path("data/demo"), help="the dataset's folder")
    folder: Path = parser.parse_args(arguments).out
    try:
        simulate(DEMO, folder, made_by=COMMAND)
    except PerpkitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    size = sum(file.stat().st_size for file in folder.iterdir())
    sys.stdout.write(f"{folder}: {size:,} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
