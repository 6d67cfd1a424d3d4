"""Polynomials: their rules, against integers."""

from __future__ import annotations

import random

import pytest
from bitwuzla import Kind

from bitlif.model.interval import Interval
from bitlif.sim.prove import polynomial, solver
from bitlif.sim.prove.polynomial import ATOMS, Polynomial
from bitlif.sim.prove.symbol import fresh, value_of
from bitlif.sim.prove.terms import make, resized, width_of

REACH = Interval(-100, 90)


def evaluated(p: Polynomial, values: dict[int, int]) -> int:
    """Return the value of a polynomial for values of its inputs, by the number of their atoms."""
    total = 0
    for own, count in p:
        for number in own:
            shifted = ATOMS[number].shifted
            if shifted is None:
                count *= values[number]
            else:
                count *= evaluated(shifted[0], values) >> shifted[1]
        total += count
    return total


def variables(count: int) -> tuple[list[Polynomial], list[int]]:
    made = [value_of(fresh(f"x{k}", REACH)[0]) for k in range(count)]
    return made, [own[0][0][0] for own in made]


@pytest.mark.parametrize("seed", range(200))
def test_operations_are_those_of_integers(seed: int) -> None:
    rng = random.Random(seed)
    known, numbers = variables(3)
    steps = []
    for _ in range(8):
        one, two, places = rng.choice(known), rng.choice(known), rng.randint(0, 5)
        kind = rng.choice("+-*>=<")
        made = {
            "+": lambda p, q, k: polynomial.added(p, q),
            "-": lambda p, q, k: polynomial.added(p, q, -1),
            "*": lambda p, q, k: polynomial.multiplied(p, q) if len(p) * len(q) < 20 else p,
            ">": lambda p, q, k: polynomial.shifted(p, k),
            "=": lambda p, q, k: polynomial.added(p, polynomial.fixed(k)),
            "<": lambda p, q, k: polynomial.scaled(p, 1 << k),
        }[kind](one, two, places)
        steps.append((kind, one, two, places, made))
        known.append(made)
    for _ in range(10):
        values = dict.fromkeys(range(len(ATOMS)), 0)
        values |= {number: rng.randint(-100, 90) for number in numbers}
        for kind, one, two, places, made in steps:
            a, b = evaluated(one, values), evaluated(two, values)
            expected = {
                "+": a + b, "-": a - b, "*": a * b if len(one) * len(two) < 20 else a,
                ">": a >> places, "=": a + places, "<": a << places,
            }[kind]  # fmt: skip
            reach = polynomial.interval(made)
            assert evaluated(made, values) == expected
            assert reach.low <= expected <= reach.high


def test_equal_values_have_one_form() -> None:
    (x, y, z), _ = variables(3)
    add, times, shift = polynomial.added, polynomial.multiplied, polynomial.shifted
    assert times(x, add(y, z)) == add(times(y, x), times(z, x))
    assert shift(shift(x, 2), 3) == shift(x, 5)
    assert shift(add(shift(x, 2), y), 3) == shift(add(x, polynomial.scaled(y, 4)), 5)
    assert shift(polynomial.scaled(x, 8), 5) == shift(x, 2)
    assert shift(add(polynomial.scaled(x, 32), y), 5) == add(x, shift(y, 5))
    assert shift(x, 7) == shift(x, 60)


@pytest.mark.parametrize("places", range(6))
def test_solver_confirms_words_of_sums_and_shifts(places: int) -> None:
    (one, within), (two, also) = fresh("x", REACH), fresh("y", REACH)
    x, y = value_of(one), value_of(two)
    total = polynomial.added(polynomial.scaled(x, 5), polynomial.multiplied(x, y), -3)
    p = polynomial.added(polynomial.shifted(total, places), y)
    narrow, wide = polynomial.word(p), polynomial.wide_word(p)
    width = max(width_of(narrow), width_of(wide))
    pair = [resized(own, width, signed=True) for own in (narrow, wide)]
    answer = solver.decide(make(Kind.DISTINCT, *pair), [within, also], {}, narrow, 60)
    assert answer.result == solver.PROVED
