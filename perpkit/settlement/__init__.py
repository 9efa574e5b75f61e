"""Delivery versus payment: how one trade of a token settles, and what that costs.

>>> from perpkit.settlement import Delivery, Trade, settle
>>> path = Delivery(mode="coordinated")
>>> settle(Trade("buy", 100, 200.0), path, ("locked", "lock_not_attested")).state.name
'UNWOUND'

A trade is between a buyer and a seller. Units may lie in escrow between them, and cash with the
bank; there is no other holder, and every transition of the table is a transfer between these four,
or none. The modes:

- "atomic": both legs in one transaction of one chain, or nothing.
- "coordinated": the asset is locked, the payment made, the asset released; a coordinator that both
  trust attests each to the other. Conditional, in two phases; not one transaction.
- "sequential": each leg by itself on its due date, neither conditional on the other. A leg that
  fails leaves the other made, until it is made too or the trade is closed out.
"""

from perpkit.codes import State
from perpkit.delivery import Delivery
from perpkit.settlement.cost import Costs, expected_cost
from perpkit.settlement.machine import Holding, Outcome, Step, Trade, settle
from perpkit.settlement.odds import Ending, endings, mean_costs, on_time, with_fails
from perpkit.settlement.table import FINAL, LABEL, TABLE, Move, Transition

__all__ = [
    "FINAL",
    "LABEL",
    "TABLE",
    "Costs",
    "Delivery",
    "Ending",
    "Holding",
    "Move",
    "Outcome",
    "State",
    "Step",
    "Trade",
    "Transition",
    "endings",
    "expected_cost",
    "mean_costs",
    "on_time",
    "settle",
    "with_fails",
]
