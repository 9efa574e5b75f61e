"""Tuples of arrays passed to rules by pointer.

Numba passes a tuple to a function as all of its scalars, and an array is seven: the book and the
tape were 1,200 arguments of every rule, taken apart and put together again at each call. That made
most of the compile time and none of the run time, as all of it is gone once the rules are inlined.
A tuple that is lent is one pointer, and a field is loaded where a rule reads it.

Inlined, the pointer goes too, unless it has to be computed: of ``a.x if this else a.y`` the
compiler may make one load from one of two places. Then the tuple stays in memory, and an hour of
one market costs 80 ns more. ``x, y = a.x, a.y`` before the choice avoids it.

Only for code that does not count references, as the loops do not: a lent array is not counted.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

from numba import types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    infer_getattr,
    lower_builtin,
    lower_getattr_generic,
    register_model,
    type_callable,
)

Tuple = TypeVar("Tuple", bound=tuple[Any, ...])


def lend(told: Tuple) -> Tuple:
    """The same tuple; in compiled code a pointer to it, which holds until the caller returns.

    What lends must therefore not return what it lent.
    """
    return told


class Lent(types.Type):  # type: ignore[misc]  # numba has no types
    """The type of a lent named tuple; its fields are reached by name alone."""

    def __init__(self, held: Any) -> None:
        self.held = held
        # The full name tells each array: symbols made of it were most of the code's text.
        told = hashlib.sha256(held.name.encode()).hexdigest()[:12]
        super().__init__(f"Lent({held.instance_class.__name__}_{told})")


@register_model(Lent)
class _LentModel(PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Lent) -> None:
        super().__init__(dmm, fe_type, dmm.lookup(fe_type.held).get_value_type().as_pointer())


def _field(lent: Lent, name: str) -> int:
    fields: tuple[str, ...] = lent.held.fields
    return fields.index(name)


@infer_getattr
class _LentAttribute(AttributeTemplate):  # type: ignore[misc]
    key = Lent

    def generic_resolve(self, lent: Lent, name: str) -> Any:
        """The type of a field; a tuple in a lent one is lent itself."""
        if name not in lent.held.fields:
            return None
        found = lent.held.types[_field(lent, name)]
        return Lent(found) if isinstance(found, types.BaseNamedTuple) else found


@lower_getattr_generic(Lent)  # type: ignore[untyped-decorator]
def _load(context: Any, builder: Any, lent: Lent, pointer: Any, name: str) -> Any:
    number = _field(lent, name)
    place = cgutils.gep_inbounds(builder, pointer, 0, number)
    is_tuple = isinstance(lent.held.types[number], types.BaseNamedTuple)
    return place if is_tuple else builder.load(place)


@type_callable(lend)  # type: ignore[untyped-decorator]
def _type_lend(context: Any) -> Any:
    def typer(told: Any) -> Any:
        if isinstance(told, types.BaseNamedTuple):
            return Lent(told)
        return told if isinstance(told, Lent) else None

    return typer


@lower_builtin(lend, types.BaseNamedTuple)  # type: ignore[untyped-decorator]
def _lend_tuple(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    place = cgutils.alloca_once(builder, args[0].type)
    builder.store(args[0], place)
    return place


@lower_builtin(lend, Lent)  # type: ignore[untyped-decorator]
def _lend_lent(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return args[0]
