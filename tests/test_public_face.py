"""What ``import perpkit`` and the quick answers of the command bring, and what they leave out."""

from __future__ import annotations

import subprocess
import sys

import pytest

import perpkit

HEAVY = ("numpy", "polars", "numba", "pydantic", "plotly", "pyarrow", "requests")


def modules_after(code: str) -> set[str]:
    """Top names of the modules that a fresh interpreter holds after some code."""
    tail = "\nimport sys; print('|', *{m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("|")[2].split())


def test_everything_named_is_there() -> None:
    assert sorted(perpkit.__all__) == list(perpkit.__all__)
    for name in perpkit.__all__:
        found = getattr(perpkit, name)
        assert found.__name__ == name
        assert found.__doc__
    assert perpkit.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        perpkit.nothing  # noqa: B018


def test_errors_carry_their_exit_codes() -> None:
    codes = {e: getattr(perpkit, e).exit_code for e in perpkit.__all__ if e.endswith("Error")}
    assert codes == {"DataError": 3, "PerpkitError": 1, "RequestError": 2, "StrategyError": 4}
    for name in codes:
        assert issubclass(getattr(perpkit, name), perpkit.PerpkitError)


@pytest.mark.parametrize(
    "code",
    [
        "import perpkit",
        "from perpkit.errors import DataError",
        "from perpkit.cli import main; main(['--help'])",
        "from perpkit.cli import main; main(['--version'])",
        "from perpkit.cli import main; main(['backtest', '--help'])",
        "from perpkit.cli import main; main(['data', 'check', '--help'])",
        "from perpkit.cli import main; main(['strategy', 'check', '--help'])",
        "from perpkit.cli import main; main(['rules', 'infer', '--help'])",
        "from perpkit.cli import main; main(['markets', 'funding', '--help'])",
        "from perpkit.cli import main; assert main(['backtest', '--nothing']) == 2",
        "from perpkit.cli import main; main(['rules', '--help'])",
        "from perpkit.cli import main; assert main(['rules', '--nothing']) == 2",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(code: str) -> None:
    # typer itself brings pydantic as soon as a command's own options are read.
    brought = {"pydantic"} if "main([" in code and "main(['--" not in code else set()
    assert not modules_after(code) & set(HEAVY) - brought


def test_a_run_loads_no_chart_and_no_network() -> None:
    loaded = modules_after("import perpkit; perpkit.backtest")
    assert "numba" in loaded
    assert not loaded & {"plotly", "pyarrow", "requests", "pandas"}
