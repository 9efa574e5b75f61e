"""What a check of a strategy found, one finding a question."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from perpkit.strategy.load import Strategy

SCHEMA: Final = 1

# Every question in the order they are asked, with what it asks.
CHECKS: Final = {
    "loads": "the file loads and defines what a strategy needs",
    "demo": "it runs on the demo, or the dataset given",
    "stress": "it runs through a weekend's shock",
    "files": "it reads no file, and asks nobody else",
    "look-ahead": "noise in place of the future changes nothing before it",
    "determinism": "a second run is equal to the last bit",
    "finite": "targets are finite, also where data is missing",
    "scale": "sizes follow capital, or do not depend on it",
    "idle": "an instrument without a price changes nothing",
    "bounds": "each parameter runs at its least and its most",
    "compiles": "it compiles",
}


class Status(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "not run"


class Finding(NamedTuple):
    """The answer to one question."""

    name: str  # a key of CHECKS
    status: Status
    says: str


def passed(name: str, says: str) -> Finding:
    """A check that passed."""
    return Finding(name, Status.PASSED, says)


def failed(name: str, says: str) -> Finding:
    """A check that failed, and why."""
    return Finding(name, Status.FAILED, says)


def skipped(name: str, says: str) -> Finding:
    """A check that was not run, and why."""
    return Finding(name, Status.SKIPPED, says)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of one strategy, in the order of :data:`CHECKS`."""

    strategy: str
    file: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(finding.status is not Status.FAILED for finding in self.findings)

    def of(self, name: str) -> Finding:
        """The finding of one check."""
        return next(finding for finding in self.findings if finding.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Content of ``--json``."""
        return {
            "schema": SCHEMA,
            "strategy": self.strategy,
            "file": self.file,
            "passed": self.passed,
            "checks": [
                {"name": f.name, "asks": CHECKS[f.name], "status": f.status.value, "says": f.says}
                for f in self.findings
            ],
        }


def place(strategy: Strategy) -> str:
    """File and line of the strategy's function, for a fault of no line of its own."""
    function = strategy.decide or strategy.targets
    code = getattr(function, "__code__", None)
    return strategy.file.name if code is None else f"{strategy.file.name}:{code.co_firstlineno}"
