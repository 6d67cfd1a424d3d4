"""The float twin's functions against exact and independent ones; bounds follow from rounding."""

from __future__ import annotations

import decimal
import functools
import itertools
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from scipy.special import log_ndtr

from bitlif.model.floating.step import (
    GAUSSIAN,
    PIECEWISE,
    TABLE,
    FloatArrays,
    FloatConstants,
    clamp,
    float_error,
    gaussian_error,
    gaussian_hazard,
    piecewise_errors,
)
from bitlif.model.noise import NoiseConfig, Pmf

U = 2.0**-53
"""Largest relative error of one rounding."""

EXACT = decimal.Context(prec=200)
"""1 - Phi(25) is 1e-138: taken from 1, it keeps 60 digits."""

SOURCES = {
    "four bytes": NoiseConfig(),
    "popcount": NoiseConfig(kind="popcount"),
    "quantiles": NoiseConfig(kind="inverse_cdf", words=1),
    "two bits": NoiseConfig(words=1, word_bits=2),
}
SOME = {"clipped": False, "guard": 1e-3, "limit": 7.0}


@functools.cache
def root_two_pi() -> Decimal:
    """Return the root of 2 pi, pi by Machin's formula."""
    with decimal.localcontext(EXACT):

        def arctan_inverse(n: int) -> Decimal:
            power = total = Decimal(1) / n
            k = 1
            while abs(power) > Decimal("1e-195"):
                power = -power / (n * n)
                k += 2
                total += power / k
            return total

        return (8 * (4 * arctan_inverse(5) - arctan_inverse(239))).sqrt()


def exact_normal(x: float) -> tuple[Decimal, Decimal, Decimal]:
    """Return phi(x), Phi(x) and 1 - Phi(x) by the Taylor series of Phi, which always converges."""
    with decimal.localcontext(EXACT):
        z = Decimal(x)
        term = total = z
        odd = 1
        while abs(term) > abs(total) * Decimal("1e-190"):
            odd += 2
            term = term * z * z / odd
            total += term
        density = (-z * z / 2).exp() / root_two_pi()
        half = Decimal("0.5")
        return density, half + density * total, half - density * total


def relative_error(found: float, exact: Decimal) -> float:
    return float(abs(EXACT.divide(EXACT.subtract(Decimal(found), exact), exact)))


def normal_rounding(x: float) -> float:
    """Return the relative error that phi(x), and each tail beyond ``|x|``, may have.

    The exponent x^2 / 2 is rounded once. The argument of erfc is rounded twice, and the tail's own
    relative change is at most ``|x| h(|x|)`` times that of its argument, with the hazard
    ``h(x) < x + 1`` for x >= 0. The libraries' exp and erfc and what is left are 16 roundings.
    """
    x = abs(x)
    return U * (x * x / 2 + 2 * x * (x + 1) + 16)


def test_clamp_is_the_nearest_number_within() -> None:
    assert [clamp(x, -1.0, 2.0) for x in (-math.inf, -1.5, -1.0, 0.5, 2.0, 3.0)] == [
        -1.0, -1.0, -1.0, 0.5, 2.0, 2.0,
    ]  # fmt: skip
    assert clamp(1e300, -math.inf, math.inf) == 1e300


def test_hazard_is_exact_up_to_rounding() -> None:
    points = (*np.linspace(-25.0, 24.999, 401), *np.random.default_rng(1).normal(0.0, 3.0, 100))
    for x in map(float, points):
        density, _, rest = exact_normal(x)
        assert relative_error(gaussian_hazard(x), density / rest) <= normal_rounding(x)


def fraction_of(x: float, terms: int) -> Fraction:
    """Return x + 1 / (x + 2 / (x + ... + terms / x)), exactly."""
    value = z = Fraction(x)
    for k in range(terms, 0, -1):
        value = z + k / value
    return value


def test_hazard_lies_between_its_convergents() -> None:
    # All parts are positive: the true value lies between any two successive convergents.
    for x in (25.0, 25.7, 31.0, 100.0, 1e4, 1e8, 1e100):
        found = Fraction(gaussian_hazard(x))
        a, b = sorted((fraction_of(x, 5), fraction_of(x, 6)))
        # The last sum is rounded once; errors further in are divided by x^2 or more.
        slack = Fraction(2 * U) * found
        assert a - slack <= found <= b + slack
        # And so it is as good as it says of itself.
        assert b - a < Fraction(1e-13) * found


def test_hazard_for_large_arguments_matches_scipy() -> None:
    points = np.concatenate((np.linspace(-37.0, 60.0, 2001), np.geomspace(60.0, 1e4, 500)))
    own = np.log([gaussian_hazard(x) for x in map(float, points)])
    squares = points**2 / 2
    other = -squares - math.log(math.sqrt(2 * math.pi)) - log_ndtr(-points)
    # Both sides are rounded sums whose terms are at most x^2 / 2 + 1: eight roundings of them,
    # and the hazard's own.
    allowed = 8 * U * (squares + 1) + np.array([normal_rounding(min(x, 25.0)) for x in points])
    assert (np.abs(own - other) <= allowed).all()


def test_hazard_rises_and_is_never_below_its_argument() -> None:
    # Below -37.6 the density has fewer digits, and then none.
    points = [*np.linspace(-37.5, 40.0, 7751), 1e3, 1e9]
    values = [gaussian_hazard(float(x)) for x in points]
    assert all(a < b for a, b in itertools.pairwise(values))
    assert all(value >= x for value, x in zip(values, points, strict=True))


def test_likelihood_error_is_the_hazard_up_to_the_limit() -> None:
    for limit in (0.5, 3.984375, 8.0):
        for x in np.linspace(-40.0, 40.0, 1601):
            expected = min(gaussian_hazard(float(x)), limit)
            assert gaussian_error(float(x), False, 1e-3, limit) == expected
    for x in (7.0, 1e5, 1e300, math.inf):
        assert gaussian_error(x, False, 1e-3, 7.0) == 7.0
    assert gaussian_error(-1e300, False, 1e-3, 7.0) == 0.0


@pytest.mark.parametrize("guard", [1e-6, 1e-3, 0.25])
def test_clipped_error_is_that_of_guarded_tables(guard: float) -> None:
    for x in map(float, np.linspace(-20.0, 20.0, 161)):
        density, p, rest = exact_normal(x)
        with decimal.localcontext(EXACT):
            exact = p * density / max(p * rest, Decimal(guard))
        found = gaussian_error(x, True, guard, 1e6)
        # Both tails and the density, each once in the numerator or below.
        assert relative_error(found, exact) <= 4 * normal_rounding(x)
        assert gaussian_error(x, True, guard, 0.1) == min(found, 0.1)


def test_clipped_error_vanishes_on_both_sides() -> None:
    for x in (-40.0, 40.0):
        assert gaussian_error(x, True, 1e-3, 7.0) == 0.0
    assert gaussian_error(-40.0, False, 1e-3, 7.0) == 0.0
    assert gaussian_error(40.0, False, 1e-3, 7.0) == 7.0


def slopes(pmf: Pmf, x: float, reach: float) -> tuple[Decimal, Decimal, Decimal]:
    """Return p, 1 - p and dp/dx at x: the slope between two points of one cell of the noise."""
    with decimal.localcontext(decimal.Context(prec=40)):
        a, b = Decimal(x) - Decimal(reach), Decimal(x) + Decimal(reach)
        slope = (pmf.probability_above(b) - pmf.probability_above(a)) / (b - a)
        # P(n <= y) = P(n >= -y): the rest by symmetry, so that it loses no digits.
        return pmf.probability_above(Decimal(x)), pmf.probability_above(-Decimal(x)), slope


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("limit", [1e9, 2.0])
def test_piecewise_errors_are_slopes_of_the_probability(name: str, limit: float) -> None:
    pmf = SOURCES[name].pmf
    knots, below = pmf.knots_in_sigma(), pmf.cumulative()
    last = knots.size - 1
    random = np.random.default_rng(5)
    cells = {*range(min(last, 12)), *range(max(last - 12, 0), last), last // 2}
    cells |= set(random.integers(0, last, 60).tolist())
    for cell in sorted(cells):
        low, high = float(knots[cell]), float(knots[cell + 1])
        width = high - low
        mirror = min(cell, last - 1 - cell)
        mass = float(below[mirror + 1] - below[mirror])
        for share in (0.125, 0.5, 0.875):
            x = -(low + share * width)
            p, rest, slope = slopes(pmf, x, width / 16)
            # The slope is a difference of rounded probabilities over one of rounded knots; each
            # tail adds to a rounded probability the slope times a distance from a rounded knot.
            outer = max(abs(low), abs(high))
            of_slope = U * ((below[mirror] + below[mirror + 1]) / mass + 4 * outer / width + 6)
            of_tail = {
                tail: of_slope + U * (4 * outer * float(slope) / float(tail) + 4)
                for tail in (p, rest)
            }
            found = piecewise_errors(x, False, 1e-3, limit, knots, below)
            for value, tail in zip(found, (p, rest), strict=True):
                exact = min(slope / tail, Decimal(limit))
                assert relative_error(value, exact) <= of_slope + of_tail[tail] + 2 * U
            found = piecewise_errors(x, True, 1e-3, limit, knots, below)
            floor = max(p * rest, Decimal("1e-3"))
            for value, tail in zip(found, (rest, p), strict=True):
                exact = min(tail * slope / floor, Decimal(limit))
                allowed = of_slope + 2 * of_tail[p] + 2 * of_tail[rest] + 4 * U
                assert relative_error(value, exact) <= allowed


@pytest.mark.parametrize("name", SOURCES)
def test_entries_beyond_the_noise_are_the_limit_or_zero(name: str) -> None:
    pmf = SOURCES[name].pmf
    knots, below = pmf.knots_in_sigma(), pmf.cumulative()
    reach = float(knots[-1])
    for x in (reach, reach + 1e-9, 1e6):
        assert piecewise_errors(-x, False, 1e-3, 7.0, knots, below) == (7.0, 0.0)
        assert piecewise_errors(x, False, 1e-3, 7.0, knots, below) == (0.0, 7.0)
        assert piecewise_errors(-x, True, 1e-3, 7.0, knots, below) == (0.0, 0.0)
        assert piecewise_errors(x, True, 1e-3, 7.0, knots, below) == (0.0, 0.0)


def constants(**changes: object) -> FloatConstants:
    zero = FloatConstants(*(0.0 for _ in FloatConstants._fields))  # type: ignore[arg-type]
    usual = {"rule": GAUSSIAN, "span": 2.0, "error_low": -math.inf, "error_high": math.inf}
    return zero._replace(**{**SOME, **usual, **changes})  # type: ignore[arg-type]


def arrays(a: list[float], b: list[float]) -> FloatArrays:
    pmf = SOURCES["two bits"].pmf
    empty = (np.zeros(0),) * 4
    return FloatArrays(pmf.knots_in_sigma(), pmf.cumulative(), np.array(a), np.array(b), *empty)


NOTHING = arrays([0.0], [0.0])


def test_error_mixes_both_functions_by_the_target() -> None:
    for clipped in (False, True):
        f = constants(clipped=clipped)
        for x in (-9.0, -1.5, 0.0, 0.25, 9.0):
            a, b = (gaussian_error(own, clipped, f.guard, f.limit) for own in (-x, x))
            for target in (0.0, 0.25, 1.0):
                expected = target * a - (1.0 - target) * b
                assert float_error(x, target, f, NOTHING) == expected


def test_errors_own_format_ends_it() -> None:
    f = constants(error_low=-0.5, error_high=0.25)
    assert float_error(-5.0, 1.0, f, NOTHING) == 0.25
    assert float_error(5.0, 0.0, f, NOTHING) == -0.5


def test_piecewise_error_stops_at_the_tables_span() -> None:
    f = constants(rule=PIECEWISE, span=0.5)
    assert float_error(0.4, 0.25, f, NOTHING) != float_error(0.5, 0.25, f, NOTHING)
    for x in (0.5, 0.75, 40.0):
        for target in (0.0, 0.25, 1.0):
            a, b = piecewise_errors(0.5, False, f.guard, f.limit, NOTHING.knots, NOTHING.cumulative)
            assert float_error(x, target, f, NOTHING) == target * a - (1.0 - target) * b
            assert float_error(-x, target, f, NOTHING) == target * b - (1.0 - target) * a


def test_users_table_is_read_by_floor_and_its_end_bins_go_on() -> None:
    f = constants(rule=TABLE)
    own = arrays([1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0])
    # Four bins from -2 to 2.
    for x, number in (
        (-1e9, 0), (-2.0, 0), (-1.01, 0), (-1.0, 1), (-0.01, 1), (0.0, 2), (0.99, 2), (1.0, 3),
        (2.0, 3), (1e9, 3),
    ):  # fmt: skip
        assert float_error(x, 1.0, f, own) == 1.0 + number
        assert float_error(x, 0.0, f, own) == -10.0 * (1 + number)
        assert float_error(x, 0.5, f, own) == 0.5 * (1 + number) - 5.0 * (1 + number)
