"""The ``perpkit`` command."""

from __future__ import annotations

import sys

import typer
from typer.exceptions import TyperException

from perpkit.cli.backtest import backtest
from perpkit.cli.version import show_version
from perpkit.errors import PerpkitError

_STOPPED = 130

app = typer.Typer(
    name="perpkit",
    help="Backtest tokenized stocks held against on-chain equity perpetuals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(backtest)
app.callback()(show_version)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 0 done, 2 request, 3 data, 4 strategy, 1 a bug."""
    told = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(told, prog_name="perpkit", standalone_mode=False)
    except PerpkitError as e:
        return _say(str(e), e.exit_code, debug="--debug" in told)
    except TyperException as e:
        if not e.format_message():  # no command was named, and the help is printed
            return 2
        return _say(f"{e.format_message().rstrip('.')}; see perpkit --help", 2, debug=False)
    except (KeyboardInterrupt, typer.Abort):
        code = _STOPPED
    except Exception as e:
        where = f"{type(e).__name__}: {e}"
        return _say(
            f"a bug in perpkit ({where}); please report it with --debug", 1, debug="--debug" in told
        )
    if code == _STOPPED:  # typer turns Ctrl-C into this code
        return stopped()
    return code if isinstance(code, int) else 0


def stopped() -> int:
    """Say that Ctrl-C ended the command; its exit code."""
    return _say("stopped; nothing was written", _STOPPED, debug=False)


def _say(sentence: str, code: int, *, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(f"perpkit: {' '.join(sentence.split())}", file=sys.stderr)  # one line, whatever it quotes
    return code
