"""What a check of data found: one sentence, how bad it is, where, and in how many rows."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any, NamedTuple

from perpkit.units import stamp


class Severity(IntEnum):
    """How bad a finding is, the worst highest."""

    NOTE = 0  # something could not be tested, or is as it should be and worth knowing
    WARNING = 1  # the data or an unsure term of the rulebook is wrong
    ERROR = 2  # the data is wrong


class Finding(NamedTuple):
    """One thing found in some rows of a file."""

    check: str  # name of the check that found it
    severity: Severity
    place: str  # file
    instrument: str  # "" for the whole file
    rows: int
    first_ns: int | None  # time of the first of these rows
    message: str  # what is so, and what to do where something can be done
    fixable: bool = False  # --fix changes it

    @property
    def sentence(self) -> str:
        """Place, instrument and message in one line."""
        where = self.place if not self.instrument else f"{self.place}, {self.instrument}"
        return f"{where}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, times as text."""
        return {
            "check": self.check,
            "severity": self.severity.name.lower(),
            "file": self.place,
            "instrument": self.instrument,
            "rows": self.rows,
            "first": None if self.first_ns is None else stamp(self.first_ns),
            "message": self.message,
            "fixable": self.fixable,
        }


def worst(findings: Iterable[Finding]) -> Severity | None:
    """The highest severity among findings; None without any."""
    return max((finding.severity for finding in findings), default=None)


def by_weight(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first; within a severity in the order they were found."""
    return sorted(findings, key=lambda finding: -finding.severity)
