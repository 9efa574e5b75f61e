"""The demo dataset: one simulated year of four stocks, their perps and tokens, and a T-bill token.

``python -m perpkit.sources.simulated --out data/demo`` writes ``dataset.toml``, ``perps.parquet``,
``tokens.parquet`` and ``README.md``; the same scenario gives the same frames on every run.

How a price is made: `external_px` draws the share, open from Sunday to Friday 20:00 ET and frozen
between; `step_limited` draws the oracle that a venue with a 1% step an hour forms of it; `book_px`
lays the perp's book around that oracle. The book leans as far beyond a lagging or frozen oracle as
pays after the funding that the lean itself costs.
"""

from perpkit.sources.simulated.dataset import frames, write
from perpkit.sources.simulated.scenario import STOCKS, Gap, Scenario, Stock

__all__ = ["STOCKS", "Gap", "Scenario", "Stock", "frames", "write"]
