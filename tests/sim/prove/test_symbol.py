"""Symbols behave as the integers of Python, on every branch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from bitwuzla import Kind

from bitlif.model.fixed import round_shift, saturate, stochastic_shift
from bitlif.model.interval import Interval
from bitlif.sim.prove import solver
from bitlif.sim.prove.branches import follow
from bitlif.sim.prove.lift import lifted
from bitlif.sim.prove.polynomial import word
from bitlif.sim.prove.symbol import Symbol, fresh, merged, settled, value_of, word_of
from bitlif.sim.prove.terms import constant, make, width_of

REACHES = Interval(-5, 6), Interval(0, 4)

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda x, y: x + y + 3,
    "difference": lambda x, y: 4 - x - y,
    "product": lambda x, y: x * y * 3,
    "negative": lambda x, y: -x,
    "magnitude": lambda x, y: abs(x - y),
    "shifts": lambda x, y: ((x << 3) + y) >> 2,
    "and": lambda x, y: (x & 7) + (x & y) + (y & 5),
    "or": lambda x, y: (y | (x & 3) << 3) + (y | 6),
    "xor": lambda x, y: (x ^ y) + (y ^ 5),
    "ones": lambda x, y: (y + 3).bit_count(),
    "comparisons": lambda x, y: (
        (x < y) + 2 * (x <= y) + 4 * (x > y) + 8 * (x >= y) + 16 * (x == y) + 32 * (x != y)
    ),
    "branches": lambda x, y: min(max(x, -3), y) if x < 2 else y - x if y else 7,
    "saturate": lambda x, y: saturate(x * y, -8, 7),
    "rounding": lambda x, y: round_shift(x * 5 - y, 2, 2),
    "stochastic": lambda x, y: stochastic_shift(x, 1, 2, 2, y, 3),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_value_is_that_of_integers(name: str) -> None:
    operation = OPERATIONS[name]
    (x, within), (y, also) = fresh("x", REACHES[0]), fresh("y", REACHES[1])
    found = follow(operation, settled, merged, x, y)
    results = found if isinstance(found, tuple) else (found,)
    pairs = itertools.product(*(range(reach.low, reach.high + 1) for reach in REACHES))
    for a, b in pairs:
        expected = operation(a, b)
        expected = expected if isinstance(expected, tuple) else (expected,)
        case = [
            make(Kind.EQUAL, word_of(symbol, 8), constant(value, 8))
            for symbol, value in ((x, a), (y, b))
        ]
        for result, value in zip(results, expected, strict=True):
            term = word(value_of(result))
            wrong = solver.unequal(term, int(value))
            answer = solver.decide(wrong, [within, also, *case], {}, term, 10)
            assert answer.result == solver.PROVED, (a, b, value)
            if isinstance(result, Symbol):
                assert result.interval.low <= value <= result.interval.high
                assert width_of(term) >= result.interval.bits


def test_shipped_functions_run_unchanged() -> None:
    x, _ = fresh("x", Interval(-1000, 1000))
    value, flag = lifted(saturate)(x, -8, 7)
    assert (value.interval, flag.interval) == (Interval(-8, 7), Interval(0, 1))
    assert saturate(9, -8, 7) == (7, True)
    assert lifted(saturate)(9, -8, 7) == (7, True)


def test_condition_outside_of_a_path_raises() -> None:
    x, _ = fresh("x", Interval(0, 1))
    with pytest.raises(RuntimeError, match="only on a path"):
        bool(x)
