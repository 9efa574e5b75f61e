"""The ``perpkit`` command."""

from __future__ import annotations

import errno
import os
import sys

import typer
from typer.exceptions import TyperException

from perpkit.cli.backtest import backtest
from perpkit.cli.data import data
from perpkit.cli.eligibility import eligibility
from perpkit.cli.financing import financing
from perpkit.cli.infer import infer
from perpkit.cli.markets import markets
from perpkit.cli.report import report
from perpkit.cli.rules import rules
from perpkit.cli.settlement import settlement
from perpkit.cli.strategy import strategy
from perpkit.cli.strategy_help import OfStrategy
from perpkit.cli.version import show_version
from perpkit.errors import PerpkitError

_STOPPED = 130
_FULL = (errno.ENOSPC, errno.EDQUOT)

app = typer.Typer(
    name="perpkit",
    help="Backtest tokenized stocks held against on-chain equity perpetuals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
rules.command("eligibility")(eligibility)
rules.command("infer")(infer)
app.command(cls=OfStrategy)(backtest)
app.command()(report)
app.add_typer(strategy, name="strategy")
app.add_typer(data, name="data")
app.add_typer(rules, name="rules")
app.add_typer(markets, name="markets")
app.add_typer(settlement, name="settlement")
app.add_typer(financing, name="financing")
app.callback()(show_version)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 0 done, 2 request, 3 data, 4 strategy, 1 a bug."""
    told = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(told, prog_name="perpkit", standalone_mode=False)
        sys.stdout.flush()  # here and not at the end of the process, where nobody would answer
    except (KeyboardInterrupt, typer.Abort):
        return stopped()
    except (BrokenPipeError, SystemExit):  # the latter is what rich makes of the former
        return _unread()
    except Exception as e:
        return _answer(e, debug="--debug" in told)
    if code == _STOPPED:  # typer turns Ctrl-C into this code
        return stopped()
    return code if isinstance(code, int) else 0


def _answer(error: Exception, *, debug: bool) -> int:
    """Say what went wrong; the exit code."""
    if isinstance(error, PerpkitError):
        return _say(str(error), error.exit_code, debug=debug)
    if isinstance(error, TyperException):
        if not error.format_message():  # no command was named, and the help is printed
            return 2
        return _say(f"{error.format_message().rstrip('.')}; see perpkit --help", 2, debug=False)
    if isinstance(error, OSError) and error.errno in _FULL:
        _drop_output()
        return _say(f"the disk is full ({error}); make room and run again", 2, debug=debug)
    where = f"{type(error).__name__}: {error}"
    return _say(f"a bug in perpkit ({where}); please report it with --debug", 1, debug=debug)


def _unread() -> int:
    """Whoever read the output has gone, as ``| head`` does: that is no fault of the command."""
    _drop_output()
    return 0


def _drop_output() -> None:
    """Let what is still to be printed go nowhere: Python tries it again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stopped() -> int:
    """Say that Ctrl-C ended the command; its exit code."""
    return _say("stopped; nothing was written", _STOPPED, debug=False)


def _say(sentence: str, code: int, *, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(f"perpkit: {' '.join(sentence.split())}", file=sys.stderr)  # one line, whatever it quotes
    return code
