"""A check in a process of its own: one that never returns, or crashes, ends with its process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from perpkit import errors
from perpkit.errors import PerpkitError
from perpkit.research.strategy_check.findings import (
    CHECKS,
    Finding,
    Report,
    Status,
    failed,
    skipped,
)
from perpkit.research.strategy_check.grounds import HOURS
from perpkit.strategy.load import find

SECONDS: Final = 120.0
_GLANCE_S = 0.1  # between two looks at how far the child is
_GRACE_S = 5.0  # in which the child says where it stands
_CHILD = "from perpkit.research.strategy_check.child import main; main()"


@dataclass(frozen=True, slots=True)
class Request:
    """What to check, and on what.

    Attributes
    ----------
    strategy : path or name
    data : dataset folder; none: that of the settings, else the shipped demo
    settings : settings of the run, see :class:`perpkit.config.RunConfig`; ``params`` among them
    told : further settings and parameters, each ``KEY=VALUE``, laid over those
    hours : rows of each market
    seconds : after which the check is given up
    compiled : whether to compile the strategy too
    """

    strategy: str
    data: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    hours: int = HOURS
    seconds: float = SECONDS
    compiled: bool = True


def check_strategy(request: Request, stage: Callable[[str], None] = lambda _: None) -> Report:
    """Check a strategy in a child process with a deadline.

    Parameters
    ----------
    request : what to check
    stage : told which check is under way

    Raises
    ------
    StrategyError
        If there is no such strategy.
    DataError, RequestError
        If the markets to check it on cannot be played.
    """
    file = find(request.strategy)
    with tempfile.TemporaryDirectory(prefix="perpkit-check-") as told:
        folder = Path(told)
        (folder / "request.json").write_text(_told(request), encoding="utf-8")
        code = _run(folder, request.seconds, stage)
        findings, error = _read(folder)
        if error is not None:
            raise error
        if len(findings) < len(CHECKS):
            findings = _completed(findings, _why(folder, file, code, request.seconds))
        return Report(file.stem, str(file), tuple(findings))


def _told(request: Request) -> str:
    what = request.strategy
    if what.endswith(".py"):
        what = str(Path(what).resolve())
    return json.dumps(
        {
            "strategy": what,
            "data": None if request.data is None else str(request.data),
            "settings": dict(request.settings),
            "told": list(request.told),
            "hours": request.hours,
            "seconds": request.seconds,
            "compiled": request.compiled,
        },
        default=str,
    )


def _run(folder: Path, seconds: float, stage: Callable[[str], None]) -> int | None:
    """The child's exit code; none where it had to be killed."""
    stage("checking")
    home = str(Path(__file__).resolve().parents[3])
    paths = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    with (folder / "stderr.txt").open("wb") as err:
        child = subprocess.Popen(  # noqa: S603, our own words to our own interpreter
            [sys.executable, "-c", _CHILD, str(folder)],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
        )
        until, before = time.monotonic() + seconds + _GRACE_S, -1
        try:
            while (code := _ended(child)) is None and time.monotonic() < until:
                done = _answers(folder)
                if before != done < len(CHECKS):
                    stage(f"checking {list(CHECKS)[done]}, {done + 1} of {len(CHECKS)}")
                    before = done
            return code
        finally:
            child.kill()
            child.wait()


def _ended(child: subprocess.Popen[bytes]) -> int | None:
    """The exit code of a child that ends within a moment."""
    try:
        return child.wait(_GLANCE_S)
    except subprocess.TimeoutExpired:
        return None


def _answers(folder: Path) -> int:
    """How many questions the child has answered."""
    file = folder / "report.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def _read(folder: Path) -> tuple[list[Finding], PerpkitError | None]:
    file, findings = folder / "report.jsonl", []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        told = json.loads(line)
        if "error" in told:
            return [], getattr(errors, told["error"])(told["says"])
        findings.append(Finding(told["name"], Status(told["status"]), told["says"]))
    return findings, None


def _completed(findings: list[Finding], why: str) -> list[Finding]:
    """The findings there are, the check that was under way as failed, and the rest as not run."""
    done = {finding.name for finding in findings}
    left = [name for name in CHECKS if name not in done]
    return [*findings, failed(left[0], why), *(skipped(n, "not reached") for n in left[1:])]


def _why(folder: Path, file: Path, code: int | None, seconds: float) -> str:
    """Why the child did not come to its end."""
    stuck = folder / "stuck.txt"
    trace = stuck.read_text(encoding="utf-8") if stuck.exists() else ""
    err = (folder / "stderr.txt").read_text(encoding="utf-8", errors="replace")
    if trace or code is None:
        for path, line, function in re.findall(r'File "([^"]+)", line (\d+) in (\w+)', trace):
            if Path(path).parent == file.parent:
                return (
                    f"{Path(path).name}:{line}: {function} had not returned after {seconds:g} s; "
                    "end its loop, or allow more with --seconds"
                )
        return f"not done after {seconds:g} s; allow more with --seconds, or take fewer --hours"
    if code is not None and code < 0:
        return f"{file.name}: the process was ended by signal {-code}"
    lines = err.strip().splitlines()
    last = lines[-1] if lines else "it said nothing"
    return f"{file.name}: the process ended with code {code} ({last})"
