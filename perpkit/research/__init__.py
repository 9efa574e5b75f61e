"""Questions asked of recorded data: is the funding the terms', and which terms were they.

- :func:`read_history`: settled funding of a dataset folder or of one Parquet file;
- :func:`infer`: multiplier, clamp and interest from rates and premiums alone, by exact arithmetic;
- :func:`check_data`: faults in the files (:mod:`perpkit.research.quality`) and what can be mended;
  then funding, premiums, step limits and discovery bounds against the rulebook, with
  :func:`audit_funding`, :func:`audit_premium`, :func:`audit_steps`, :func:`audit_bounds` for one
  coin;
- :func:`funding_rates`: what funding came to a year, over windows and by phase of the week;
- :func:`breakeven`: days of carry that pay for the friction of entry and exit.
"""

from perpkit.research.audit import Audit, audit_funding, audit_premium
from perpkit.research.breakeven import Breakeven, breakeven, breakeven_days
from perpkit.research.check import Checked, DataCheck, Subject, check_data
from perpkit.research.findings import Finding, Severity
from perpkit.research.history import History, Settled, read_history
from perpkit.research.inference import Inferred, infer, infer_coin
from perpkit.research.limits import audit_bounds, audit_steps
from perpkit.research.rates import FundingRates, funding_rates, rolling

__all__ = [
    "Audit",
    "Breakeven",
    "Checked",
    "DataCheck",
    "Finding",
    "FundingRates",
    "History",
    "Inferred",
    "Settled",
    "Severity",
    "Subject",
    "audit_bounds",
    "audit_funding",
    "audit_premium",
    "audit_steps",
    "breakeven",
    "breakeven_days",
    "check_data",
    "funding_rates",
    "infer",
    "infer_coin",
    "read_history",
    "rolling",
]
