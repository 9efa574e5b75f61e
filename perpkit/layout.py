"""What an array of :mod:`perpkit.arrays` is laid out as, and how to make one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import prod
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray


class Axes(NamedTuple):
    """Dtype and axis names of one array."""

    dtype: Any
    names: tuple[str, ...]


Tuple = TypeVar("Tuple", bound=tuple[Any, ...])


@cache
def layout(cls: type[tuple[Any, ...]]) -> dict[str, Any]:
    """Each field's :class:`Axes`, or its type where it is a scalar or another tuple."""
    hints = get_type_hints(cls, include_extras=True)
    return {
        name: get_args(hint)[1] if get_origin(hint) is Annotated else hint
        for name, hint in hints.items()
    }


def readonly(told: Tuple) -> Tuple:
    """The same arrays, not to be written to through this tuple.

    >>> from perpkit.arrays import Target
    >>> readonly(blank(Target, M=2, K=1)).perps.flags.writeable
    False
    """
    views = {}
    for name, array in zip(layout(type(told)), told, strict=True):
        views[name] = array.view()
        views[name].flags.writeable = False
    return type(told)(**views)


# Axes of features that are off unless a size is told, their arrays being empty; and of counts.
_OFF = dict.fromkeys("BCDGHJLOQRSVWZ", 0) | {"one": 1, "three": 3}


def blank(cls: type[Tuple], **sizes: int) -> Tuple:
    """A tuple of zeroed arrays; structured ones are recarrays, so fields are attributes.

    Small arrays share one block of memory: scattered, the state of a single market would lie on
    fifty cache lines that push each other out.

    Axes of features that may be off (``B``, ``C``, ``D``, ``G``, ``H``, ``J``, ``L``, ``O``, ``Q``,
    ``R``, ``S``, ``V``, ``W``, ``Z``) need no size: without one their arrays are empty.
    ``W``, ``Z``) need no size: without one their arrays are empty.

    >>> from perpkit.arrays import Target
    >>> blank(Target, M=2, K=1).perps
    array([0., 0.])
    """
    sizes = _OFF | sizes
    small = [_bytes(axes, sizes) for axes in _leaves(cls)]
    return _carve(cls, sizes, iter(np.split(*_block([n if n < _OWN else 0 for n in small]))))


_OWN = 4_096  # bytes from which an array has memory of its own


def _bytes(axes: Axes, sizes: dict[str, int]) -> int:
    """Bytes that an array takes, up to a multiple of eight."""
    count = prod(sizes[a] for a in axes.names)
    return int(-(-count * np.dtype(axes.dtype).itemsize // 8) * 8)


def _leaves(cls: type[tuple[Any, ...]]) -> Iterator[Axes]:
    for axes in layout(cls).values():
        if isinstance(axes, Axes):
            yield axes
        else:
            yield from _leaves(axes)


def _block(sizes: list[int]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Zeroed words for all of these, and where to cut them."""
    words = np.array(sizes, np.int64) // 8
    return np.zeros(int(words.sum()), np.uint64), np.cumsum(words)[:-1]


def _carve(cls: type[Tuple], sizes: dict[str, int], cuts: Iterator[NDArray[np.uint64]]) -> Tuple:
    made: dict[str, Any] = {}
    for name, axes in layout(cls).items():
        if not isinstance(axes, Axes):
            made[name] = _carve(axes, sizes, cuts)
            continue
        shape, dtype, cut = [sizes[a] for a in axes.names], np.dtype(axes.dtype), next(cuts)
        if _bytes(axes, sizes) < _OWN:
            array = cut.view(np.uint8)[: prod(shape) * dtype.itemsize].view(dtype).reshape(shape)
        else:
            array = np.zeros(shape, dtype)
        made[name] = array.view(np.recarray) if dtype.names else array
    return cls(**made)
