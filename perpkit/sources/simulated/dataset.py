"""A scenario written as a dataset."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from perpkit.sources.simulated.clock import calendar
from perpkit.sources.simulated.perp import perp_frame
from perpkit.sources.simulated.readme import readme
from perpkit.sources.simulated.scenario import Scenario
from perpkit.sources.simulated.token import token_frame, treasury_frame


def frames(scenario: Scenario) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make the two tables of a scenario, by instrument and hour: perps, tokens."""
    clock = calendar(scenario)
    perps = [perp_frame(scenario, clock, i) for i in range(len(scenario.stocks))]
    tokens = [
        token_frame(scenario, clock, i, perp["external_px"].to_numpy())
        for i, perp in enumerate(perps)
    ]
    return pl.concat(perps), pl.concat([*tokens, treasury_frame(scenario, clock)])


def dataset_toml(scenario: Scenario) -> str:
    """Write the scenario's ``dataset.toml``."""
    lines = [
        "schema = 1",
        f'name = "{scenario.name}"',
        f'source = "simulated by perpkit.sources.simulated, seed {scenario.seed}"',
        'licence = "MIT"',
        'prices = "external"  # perpkit forms oracle, mark and funding itself',
    ]
    for stock in scenario.stocks:
        lines += [
            "",
            f'[perps."sim:{stock.ticker}"]',
            'venue = "baseline"',
            f'underlying = "{stock.ticker}"',
            "sz_decimals = 3",
            f"max_leverage = {stock.max_leverage}",
        ]
    for stock in scenario.stocks:
        lines += _token_toml(f"{stock.ticker}x", stock.ticker, "equity", stock.multiplier)
    lines += _token_toml("TBILL", "USD-TBILL", "treasury", 1.0)
    return "\n".join(lines) + "\n"


def _token_toml(token: str, underlying: str, kind: str, multiplier: float) -> list[str]:
    return [
        "",
        f"[tokens.{token}]",
        f'underlying = "{underlying}"',
        f'kind = "{kind}"',
        'issuer = "simulated"',
        f"multiplier = {multiplier}",
    ]


def write(folder: Path, scenario: Scenario | None = None) -> int:
    """Write a scenario as a dataset.

    Parameters
    ----------
    folder : Path
        Made if it is not there; its four files are replaced.
    scenario : Scenario, optional

    Returns
    -------
    int
        Bytes written.
    """
    scenario = Scenario() if scenario is None else scenario
    perps, tokens = frames(scenario)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [
        folder / name for name in ("dataset.toml", "README.md", "perps.parquet", "tokens.parquet")
    ]
    paths[0].write_text(dataset_toml(scenario), encoding="utf-8", newline="\n")
    paths[1].write_text(readme(scenario, perps, tokens), encoding="utf-8", newline="\n")
    perps.write_parquet(paths[2], compression="zstd", compression_level=19)
    tokens.write_parquet(paths[3], compression="zstd", compression_level=19)
    return sum(path.stat().st_size for path in paths)
