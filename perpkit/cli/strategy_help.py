"""``perpkit backtest STRATEGY --help``: the command's options, then the strategy's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

_TOLD = "perpkit.told"


class OfStrategy(TyperCommand):
    """A command whose help tells the parameters of the strategy that is named beside it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep what was told: help is given before the strategy is read."""
        ctx.meta[_TOLD] = self._named(args)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help of the command, then the parameters."""
        super().format_help(ctx, formatter)
        name = ctx.meta.get(_TOLD)
        if name is None:
            return
        from perpkit.cli.lines import Lines
        from perpkit.cli.strategy import print_parameters
        from perpkit.strategy.portfolio import load

        loaded = load(name)
        out = Lines()
        out.say(f" Parameters of {loaded.name}", "bold")
        print_parameters(loaded.parameters, out)

    def _named(self, args: Sequence[str]) -> str | None:
        """The first word that is neither an option nor the value of one."""
        valued = {
            word
            for option in self.params
            if not getattr(option, "is_flag", False)
            for word in option.opts
            if word.startswith("-")
        }
        value = False
        for word in args:
            if not word.startswith("-"):
                if not value:
                    return word
                value = False
            else:
                value = word in valued
        return None
