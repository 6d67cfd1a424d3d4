"""The type of `bitlif.model.engine.words` for Numba, which is imported by this module only."""

from __future__ import annotations

import operator
from typing import Any

from numba.core import types
from numba.core.typeconv.castgraph import Conversion
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, lower_cast, models, register_model

from .words import WORD_BITS, wide, word


class WordType(types.Type):
    """An integer of 32 bits whose sums, products and shifts have 32 bits as well."""

    bitwidth = WORD_BITS

    def __init__(self) -> None:
        super().__init__(name="word")

    def unify(self, typingctx: Any, other: Any) -> Any:
        """Return the type of a variable that holds a word or an integer."""
        return self if isinstance(other, types.Integer | types.Boolean) else None

    def can_convert_from(self, typingctx: Any, other: Any) -> Any:
        """Return how an integer becomes a word."""
        return Conversion.unsafe if isinstance(other, types.Integer | types.Boolean) else None


WORD = WordType()

register_model(WordType)(models.IntegerModel)


@lower_cast(types.Integer, WordType)
@lower_cast(types.Boolean, WordType)
def _to_word(context: Any, builder: Any, source: Any, target: Any, value: Any) -> Any:
    if isinstance(source, types.Literal):
        value = context.get_constant(source.literal_type, source.literal_value)
        source = source.literal_type
    kind = context.get_value_type(target)
    if value.type.width >= WORD_BITS:
        return builder.trunc(value, kind)
    signed = getattr(source, "signed", False)
    return builder.sext(value, kind) if signed else builder.zext(value, kind)


def _operator(function: Any, result: Any, emit: Any) -> None:
    """Define a function of two numbers, of which at least one is a word."""

    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) != 2 or WORD not in args:
                return None
            if all(isinstance(own, WordType | types.Integer | types.Boolean) for own in args):
                return signature(result, WORD, WORD)
            return None

    infer_global(function)(Template)
    lower_builtin(function, WORD, WORD)(lambda context, builder, sig, args: emit(builder, *args))


def _select(comparison: str) -> Any:
    return lambda builder, a, b: builder.select(builder.icmp_signed(comparison, a, b), a, b)


_ARITHMETIC = {
    "add": "add", "sub": "sub", "mul": "mul", "and": "and_", "or": "or_", "xor": "xor",
    "lshift": "shl", "rshift": "ashr",
}  # fmt: skip
for _name, _emitted in _ARITHMETIC.items():
    for _function in (f"__{_name}__", f"__i{_name}__"):
        _operator(
            getattr(operator, _function), WORD,
            lambda builder, a, b, own=_emitted: getattr(builder, own)(a, b),
        )  # fmt: skip
for _name, _sign in {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}.items():
    _operator(
        getattr(operator, _name), types.boolean,
        lambda builder, a, b, own=_sign: builder.icmp_signed(own, a, b),
    )  # fmt: skip
_operator(min, WORD, _select("<"))
_operator(max, WORD, _select(">"))


@infer_global(operator.neg)
class _Negation(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(WORD, WORD) if args == (WORD,) else None


@lower_builtin(operator.neg, WORD)
def _negated(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.neg(args[0])


@infer_global(word)
class _Word(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(WORD, WORD) if len(args) == 1 else None


@infer_global(wide)
class _Wide(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        taken = WORD if args == (WORD,) else types.int64
        return signature(types.int64, taken) if len(args) == 1 else None


@lower_builtin(word, WORD)
@lower_builtin(wide, types.int64)
def _unchanged(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return args[0]


@lower_builtin(wide, WORD)
def _widened(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.sext(args[0], context.get_value_type(types.int64))
