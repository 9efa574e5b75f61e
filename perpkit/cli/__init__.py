"""The ``perpkit`` command."""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys

import typer
from typer.exceptions import TyperException

from perpkit.cli.backtest import backtest
from perpkit.cli.data import data
from perpkit.cli.eligibility import eligibility
from perpkit.cli.financing import financing
from perpkit.cli.infer import infer
from perpkit.cli.leaving import STOPPED, saved, say, sentence
from perpkit.cli.markets import markets
from perpkit.cli.report import report
from perpkit.cli.rules import rules
from perpkit.cli.settlement import settlement
from perpkit.cli.strategy import strategy
from perpkit.cli.strategy_help import OfStrategy
from perpkit.cli.version import show_version
from perpkit.errors import PerpkitError

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
    saved()
    # Its colours need colorama, where that is installed, which resets the terminal at the end.
    os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")
    _escape_what_cannot_be_encoded()
    try:
        code = app(told, prog_name="perpkit", standalone_mode=False)
        sys.stdout.flush()  # here and not at the end of the process, where nobody would answer
    except (KeyboardInterrupt, typer.Abort):
        return _stopped()
    except (BrokenPipeError, SystemExit):  # the latter is what rich makes of the former
        return _unread()
    except Exception as e:
        return _answer(e, debug="--debug" in told)
    if code == STOPPED:  # typer turns Ctrl-C into this code
        return _stopped()
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


def _escape_what_cannot_be_encoded() -> None:
    """Print a character that standard output has no code for as JSON would, and do not fail."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and out.errors == "strict" and out.encoding != "utf-8":
        codecs.register_error("perpkit.escaped", _escaped)
        out.reconfigure(errors="perpkit.escaped")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):  # there is no other of writing
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _unread() -> int:
    """Whoever read the output has gone, as ``| head`` does: that is no fault of the command."""
    _drop_output()
    return 0


def _stopped() -> int:
    """Ctrl-C ended the command: what waits for a reader, as of ``| less``, is not printed."""
    _drop_output()
    return _say(sentence(), STOPPED, debug=False)


def _drop_output() -> None:
    """Let what is still to be printed go nowhere: Python tries it again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(told: str, code: int, *, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    say(told)
    return code
