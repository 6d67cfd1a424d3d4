"""Running the shipped functions of the model on symbols.

A function is not copied or translated: its code object runs, with the functions that it calls
replaced by themselves in the same form. Functions of numbers only are merged at each call, so the
number of paths does not multiply along a step. ``int`` lets symbols pass.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from .branches import follow
from .symbol import Symbol, merged, settled

PACKAGE = "bitlif.model"


def integer(value: Any) -> Any:
    """Return a symbol itself, and anything else as an integer."""
    return value if isinstance(value, Symbol) else int(value)


def lifted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the model in a form that runs on symbols."""
    return _lifted(function, {})


def _names(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _lifted(function: Any, known: dict[Any, Any]) -> Callable[..., Any]:
    if function in known:
        return known[function]  # type: ignore[no-any-return]
    space = dict(function.__globals__)
    space["int"] = integer
    own = FunctionType(
        function.__code__, space, function.__name__, function.__defaults__, function.__closure__
    )
    own.__kwdefaults__ = function.__kwdefaults__

    def call(*arguments: Any, **named: Any) -> Any:
        if _changes(arguments) or _changes(tuple(named.values())):
            return own(*arguments, **named)
        return follow(own, settled, merged, *arguments, **named)

    known[function] = call
    for name in _names(function.__code__) & set(space):
        value = space[name]
        if isinstance(value, FunctionType) and value.__module__.startswith(PACKAGE):
            space[name] = _lifted(value, known)
    return call


def _changes(arguments: tuple[Any, ...]) -> bool:
    """Return whether a function could change one of its arguments: an array, or a tuple of them."""
    return any(
        isinstance(each, np.ndarray) or (isinstance(each, tuple) and _changes(tuple(each)))
        for each in arguments
    )
