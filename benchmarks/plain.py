"""The plain C loop: compiled when asked for, fed with the very arrays that perpkit reads."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.workloads import Workload
from perpkit.arrays import FILL, PAYMENT

COMPILER = ("gcc", "-O3", "-march=native", "-fno-fast-math", "-shared", "-fPIC")
SOURCE = Path(__file__).with_name("loop.c")
# Of arrays.TERM, in the order of the C struct.
TERMS = ("initial_frac", "maintenance_frac", "backstop_frac", "fee_frac", "cost_frac")
TERMS += ("lots_per_unit", "min_order_usd")
WIDTHS = {"position": 0, "liquidation": 0, "funding_usd": 0, "units": 0}  # 0: a column a market
WIDTHS |= {"cash": 2, "value": 2, "initial": 2, "maintenance": 2}
LARGEST_FILLS = 8  # a market-hour at its worst: close, reduce, increase, on two legs


class _Tape(ctypes.Structure):
    _fields_ = [("hours", ctypes.c_int64), ("markets", ctypes.c_int64)] + [
        (name, ctypes.c_void_p)
        for name in (
            *("era", "terms", "oracle", "mark", "mid", "high", "low", "funding", "total"),
            *("bid", "ask", "fair", "multiplier"),
            *("token_fee", "token_half_spread", "token_least", "due", "stale", "live", "plan"),
        )
    ]


class _Carry(ctypes.Structure):
    _fields_ = [
        ("wallet", ctypes.c_double),
        ("cash", ctypes.c_double),
        ("lookback", ctypes.c_int64),
        *((n, ctypes.c_double) for n in ("enter", "exit", "rebalance", "notional", "max_gross")),
    ]


class _Out(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("equity", *WIDTHS, "fills", "payments")),
        ("n_fills", ctypes.c_int64),
        ("n_payments", ctypes.c_int64),
    ]


class Kept(NamedTuple):
    """What a run of the C loop left: equity, and with a ledger its rows and records."""

    equity: Any
    rows: dict[str, Any]
    fills: Any
    payments: Any


@lru_cache(maxsize=1)
def library() -> Any:
    """The compiled loop; its file is gone once it is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "loop.so"
        sizes = (f"-DFILL_BYTES={FILL.itemsize}", f"-DPAYMENT_BYTES={PAYMENT.itemsize}")
        subprocess.run([*COMPILER, *sizes, str(SOURCE), "-o", str(made), "-lm"], check=True)
        return ctypes.CDLL(str(made))


class Plain:
    """A workload for the C loop."""

    def __init__(self, work: Workload, plan: Any = None) -> None:
        made, tape, tokens = work.market, work.market.tape, work.market.tokens
        self.hours, self.markets = tape.mark_px.shape
        single = (
            len(made.names.accounts) == 2
            and (made.names.perp_token == np.arange(self.markets)).all()
        )
        if not single:
            raise ValueError("the C loop knows one venue, and one token a perp in the same order")
        arrays = {
            "era": tape.era,
            "terms": np.ascontiguousarray(np.stack([made.terms[n] for n in TERMS], axis=-1)),
            "oracle": tape.oracle_px,
            "mark": tape.mark_px,
            "mid": tape.mid_px,
            "high": tape.high_px,
            "low": tape.low_px,
            "funding": tape.funding,
            "total": tape.funding_total,
            "bid": tape.bid_px,
            "ask": tape.ask_px,
            "fair": tape.fair_px,
            "multiplier": tape.multiplier,
            "token_fee": tokens.fee_frac,
            "token_half_spread": tokens.half_spread_frac,
            "token_least": tokens.min_order_usd,
            "due": tape.due,
            "stale": tape.stale,
            "live": tape.live,
        }
        self.owners = (arrays, plan)  # the C side holds bare addresses
        self.tape = _Tape(self.hours, self.markets, plan=None if plan is None else plan.ctypes.data)
        for name, array in arrays.items():
            setattr(self.tape, name, array.ctypes.data)
        self.capital, self.share = work.config.capital, work.config.margin_share

    def carry(self, values: dict[str, Any]) -> _Carry:
        """The strategy's values as the C loop reads them."""
        return _Carry(
            self.capital * (1.0 - self.share),
            self.capital * self.share,
            values["lookback_hours"],
            *(values[n] for n in ("enter_apr", "exit_apr", "rebalance_frac")),
            *(values[n] for n in ("notional_usd", "max_gross_frac")),
        )

    def prepare(self, *, ledger: bool) -> tuple[_Out, Kept]:
        """Fresh arrays to write to; their pages are touched by the loop that fills them."""
        rows, fills, payments = {}, np.zeros(0, FILL), np.zeros(0, PAYMENT)
        if ledger:
            cells = self.hours * self.markets
            rows = {n: np.zeros((self.hours, w or self.markets)) for n, w in WIDTHS.items()}
            fills, payments = (
                np.zeros(LARGEST_FILLS * cells, FILL),
                np.zeros(2 * self.hours, PAYMENT),
            )
        kept = Kept(np.zeros(self.hours), rows, fills, payments)
        addresses = {n: x.ctypes.data for n, x in rows.items()}
        out = _Out(equity=kept.equity.ctypes.data, **addresses)
        out.fills, out.payments = fills.ctypes.data, payments.ctypes.data
        return out, kept

    def run(self, carry: _Carry, out: _Out) -> None:
        """Play every hour."""
        if library().run_hours(ctypes.byref(self.tape), ctypes.byref(carry), ctypes.byref(out)):
            raise ValueError("a settlement is due on a position and its rate is not known")
