"""Following every branch of a function whose conditions are symbols, and merging what it returns.

A function runs once per path. At the first condition without a decision the path takes the true
branch; the other one is followed afterwards, by running the function again. No branch is left out:
one that cannot be reached is merged under a condition that never holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bitwuzla import Kind

from bitlif.model.interval import Interval

from .terms import Term, both, make

Facts = dict[Any, Interval]
"""What a decision says about the intervals of polynomials."""


class Path:
    """The decisions of one run of a function, and what follows from them.

    Parameters
    ----------
    decisions : tuple of bool
        The branches to take first; after them, the true ones.
    """

    def __init__(self, decisions: tuple[bool, ...]) -> None:
        self._decisions = decisions
        self.conditions: list[Term] = []
        self.taken: list[Term] = []
        self.facts: Facts = {}

    def decide(self, condition: Term, facts: tuple[Facts, Facts]) -> bool:
        """Return the branch that this path takes; `facts` are those if it holds, and if not."""
        number = len(self.conditions)
        self.conditions.append(condition)
        taken = self._decisions[number] if number < len(self._decisions) else True
        self.taken.append(condition if taken else make(Kind.NOT, condition))
        own = facts[0] if taken else facts[1]
        self.facts.update(own)
        _believed.extend((both(_decided()), value, interval) for value, interval in own.items())
        return taken


_paths: list[Path] = []
"""The paths under way, the innermost last."""

Belief = tuple[Term, Any, Interval]
"""A condition, a polynomial, and the interval that it has where the condition holds."""

_believed: list[Belief] = []
"""What decisions have said so far."""


def beliefs() -> list[Belief]:
    """Return what decisions have said since the last call, for the solver to confirm."""
    made = list(_believed)
    _believed.clear()
    return made


def _decided() -> list[Term]:
    """Return the conditions that hold on the paths under way."""
    return [condition for path in _paths for condition in path.taken]


def decide(condition: Term, facts: tuple[Facts, Facts]) -> bool:
    """Return the branch that the path under way takes at a condition."""
    if not _paths:
        raise RuntimeError("a condition on symbols can be decided only on a path")
    return _paths[-1].decide(condition, facts)


def known_interval(polynomial: Any) -> Interval | None:
    """Return the interval that the paths under way know of a polynomial, if any."""
    for path in reversed(_paths):
        if polynomial in path.facts:
            return path.facts[polynomial]
    return None


def follow(
    function: Callable[..., Any],
    settle: Callable[[Any], Any],
    merge: Callable[[Term, Any, Any], Any],
    *arguments: Any,
    **named: Any,
) -> Any:
    """Return what a function returns, merged over all of its branches.

    Parameters
    ----------
    function : callable
        Must not change its arguments: it runs once per path.
    settle : callable
        Called with the result of a path while its decisions are known.
    merge : callable
        Returns the first of two results where a condition holds, else the second.
    """

    def explore(decisions: tuple[bool, ...]) -> Any:
        path = Path(decisions)
        _paths.append(path)
        try:
            result = settle(function(*arguments, **named))
        finally:
            _paths.pop()
        taken = decisions + (True,) * (len(path.conditions) - len(decisions))
        for number in range(len(path.conditions) - 1, len(decisions) - 1, -1):
            other = explore((*taken[:number], False))
            result = merge(path.conditions[number], result, other)
        return result

    return explore(())
