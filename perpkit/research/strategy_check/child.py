"""The child process of a check: builds the markets, asks, and writes each answer at once."""

from __future__ import annotations

import faulthandler
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perpkit.errors import PerpkitError, StrategyError
from perpkit.research.strategy_check.grounds import ground, stress_ground
from perpkit.research.strategy_check.suite import examine
from perpkit.runfile import apply_settings
from perpkit.strategy.load import load


def main() -> None:
    """Carry out ``request.json`` of the folder named; answers go to ``report.jsonl`` there."""
    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    with (
        (folder / "stuck.txt").open("w", encoding="utf-8") as stuck,
        (folder / "report.jsonl").open("w", encoding="utf-8") as report,
    ):
        # It needs no turn of the interpreter: a loop without end is told with its line.
        faulthandler.dump_traceback_later(request["seconds"], exit=True, file=stuck)

        def tell(**answer: str) -> None:
            report.write(json.dumps(answer) + "\n")
            report.flush()

        try:
            _carry_out(request, folder, tell)
        except PerpkitError as e:
            tell(error=type(e).__name__, says=str(e))
        faulthandler.cancel_dump_traceback_later()


def _carry_out(request: Mapping[str, Any], folder: Path, tell: Any) -> None:
    data, settings = request["data"], dict(request["settings"])
    if request["told"]:
        settings = apply_settings(settings, request["told"], _parameters(request["strategy"]))
    params = settings.pop("params", {})
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        grounds = (
            ground(None if data is None else Path(data), request["hours"], settings),
            stress_ground(Path(scratch), request["hours"]),
        )
        asked = examine(request["strategy"], grounds, params=params, compiled=request["compiled"])
        for finding in asked:
            tell(name=finding.name, status=finding.status.value, says=finding.says)


def _parameters(what: str) -> list[str]:
    try:
        return [parameter.name for parameter in load(what).parameters]
    except StrategyError:
        return []  # which the first check will say
