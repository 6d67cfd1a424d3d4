"""The survival function of chi-square, against SciPy's and against tables."""

from __future__ import annotations

import pytest
from scipy.special import chdtrc

from bitlif.model.chisquare import chi_square_survival


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 10, 63, 64, 1000, 4095, 20000, 65535])
def test_equals_scipys_to_ten_digits(freedom: int) -> None:
    for ratio in (0.01, 0.3, 0.8, 0.95, 1.0, 1.02, 1.1, 2.0, 5.0):
        expected = float(chdtrc(freedom, ratio * freedom))
        # Of smaller numbers floats have fewer digits. Logarithms of factors near exp(65536 ln
        # 65536) have an error of 7e5 * 2^-53 = 8e-11.
        if expected > 1e-290:
            assert chi_square_survival(ratio * freedom, freedom) == pytest.approx(expected, 2e-10)
        else:
            assert chi_square_survival(ratio * freedom, freedom) < 1e-289


def test_ends_are_one_and_nothing() -> None:
    for freedom in (1, 2, 99):
        assert chi_square_survival(0.0, freedom) == 1.0
        assert chi_square_survival(1e6, freedom) == 0.0


@pytest.mark.parametrize(
    ("statistic", "freedom", "chance"),
    [
        (3.841, 1, 0.05),
        (5.991, 2, 0.05),
        (18.307, 10, 0.05),
        (124.342, 100, 0.05),
        (6.635, 1, 0.01),
    ],
)
def test_values_are_those_of_the_tables(statistic: float, freedom: int, chance: float) -> None:
    # Three decimals of the statistic.
    assert abs(chi_square_survival(statistic, freedom) - chance) < 5e-5
