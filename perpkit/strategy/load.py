"""Finding and loading a strategy file."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from perpkit.errors import StrategyError, nearest
from perpkit.rule import digest
from perpkit.shipped import shipped_folder, user_folder
from perpkit.strategy.params import Parameter, memory_dtype, parameters
from perpkit.strategy.wording import returned_at

GROUP = "perpkit.strategies"
PORTFOLIO = ".toml"  # how the name of its file ends
HELPERS = Path(__file__).with_name("helpers.py")  # which any strategy may have compiled in
DECIDE_ARGUMENTS = 6
# Names that a numpy record already has: a field of that name could not be reached.
_RESERVED = frozenset(dir(np.recarray)) | frozenset(dir(np.record))
_helpers: set[str] = set()


@dataclass(frozen=True, slots=True)
class Strategy:
    """A loaded strategy file."""

    name: str
    file: Path
    doc: str
    parameters: tuple[Parameter, ...]
    memory: np.dtype[Any]
    decide: Callable[..., None] | None
    targets: Callable[..., Any] | None
    sources: tuple[Path, ...]  # the file and what it imports of its own
    constants: str = ""  # values of those modules' globals, which compiled code holds as constants
    requires: Callable[..., Any] | None = None  # says what a run lacks; see perpkit.strategy.supply
    modules: tuple[ModuleType, ...] = field(default=(), compare=False, repr=False)  # the sources'
    members: tuple[Member, ...] = ()  # of a portfolio

    @property
    def digest(self) -> str:
        """Digest of the file, its own imports, perpkit's helpers, globals and the interpreter."""
        own = (self.file,) if self.members else ()  # no source of its compiled code
        return digest((*own, *self.sources, HELPERS), self.constants)


@dataclass(frozen=True, slots=True)
class Member:
    """One strategy of a portfolio."""

    name: str
    share: float  # of the capital
    strategy: Strategy
    # Bound: those of the portfolio's file, else the defaults.
    params: dict[str, Any] = field(hash=False)


class Place(NamedTuple):
    """Where a strategy that runs by name comes from."""

    file: Path
    origin: str  # shipped, yours or installed


def offered() -> dict[str, Place]:
    """Strategies that run by name: shipped, in the user's folder, and installed."""
    found: dict[str, Place] = {}
    folders = {"shipped": shipped_folder("strategies"), "yours": user_folder() / "strategies"}
    for origin, folder in folders.items():
        for file in sorted(folder.glob("*.py")) if folder.is_dir() else ():
            if not file.name.startswith(("_", "test_")):
                found.setdefault(file.stem, Place(file, origin))
    for point in entry_points(group=GROUP):
        source = _origin(point.module)
        if source is not None:
            found.setdefault(point.name, Place(Path(source), "installed"))
    return found


def places() -> dict[str, Path]:
    """Files of the strategies that run by name."""
    return {name: place.file for name, place in offered().items()}


def _origin(module: str) -> str | None:
    try:
        spec = importlib.util.find_spec(module)
    except Exception:  # somebody else's broken package must not stop this run
        return None
    return None if spec is None else spec.origin


def find(what: str) -> Path:
    """The file of a strategy given by path or by name.

    Raises
    ------
    StrategyError
        If there is no such file or name.
    """
    if what.endswith(PORTFOLIO):
        raise StrategyError(
            f"{what}: is a portfolio and no strategy of its own; name the strategy of a member"
        )
    if _is_path(what):
        file = Path(what)
        if not file.is_file():
            raise StrategyError(f"{what}: there is no such strategy file; check the path")
        return file.resolve()
    known = places()
    if what not in known:
        raise StrategyError(f"no strategy is called {what}: {nearest(what, known)}")
    return known[what].resolve()


def _is_path(what: str) -> bool:
    return what.endswith(".py") or "/" in what or "\\" in what


def load(what: str) -> Strategy:
    """Load a strategy by path, by name or by entry point.

    Raises
    ------
    StrategyError
        If the file cannot be found, does not import, or does not define what a strategy needs.
    """
    file = find(what)
    module = _import(file)
    where = file.name
    decide, targets = getattr(module, "decide", None), getattr(module, "targets", None)
    if (decide is None) == (targets is None):
        raise StrategyError(
            f"{where}: a strategy defines either decide(t, past, book, p, mine, target) "
            "or targets(tape); this file defines " + ("neither" if decide is None else "both")
        )
    if decide is not None:
        _check_decide(decide, where)
    requires = getattr(module, "requires", None)
    if requires is not None:
        _check_requires(requires, where)
    known = parameters(getattr(module, "Params", None), where)
    if targets is not None:
        _check_targets(targets, where, bool(known))
    memory = memory_dtype(getattr(module, "Memory", None), where)
    for name in [p.name for p in known] + [n for n in memory.names or () if n != "_"]:
        if name in _RESERVED:
            raise StrategyError(f"{where}: {name} is a word numpy keeps for itself; rename it")
    own = {file: module} | dict(_own_imports(file, module))
    constants = "".join(_constants(x) for x in own.values())
    doc = (module.__doc__ or "").strip().partition("\n")[0]
    name = file.stem if _is_path(what) else what
    return Strategy(
        name,
        file,
        doc,
        known,
        memory,
        decide,
        targets,
        tuple(own),
        constants,
        requires,
        tuple(own.values()),
    )


@contextmanager
def in_place(strategy: Strategy) -> Iterator[None]:
    """Have a strategy's modules where imports find them, as they were when it was loaded.

    Loading another strategy takes them away, and numba, which names compiled code by its module,
    could not find that code in its cache again.
    """
    before = {module.__name__: sys.modules.get(module.__name__) for module in strategy.modules}
    sys.modules.update({module.__name__: module for module in strategy.modules})
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


def _check_decide(decide: Callable[..., None], where: str) -> None:
    if not inspect.isfunction(decide) or inspect.isgeneratorfunction(decide):
        raise StrategyError(
            f"{where}: decide is not a plain function; write def decide(t, past, book, p, mine, "
            "target) that sets target and returns nothing"
        )
    names = list(inspect.signature(decide).parameters)
    if len(names) != DECIDE_ARGUMENTS:
        raise StrategyError(
            f"{where}:{decide.__code__.co_firstlineno}: decide takes "
            f"(t, past, book, p, mine, target), this one takes ({', '.join(names)})"
        )
    line = returned_at(decide)
    if line is not None:
        raise StrategyError(
            f"{where}:{line}: decide returns something, which nobody reads; write what to hold to "
            "target.perps[m] and target.tokens[k]"
        )


def _check_targets(targets: Callable[..., Any], where: str, with_params: bool) -> None:
    if not inspect.isfunction(targets) or inspect.isgeneratorfunction(targets):
        raise StrategyError(
            f"{where}: targets is not a plain function; write def targets(tape, p) that returns "
            "the plan"
        )
    names = list(inspect.signature(targets).parameters)
    wanted = ["tape", "p"] if with_params else ["tape"]
    if len(names) != len(wanted):
        raise StrategyError(
            f"{where}:{targets.__code__.co_firstlineno}: targets takes ({', '.join(wanted)}) in a "
            f"file {'with' if with_params else 'without'} Params, this one takes "
            f"({', '.join(names)})"
        )


def _check_requires(requires: Callable[..., Any], where: str) -> None:
    if not inspect.isfunction(requires) or inspect.isgeneratorfunction(requires):
        raise StrategyError(
            f"{where}: requires is not a plain function; write def requires(supply) that returns "
            "what is missing, or rename it"
        )
    names = list(inspect.signature(requires).parameters)
    if len(names) != 1:
        raise StrategyError(
            f"{where}:{requires.__code__.co_firstlineno}: requires takes (supply), this one takes "
            f"({', '.join(names)})"
        )


def _import(file: Path) -> ModuleType:
    # Helpers of another strategy must not stand in for this one's of the same name.
    for name in _helpers:
        sys.modules.pop(name, None)
    _helpers.clear()
    before = set(sys.modules)
    name = f"perpkit_strategy_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise StrategyError(f"{file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(file.parent))
    # Bytecode is told from its source by the second and the size: an edit within that would run as
    # it was, and be cached under the digest of the new text.
    before_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    except SyntaxError as e:
        place = file.name if e.filename is None else f"{Path(e.filename).name}:{e.lineno}"
        raise StrategyError(f"{place}: {e.msg}") from e
    except (Exception, SystemExit) as e:
        line = line_of(e, file)
        raise StrategyError(f"{file.name}{line}: {type(e).__name__}: {e}") from e
    finally:
        sys.dont_write_bytecode = before_bytecode
        sys.path.remove(str(file.parent))
        _helpers.update(_beside(file.parent, set(sys.modules) - before))
    return module


def line_of(error: BaseException, file: Path) -> str:
    """Where in the file an error came from: ``":12"``, or nothing."""
    line = ""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = f":{trace.tb_lineno}"
        trace = trace.tb_next
    return line


def place_of(error: BaseException, sources: tuple[Path, ...]) -> str:
    """File and line, of these files, where an error came from; "" for none of them."""
    own = {str(path): path.name for path in sources}
    found, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file in own:
            found = f"{own[file]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _beside(folder: Path, names: set[str]) -> Iterator[str]:
    for name in names:
        origin = getattr(sys.modules.get(name), "__file__", None)
        if origin is not None and Path(origin).is_relative_to(folder):
            yield name


def _constants(module: ModuleType) -> str:
    """The module's plain values: they may come from a file or a clock that no source shows."""
    told: list[tuple[Any, ...]] = []
    for name, value in sorted(vars(module).items()):
        if name.startswith("__"):
            continue
        if isinstance(value, np.ndarray):
            told.append((name, str(value.dtype), value.shape, value.tobytes()))
        elif isinstance(value, (bool, int, float, complex, str, tuple, np.generic)):
            told.append((name, repr(value)))
    return repr(told)


def _own_imports(file: Path, module: ModuleType) -> Iterator[tuple[Path, ModuleType]]:
    """Files that the strategy's numbers depend on, beside its own and perpkit's."""
    seen = {file}
    todo = [(file, module.__name__)]
    while todo:
        path, name = todo.pop()
        for wanted in _imported_names(path, name):
            origin = getattr(sys.modules.get(wanted), "__file__", None)
            if origin is None or _is_ground(wanted):
                continue
            source = Path(origin)
            if source.suffix == ".py" and source not in seen:
                seen.add(source)
                todo.append((source, wanted))
                yield source, sys.modules[wanted]


def _is_ground(name: str) -> bool:
    top = name.partition(".")[0]
    return top in sys.stdlib_module_names or top in {"perpkit", "numpy", "numba", "polars"}


def _imported_names(path: Path, name: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = name.rpartition(".")[0] if node.level else ""
            base = ".".join(p for p in (package, node.module or "") if p)
            yield base
            yield from (f"{base}.{a.name}" for a in node.names)
