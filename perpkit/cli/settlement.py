"""``perpkit settlement``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from perpkit.settlement import Delivery, Outcome

settlement = typer.Typer(
    help="How a trade of a token settles, and what that costs.", no_args_is_help=True
)

_Mode = Annotated[str, typer.Option(help="atomic, coordinated or sequential.")]
_Side = Annotated[str, typer.Option(help="buy or sell: the side that asks.")]
_Units = Annotated[float, typer.Option(help="Units of the token.")]
_Px = Annotated[float, typer.Option(help="USD a unit.")]
_Sigma = Annotated[float, typer.Option(help="Deviation of the price over a day, a fraction.")]
_Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the path.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
_Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


@settlement.callback()
def _group() -> None:
    """How a trade of a token settles, and what that costs."""


@settlement.command("run")
def run(
    mode: _Mode = "coordinated",
    side: _Side = "buy",
    units: _Units = 100.0,
    px: _Px = 200.0,
    sigma_day: _Sigma = 0.025,
    fail: Annotated[
        list[str] | None,
        typer.Option(metavar="EVENT", help="What goes wrong, in its order; else nothing does."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Draw what happens from a seed instead.")
    ] = None,
    told: _Set = None,
    as_json: _Json = False,
    debug: _Debug = False,
) -> None:
    """Take one trade through a path: when, which state, who acted, what moved, what it cost."""
    import numpy as np

    from perpkit.errors import RequestError
    from perpkit.settlement import Trade, settle, with_fails

    if fail and seed is not None:
        raise RequestError("--fail names what happens and --seed draws it; give one of them")
    path = _path(mode, told)
    trade = Trade(side, units, px, sigma_day)  # type: ignore[arg-type]
    fails = with_fails(path, side, fail or ())
    outcome = settle(trade, path, fails if seed is None else np.random.default_rng(seed))
    if as_json:
        from perpkit.export import as_json as to_json

        print(to_json(_as_dict(outcome)), end="")
    else:
        print(outcome)


@settlement.command("endings")
def endings(
    mode: _Mode = "coordinated",
    side: _Side = "buy",
    sigma_day: _Sigma = 0.025,
    told: _Set = None,
    debug: _Debug = False,
) -> None:
    """List every way a trade can end on a path, how likely it is, and the mean cost in bp."""
    from perpkit.cli.lines import Lines
    from perpkit.settlement import LABEL, Trade, mean_costs
    from perpkit.settlement import endings as listed

    path = _path(mode, told)
    trade = Trade(side, 1.0, 1.0, sigma_day)  # type: ignore[arg-type]
    out = Lines()
    rows = [
        (f"{way.prob:.4%}", LABEL[way.state], f"{way.time.clock_hours:.2f}", " ".join(way.events))
        for way in sorted(listed(path, side), key=lambda way: -way.prob)
    ]
    head = ("likely", "end", "hours", "events")
    wide = [max(len(row[n]) for row in (head, *rows)) for n in range(3)]
    for n, row in enumerate((head, *rows)):
        cells = "  ".join(f"{cell:>{w}}" for cell, w in zip(row[:3], wide, strict=True))
        out.wrap(f"  {cells}  ", row[3], "dim" if n == 0 else "")
    parts = mean_costs(trade, path)
    named = ", ".join(f"{name} {1e4 * part:.2f}" for name, part in parts._asdict().items())
    out.say(f"mean cost {1e4 * parts.total:.2f} bp: {named}")


def _path(mode: str, told: list[str] | None) -> Delivery:
    """The path with its settings, checked as those of a run are."""
    from perpkit.config import check_config
    from perpkit.errors import RequestError
    from perpkit.runfile import parse_setting

    made: dict[str, Any] = {"mode": mode}
    for text in told or ():
        names, value = parse_setting(text)
        if len(names) > 1:
            raise RequestError(f"--set {text}: a path's settings have no tables; see settlement.md")
        made[names[0]] = value
    return check_config({"settlement": made}, "perpkit settlement").settlement


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    from perpkit.settlement import LABEL

    return {
        "schema": 1,
        "state": outcome.state.name.lower(),
        "settled": outcome.settled,
        "hours": outcome.hours,
        "cost_usd": outcome.cost_usd,
        "costs_usd": outcome.costs._asdict(),
        "idle_usd_hours": outcome.idle_usd_hours,
        "exposed_usd_hours": outcome.exposed_usd_hours,
        "holdings": {who: has._asdict() for who, has in outcome.holdings.items()},
        "log": [
            {
                "hours": step.hours,
                "state": LABEL[step.state],
                "event": step.event,
                "actor": step.actor,
                "moves": [move._asdict() for move in step.moves],
            }
            for step in outcome.log
        ],
    }
