"""Whether a strategy is honest and sturdy, asked before any result of it is believed."""

from perpkit.research.strategy_check.apart import Request, check_strategy
from perpkit.research.strategy_check.findings import CHECKS, Finding, Report, Status

__all__ = ["CHECKS", "Finding", "Report", "Request", "Status", "check_strategy"]
