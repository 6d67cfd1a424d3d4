"""Credit: the exact sum over the next layer, by weights or signs, and its one rounding."""

from __future__ import annotations

import numpy as np

from bitlif.model.adjoint import SweepShift
from bitlif.model.credit import SIGN, TRANSPOSE, Credit, credit, credit_sum


def test_sum_is_over_the_neurons_of_the_next_layer() -> None:
    weights, adjoints = np.array([3, -2, 0]), np.array([5, 7, 100])
    assert credit_sum(weights, adjoints, TRANSPOSE) == 1
    assert credit_sum(weights, adjoints, SIGN) == -2


def test_narrow_weights_do_not_wrap() -> None:
    weights, adjoints = np.array([-128, -128], np.int8), np.array([-(1 << 15), -(1 << 15)])
    assert credit_sum(weights, adjoints, TRANSPOSE) == 1 << 23


def test_product_with_the_derivative_is_rounded_once_and_saturates() -> None:
    c = Credit(TRANSPOSE, 1, SweepShift(1, 0, 0, 2, 0), -8, 7)
    assert credit(7, 1, 0, c) == (1, False)
    assert credit(7, 3, 0, c) == (5, False)
    assert credit(-7, 3, 0, c) == (-5, False)
    assert credit(100, 3, 0, c) == (7, True)
    assert credit(100, 0, 0, c) == (0, False)
