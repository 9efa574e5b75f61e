"""Limits on orders: what they are read from, and the hours in which open interest is capped."""

from __future__ import annotations

import numpy as np

from perpkit.arrays import B8, I64, Tape
from perpkit.config import RunConfig
from perpkit.dataset import Dataset
from perpkit.errors import DataError, RequestError
from perpkit.rulebook import Resolved
from perpkit.tape.instruments import Instruments
from perpkit.tape.prices import Prices
from perpkit.units import stamp

Laid = tuple[I64, Prices]  # hours of the run, and the prices laid on them


def refuse_limits(
    dataset: Dataset, config: RunConfig, names: Instruments, resolved: Resolved, laid: Laid
) -> None:
    """Refuse a limit on orders that the dataset cannot tell, or that no order could keep to.

    Raises
    ------
    RequestError
        If the largest order is below the smallest.
    DataError
        If the open interest of an hour, or every volume of a coin, is not recorded.
    """
    time_ns, prices = laid
    file = f"{dataset.folder.name}/perps.parquet"
    if config.max_order_usd is not None:
        smallest = resolved.terms["min_order_usd"].max(axis=0)
        for coin, least in zip(names.coins, smallest, strict=True):
            if config.max_order_usd < least:
                raise RequestError(
                    f"max_order_usd = {config.max_order_usd:g} is below the smallest order of "
                    f"{coin}, {least:g} USD; raise it, or leave it out"
                )
    if config.impact_coefficient > 0.0 or config.max_volume_frac is not None:
        setting = "impact_coefficient" if config.impact_coefficient > 0.0 else "max_volume_frac"
        unread = np.isnan(prices.volume_usd).all(axis=0)
        if unread.any():
            coin = names.coins[int(np.flatnonzero(unread)[0])]
            raise DataError(
                f"{file}: no day_ntl_vlm of {coin} is recorded, and {setting} is a share of it; "
                f"add the column, leave the coin out with coins, or leave {setting} out"
            )
    if config.oi_cap:
        _refuse_unknown_interest(file, names, prices, time_ns)


def _refuse_unknown_interest(file: str, names: Instruments, prices: Prices, time_ns: I64) -> None:
    unknown: B8 = np.isnan(prices.open_interest) & prices.listed
    if not unknown.any():
        return
    m = int(np.flatnonzero(unknown.any(axis=0))[0])
    hours = np.flatnonzero(unknown[:, m])
    first = stamp(int(time_ns[hours[0]]))
    raise DataError(
        f"{file}: open_interest of {names.coins[m]} is not recorded in {hours.size:,} hours, "
        f"first {first}, and oi_cap needs it in each; add it, leave the coin out with coins, or "
        "leave oi_cap out"
    )


def lay_caps(tape: Tape, resolved: Resolved, prices: Prices) -> None:
    """Mark the hours in which a coin's open interest, at the mark, has reached its cap.

    Both count in USD: Hyperliquid documentation, HIP-3 deployer actions (sum of size times mark).
    Only orders that reduce are accepted then (trade.xyz specification).
    """
    if tape.capped.shape[1]:
        cap_usd = resolved.oi_cap_usd[resolved.era]
        tape.capped[:] = prices.open_interest * tape.mark_px >= cap_usd
