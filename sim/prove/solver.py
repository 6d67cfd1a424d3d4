"""The solver: whether a condition never holds, and if it can, one case in which it does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

from bitwuzla import Bitwuzla, Kind, Option, Options, Result

from .polynomial import signed_bits
from .symbol import Integer, Symbol, interval_of, word_of
from .terms import TM, Term, constant, make, resized, width_of

NAME = f"Bitwuzla {metadata.version('bitwuzla')}"

PROVED, REFUTED, UNKNOWN = "proved", "refuted", "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the solver found.

    Attributes
    ----------
    result : str
        `PROVED`, `REFUTED`, or `UNKNOWN` when the time was up.
    seconds : float
    values : dict of str to int
        A case that refutes it, by the names of the symbols; empty otherwise.
    gates : int or None
        The value of the gates in this case, as an unsigned number.
    """

    result: str
    seconds: float
    values: dict[str, int]
    gates: int | None = None


def decide(
    differs: Term,
    assumptions: list[Term],
    symbols: Mapping[str, Integer],
    shown: Term,
    limit: float,
) -> Answer:
    """Return whether a condition never holds.

    Parameters
    ----------
    differs : Term
    assumptions : list of Term
    symbols : mapping of str to Integer
        What a counterexample lists.
    shown : Term
        A bit vector whose value a counterexample shows.
    limit : float
        Seconds.
    """
    options = Options()
    options.set(Option.PRODUCE_MODELS, True)
    options.set(Option.TIME_LIMIT_PER, max(int(limit * 1000), 1))
    solver = Bitwuzla(TM, options)
    for own in (*assumptions, differs):
        solver.assert_formula(own)
    start = time.perf_counter()
    result = solver.check_sat()
    seconds = time.perf_counter() - start
    if result == Result.UNSAT:
        return Answer(PROVED, seconds, {})
    if result != Result.SAT:
        return Answer(UNKNOWN, seconds, {})

    def value(term: Term) -> int:
        return int(solver.get_value(term).value(10))

    values = {}
    for name, symbol in symbols.items():
        if isinstance(symbol, Symbol):
            width = signed_bits(symbol.interval)
            raw = value(word_of(symbol, width))
            values[name] = raw - ((raw >> (width - 1)) << width)
        else:
            values[name] = int(symbol)
    return Answer(REFUTED, seconds, values, value(shown))


def unequal(term: Term, model: Integer) -> Term:
    """Return the condition that a two's complement word is not the model's value."""
    width = max(width_of(term), signed_bits(interval_of(model)))
    return make(Kind.DISTINCT, resized(term, width, signed=True), word_of(model, width))


def outside(term: Term, low: int, high: int) -> Term:
    """Return the condition that a two's complement word is outside of a range that fits it."""
    width = width_of(term)
    below = make(Kind.BV_SLT, term, constant(low, width))
    return make(Kind.OR, below, make(Kind.BV_SGT, term, constant(high, width)))
