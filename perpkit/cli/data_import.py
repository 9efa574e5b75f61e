"""``perpkit data import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perpkit.cli.options import AsJson, Debug, Quiet, refuse_both

if TYPE_CHECKING:
    from perpkit.sources.files import FileMap, Imported

_FORMATS = (
    "asset-ctxs, hf-funding, hf-candles, equities, perps, funding, tokens, actions, shocks, or "
    "generic with --mapping"
)
_PAIR = "repeat for each"

Format = Annotated[str, typer.Argument(metavar="FORMAT", help=_FORMATS, show_default=False)]
Files = Annotated[list[Path], typer.Argument(metavar="FILES...", help="Files, or folders of them.")]
Out = Annotated[Path, typer.Option("--out", help="Folder of the dataset, new or existing.")]
Mapping = Annotated[
    Path | None, typer.Option(help="TOML file that maps columns, for the format generic.")
]
Only = Annotated[
    str | None, typer.Option(help="Instruments to take, by comma; else those listed, or all.")
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Replace values that differ from those there.")
]
TradeRange = Annotated[
    bool,
    typer.Option("--trade-range", help="Take candles' highs and lows for those of the mark."),
]
Describe = Annotated[Path | None, typer.Option(help="A dataset.toml for a new dataset.")]
OfVenue = Annotated[
    str | None, typer.Option(help="Venue of new perps whose name has no prefix that says it.")
]
Prices = Annotated[str | None, typer.Option(help="onchain or external, for a new dataset.")]
Issuer = Annotated[str | None, typer.Option(help="Issuer of new tokens.")]
Kind = Annotated[
    str | None, typer.Option(help="Kind of new tokens: equity, treasury, stable, crypto.")
]
Underlying = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=STOCK", help=f"Underlying of a perp or token; {_PAIR}."),
]
Multiplier = Annotated[
    list[str] | None,
    typer.Option(metavar="TOKEN=NUMBER", help=f"Multiplier of a new token; {_PAIR}."),
]
Name = Annotated[str | None, typer.Option(help="Name of a new dataset.")]
DataSource = Annotated[str | None, typer.Option(help="Where the data of a new one are from.")]
Licence = Annotated[str | None, typer.Option(help="On which terms.")]


def import_(
    form: Format,
    files: Files,
    out: Out,
    mapping: Mapping = None,
    only: Only = None,
    replace: Replace = False,
    trade_range: TradeRange = False,
    describe: Describe = None,
    venue: OfVenue = None,
    prices: Prices = None,
    issuer: Issuer = None,
    kind: Kind = None,
    underlying: Underlying = None,
    multiplier: Multiplier = None,
    name: Name = None,
    source: DataSource = None,
    licence: Licence = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Read files of others into a dataset: all of them, or nothing."""
    from perpkit.cli.console import stages
    from perpkit.cli.leaving import saved
    from perpkit.sources.files import About, import_files

    about = About(
        describe=describe,
        name=name,
        source=source,
        licence=licence,
        prices=prices,
        venue=venue,
        issuer=issuer,
        kind=kind,
        underlyings=_pairs(underlying, "--underlying"),
        multipliers=_numbers(_pairs(multiplier, "--multiplier")),
    )
    refuse_both(quiet=quiet, as_json=as_json)
    with stages("bytes", says=f"nothing was written to {out}", quiet=quiet) as under_way:
        under_way.stage("reading files")

        def show(read: int, whole: int) -> None:
            under_way.progress(read, whole)
            if read == whole:
                under_way.stage("writing the dataset")
                saved(
                    f"{out} has all of the files or nothing of them; it does no harm to run again"
                )

        done = import_files(
            _mapping(form, mapping),
            files,
            out,
            about=about,
            only=_listed(only),
            replace=replace,
            trade_range=trade_range,
            progress=show,
        )
        saved(f"all of the files is in {out}")
    if not quiet:
        _print(done, as_json=as_json)


def _mapping(form: str, file: Path | None) -> FileMap:
    from perpkit.errors import RequestError
    from perpkit.sources.files import built_in, read_mapping

    if form != "generic":
        if file is not None:
            raise RequestError(f"--mapping goes with the format generic, not with {form}")
        return built_in(form)
    if file is None:
        raise RequestError("the format generic needs --mapping, a TOML file that names columns")
    return read_mapping(file)


def _listed(text: str | None) -> list[str]:
    return [] if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _pairs(told: list[str] | None, option: str) -> dict[str, str]:
    from perpkit.errors import RequestError

    pairs: dict[str, str] = {}
    for text in told or ():
        name, sign, value = text.partition("=")
        if not (name and sign and value):
            raise RequestError(f'{option} is "{text}"; write it as NAME=VALUE')
        pairs[name] = value
    return pairs


def _numbers(pairs: dict[str, str]) -> dict[str, float]:
    from perpkit.errors import RequestError

    made: dict[str, float] = {}
    for name, text in pairs.items():
        try:
            made[name] = float(text)
        except ValueError as e:
            raise RequestError(f'--multiplier {name} is "{text}"; write a number') from e
    return made


def _print(done: Imported, *, as_json: bool) -> None:
    if as_json:
        from perpkit.export import as_json as to_json

        print(to_json(done.to_dict()), end="")
        return
    from perpkit.cli.lines import Lines
    from perpkit.units import stamp

    out = Lines()
    first, last = (stamp((ms or 0) * 1_000_000) for ms in (done.first_ms, done.last_ms))
    files = f"{done.files:,} file{'' if done.files == 1 else 's'}"
    out.say(f"{done.folder}: {files} into {done.table}, {first} to {last}", "bold")
    out.table(
        ("instrument", "rows"), [(name, f"{rows:,}") for name, rows in sorted(done.rows.items())]
    )
    for note in done.notes:
        out.wrap("  ", note)
