"""Adjoint filters: each rounding mode, exhaustively at small widths."""

from __future__ import annotations

from fractions import Fraction

import pytest

from bitlif.model.adjoint import AdjointFilter, SweepShift, adjoint_sum, shift_sweep
from bitlif.model.derive_sweep import sweep_shift
from bitlif.model.fixed import round_fraction
from bitlif.model.sweep_sections import SweepConfig, SweepRounding

VALUES = range(-70, 71)


@pytest.mark.parametrize("shift", range(6))
def test_toward_zero_drops_the_fraction_of_the_magnitude(shift: int) -> None:
    s = sweep_shift(SweepConfig(rounding=SweepRounding.TOWARD_ZERO), shift)
    for x in VALUES:
        assert shift_sweep(x, 0, s) == int(Fraction(x, 1 << shift))


@pytest.mark.parametrize("shift", range(6))
def test_nearest_rounds_halves_up(shift: int) -> None:
    s = sweep_shift(SweepConfig(rounding=SweepRounding.NEAREST), shift)
    for x in VALUES:
        assert shift_sweep(x, 0, s) == round_fraction(Fraction(x, 1 << shift))


@pytest.mark.parametrize("shift", range(4))
def test_stochastic_is_unbiased_over_all_random_words(shift: int) -> None:
    s = sweep_shift(SweepConfig(random_bits=3), shift)
    for x in VALUES:
        results = [shift_sweep(x, random, s) for random in range(8)]
        assert Fraction(sum(results), 8) == Fraction(x, 1 << shift)
        assert max(results) - min(results) <= 1


def test_sum_saturates_and_reports_it() -> None:
    f = AdjointFilter(keep=1, take=4, shift=SweepShift(1, 0, 0, 0, 0), low=-8, high=7)
    assert adjoint_sum(3, 1, 0, f) == (7, False)
    assert adjoint_sum(4, 1, 0, f) == (7, True)
    assert adjoint_sum(-5, -1, 0, f) == (-8, True)
