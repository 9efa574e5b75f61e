"""A new strategy's file and its test: small, commented, and passing as they stand."""

from __future__ import annotations

import importlib.util
import keyword
from pathlib import Path
from typing import Final

from perpkit.errors import RequestError
from perpkit.strategy.load import offered

_DECIDE: Final = '''\
"""Hold the token and short its perp while trailing funding pays."""

from perpkit.strategy import close_pair, field, hysteresis, lots, open_pair, trailing_apr


class Params:  # perpkit backtest {name}.py --set enter_apr=0.08
    lookback_hours: int = field(24, ge=1, le=2_000, unit="h", help="hours of funding averaged")
    enter_apr: float = field(0.10, ge=-10, le=10, help="average funding that opens a pair")
    exit_apr: float = field(0.0, ge=-10, le=10, help="average funding that closes it")
    notional_usd: float = field(5_000.0, ge=10, le=1e9, unit="USD", help="size of a pair")


class Memory:  # one record a perp, zero at the start
    on: bool  # a pair is wanted


def decide(t, past, book, p, mine, target):
    """Called once an hour; the last row of past is now, and target is what to hold."""
    for m in range(len(book.perps)):
        perp = book.perps[m]
        if perp.token < 0 or not perp.mark_px > 0.0:
            continue  # without a token there is no pair; without a price it is not listed yet
        apr = trailing_apr(past, m, p.lookback_hours)
        on = hysteresis(mine[m].on, apr, p.enter_apr, p.exit_apr)
        if on and not mine[m].on:
            units = lots(p.notional_usd / perp.mark_px, perp.lots_per_unit)
            open_pair(target, book, m, units)
        elif mine[m].on and not on:
            close_pair(target, book, m)
        mine[m].on = on
'''

_PLAN: Final = '''\
"""Hold the token and short its perp while trailing funding pays, planned in one go."""

import numpy as np

from perpkit.strategy import field


class Params:  # perpkit backtest {name}.py --set enter_apr=0.08
    lookback_hours: int = field(24, ge=1, le=2_000, unit="h", help="hours of funding averaged")
    enter_apr: float = field(0.10, ge=-10, le=10, help="average funding that opens a pair")
    exit_apr: float = field(0.0, ge=-10, le=10, help="average funding that closes it")
    notional_usd: float = field(5_000.0, ge=10, le=1e9, unit="USD", help="size of a pair")


def targets(tape, p):
    """Called once; a row an hour, a column a perp and then one a token; NaN leaves as it is.

    Row t may use the rows up to t alone: perpkit strategy check {name}.py finds what does not.
    """
    past, hours, perps = tape.past, len(tape.past.time_ns), len(tape.coins)
    plan = np.full((hours, perps + len(tape.tokens)), np.nan)
    for m, k in enumerate(tape.token_of):
        if k < 0:
            continue  # without a token there is no pair
        on = False
        for t in range(p.lookback_hours, hours):
            paid = past.funding_total[t, m] - past.funding_total[t - p.lookback_hours, m]
            apr = paid * 8760.0 / p.lookback_hours
            if not on and apr > p.enter_apr and past.mark_px[t, m] > 0.0:
                on = True
                plan[t, m] = -p.notional_usd / past.mark_px[t, m]
                plan[t, perps + k] = p.notional_usd / past.fair_px[t, k]
            elif on and apr < p.exit_apr:
                on = False
                plan[t, m] = plan[t, perps + k] = 0.0
    return plan
'''

_TEST: Final = '''\
"""{name} does what it says; run it with pytest."""

from pathlib import Path

import perpkit

STRATEGY = Path(__file__).with_name("{name}.py")


def play(**params):
    """Three weeks of the demo's first pair, uncompiled: a second or two."""
    few = {{"coins": ["sim:ORCA"], "end": "2025-11-03"}}
    return perpkit.backtest(STRATEGY, params=params, config=few, pure_python=True)


def test_it_holds_as_much_of_the_token_as_it_is_short():
    result = play(enter_apr=0.01)
    assert result.frames["fills"].height > 0
    assert result.frames["equity"]["net_delta_usd"].abs().max() < 500.0


def test_it_stays_out_where_funding_is_too_low():
    assert play(enter_apr=9.0).frames["fills"].is_empty()
'''


def make_strategy(name: str, folder: Path, *, plan: bool = False) -> tuple[Path, Path]:
    """Write ``NAME.py`` and ``test_NAME.py``, both or neither.

    Parameters
    ----------
    name : an identifier that no other strategy and no module has
    folder : where to; made where it is not there
    plan : a plan (``targets``) in place of ``decide``

    Returns
    -------
    tuple of the strategy's path and its test's

    Raises
    ------
    RequestError
        If the name will not do, a file is there already, or the folder cannot be written to.
    """
    _check_name(name)
    files = (folder / f"{name}.py", folder / f"test_{name}.py")
    for file in files:
        if file.exists():
            raise RequestError(f"{file} is there already; choose another name, or --dir")
    _check_free(name)
    texts = ((_PLAN if plan else _DECIDE).replace("{name}", name), _TEST.format(name=name))
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in zip(files, texts, strict=True):
            with file.open("x", encoding="utf-8", newline="\n") as out:
                written.append(file)
                out.write(text)
    except OSError as e:
        for file in written:
            file.unlink(missing_ok=True)
        raise RequestError(
            f"--dir {folder} cannot be written to ({e.strerror or e}); name another"
        ) from e
    return files


def _check_name(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
        raise RequestError(
            f"{name} cannot be a strategy's name; take letters, digits and _, such as my_idea"
        )
    if name.startswith("_"):
        raise RequestError(f"{name} would not be found by name; let it begin with a letter")


def _check_free(name: str) -> None:
    taken = offered().get(name)
    if taken is not None:
        raise RequestError(f"a strategy is called {name} already ({taken.origin}); choose another")
    if importlib.util.find_spec(name) is not None:
        raise RequestError(f"{name} is a Python module, which the file would hide; choose another")
