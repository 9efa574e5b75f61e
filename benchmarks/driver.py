"""The book loop driven as perpkit drives it, with a ledger and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workloads import Workload
from perpkit.arrays import PAYMENT, Rows
from perpkit.book.loop import compiled
from perpkit.layout import blank
from perpkit.play import Played, Stage, columns_of, set_up
from perpkit.strategy.door import compiled_entry
from perpkit.strategy.load import Strategy
from perpkit.strategy.params import params_record
from perpkit.tape import settings_of


class Driver:
    """A workload for perpkit's compiled loop, which is loaded once."""

    def __init__(self, work: Workload, plan: Any = None) -> None:
        self.work, self.plan = work, plan
        self.loop: Callable[..., int] = compiled()
        self.settings = settings_of(work.config, work.market.names)
        self.entry = compiled_entry(work.strategy if plan is None else stock(work.strategy))
        self.hours = len(work.market.tape.time_ns)

    def prepare(self, values: dict[str, Any], *, ledger: bool) -> Stage:
        """The state before the first hour; without a ledger equity alone is kept."""
        work = self.work
        params = params_record(work.strategy.parameters, values)
        stage = set_up(work.market, work.config, params, work.strategy.memory, self.plan)
        if not ledger:
            kept = stage.ledger
            sizes = dict.fromkeys("TMKA", 0)
            rows = blank(Rows, **sizes)._replace(equity_usd=kept.rows.equity_usd)
            none = np.zeros(0, PAYMENT).view(np.recarray)
            stage.ledger = kept._replace(rows=rows, out=kept.out._replace(payments=none))
        return stage

    def run(self, stage: Stage) -> Played:
        """Play every hour in chunks, draining the buffers after each."""
        work, out = self.work, stage.ledger.out
        chunk_rows = work.config.chunk_rows
        market, ledger = work.market, stage.ledger
        kept: list[list[Any]] = [[], [], []]
        row = 0
        while row < self.hours:
            last = min(row + chunk_rows, self.hours)
            row = self.loop(
                self.entry,
                stage.tape,
                market.terms,
                stage.book,
                ledger,
                self.settings,
                stage.door,
                row,
                last,
            )
            for n, buffer in enumerate((out.fills, out.payments, out.events)):
                kept[n].append(np.asarray(buffer[: out.used[n]]).copy())
            out.used[:] = 0
        fills, payments, events = (np.concatenate(x) for x in kept)
        return Played(columns_of(ledger.rows), fills, payments, events)


def never(tape: Any) -> Any:
    """In the place of ``targets``: the plan is laid before the clock starts."""
    raise AssertionError("a benchmark lays its plan itself")


def stock(strategy: Strategy) -> Strategy:
    """The stock strategy that copies a plan, under the name of another."""
    return Strategy(strategy.name, strategy.file, "", (), strategy.memory, None, never, ())


def plan_of(work: Workload) -> Any:
    """The carry of one market as a plan, (T, 2) units: what ``targets`` would return.

    It knows no account, so it equals the carry while nothing is liquidated, cut or refused.
    """
    tape, values = work.market.tape, work.values
    hours, lots = values["lookback_hours"], float(work.market.terms["lots_per_unit"][0, 0])
    total = tape.funding_total[:, 0]
    plan, on = np.full((len(total), 2), np.nan), False
    for t in range(hours, len(total)):
        apr = (total[t] - total[t - hours]) * 8760.0 / hours
        if on and apr < values["exit_apr"]:
            plan[t], on = 0.0, False
        elif not on and apr > values["enter_apr"]:
            units = int(values["notional_usd"] / tape.mark_px[t, 0] * lots + 0.5) / lots
            plan[t], on = (-units, units), True
    return plan
