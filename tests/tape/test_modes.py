"""How the positions of a run are margined: modes of the venue, and accounts that venues share."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from perpkit.arrays import TERM, Mode
from perpkit.config import RunConfig, check_config
from perpkit.dataset import read_dataset
from perpkit.errors import RequestError
from perpkit.tape import Market, form
from perpkit.tape.instruments import choose
from perpkit.tape.modes import margin


@pytest.fixture(autouse=True)
def without_events(tiny_dataset: Path) -> None:
    (tiny_dataset / "actions.parquet").unlink()
    (tiny_dataset / "shocks.parquet").unlink()


def formed(folder: Path, **settings: Any) -> Market:
    return form(read_dataset(folder), check_config(settings), pure_python=True)


def on_two_venues(folder: Path) -> None:
    """The second coin trades on a venue of its own."""
    toml = folder / "dataset.toml"
    head, _, tail = toml.read_text(encoding="utf-8").partition('[perps."xyz:AAPL"]')
    tail = tail.replace('venue = "xyz"', 'venue = "baseline"', 1)
    toml.write_text(f'{head}[perps."xyz:AAPL"]{tail}', encoding="utf-8")


@pytest.mark.parametrize(
    ("mode", "asked", "isolated", "strict"),
    [
        ("cross", None, False, False),
        ("cross_isolated", None, False, False),
        ("cross_isolated", "cross", False, False),
        ("cross_isolated", "isolated", True, False),
        ("isolated", None, True, False),
        ("strict_isolated", None, True, True),
    ],
)
def test_a_mode_decides_on_an_account_of_its_own(
    tiny_dataset: Path, mode: str, asked: str | None, isolated: bool, strict: bool
) -> None:
    names = formed(tiny_dataset, terms={"margin_modes": mode}, margin_mode=asked).names
    alone = ("xyz/xyz:NVDA", "xyz/xyz:AAPL") if isolated else ()
    assert names.accounts == ("wallet", "xyz", *alone)
    assert names.perp_account.tolist() == ([2, 3] if isolated else [1, 1])
    assert names.account_parent.tolist() == [-1, -1, *[1 for _ in alone]]
    assert names.account_strict.tolist() == [False, False, *[strict for _ in alone]]


@pytest.mark.parametrize("eras", [(Mode.CROSS, Mode.ISOLATED), (Mode.ISOLATED, Mode.CROSS)])
def test_the_tightest_mode_of_the_run_holds_throughout(
    tiny_dataset: Path, eras: tuple[Mode, Mode]
) -> None:
    names = choose(read_dataset(tiny_dataset), RunConfig())
    terms = np.zeros((2, 2), TERM).view(np.recarray)
    terms["margin_modes"][:, 0] = eras
    terms["margin_modes"][:, 1] = Mode.CROSS
    resolved: Any = SimpleNamespace(terms=terms)
    assert margin(names, RunConfig(), resolved).accounts == ("wallet", "xyz", "xyz/xyz:NVDA")


@pytest.mark.parametrize(
    ("mode", "asked", "says"),
    [
        ("isolated", "cross", "the venue margins xyz:NVDA in isolation at hours of this run"),
        ("cross", "isolated", "the venue margins xyz:NVDA in its cross account alone"),
    ],
)
def test_what_the_venue_does_not_allow_is_refused(
    tiny_dataset: Path, mode: str, asked: str, says: str
) -> None:
    with pytest.raises(RequestError, match=says):
        formed(tiny_dataset, terms={"margin_modes": mode}, margin_mode=asked)


def test_unified_venues_share_an_account(tiny_dataset: Path) -> None:
    on_two_venues(tiny_dataset)
    apart = formed(tiny_dataset, margin_mode="cross", terms={"margin_modes": "cross"}).names
    assert apart.accounts == ("wallet", "xyz", "baseline")
    assert apart.perp_account.tolist() == [1, 2]
    told = {"unified": ["xyz", "baseline"], "terms": {"margin_modes": "cross"}}
    names = formed(tiny_dataset, **told).names
    assert names.accounts == ("wallet", "xyz+baseline")
    assert names.perp_account.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("venues", "says"),
    [
        (["xyz", "km"], "settle in different currencies .xyz in USDC, km in USDH."),
        (["xyz"], "one venue has an account of its own anyway"),
        (["xyz", "hyperliqiud"], "no venue hyperliqiud"),
    ],
)
def test_what_cannot_share_an_account_is_refused(
    tiny_dataset: Path, venues: list[str], says: str
) -> None:
    with pytest.raises(RequestError, match=says):
        formed(tiny_dataset, unified=venues)


@pytest.mark.parametrize(
    ("unified", "says"),
    [
        (["xyz", "xyz"], "names a venue twice"),
        (["xyz", "binance"], "binance is no dex of Hyperliquid"),
        (["xyz"], "one venue has an account of its own"),
        (["xyz", "nowhere"], "no venue nowhere"),
    ],
)
def test_what_cannot_be_unified_is_refused(
    tiny_dataset: Path, unified: list[str], says: str
) -> None:
    with pytest.raises(RequestError, match=says):
        formed(tiny_dataset, unified=unified)
