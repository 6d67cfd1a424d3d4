"""The window that is shown step by step: what is drawn is what learning does."""

from __future__ import annotations

import numpy as np
import pytest

from bitlif.study.claims.bins import Bins, BinsSettings, measure_bins
from bitlif.study.claims.students import student_config


@pytest.fixture(scope="module")
def bins() -> Bins:
    return measure_bins(BinsSettings())


def test_the_window_has_spikes_of_every_kind(bins: Bins) -> None:
    assert bins.target.any()
    for window in bins.windows:
        assert window.output.any()
        assert window.update.any()


def test_the_float_update_is_rate_by_steps_times_the_gradient_shown(bins: Bins) -> None:
    window = bins.window("float")
    share = bins.settings.rate / bins.settings.steps
    # Sums of 300 products in two orders, and weights below 1 to which they are added.
    np.testing.assert_allclose(window.update, share * window.running[-1], rtol=1e-9, atol=1e-15)


def test_the_fixed_update_is_that_rounded_to_an_lsb(bins: Bins) -> None:
    window = bins.window("fixed")
    change = window.update / bins.lsb
    assert (change == change.round()).all()
    exact = bins.settings.rate / bins.settings.steps * window.running[-1] / bins.lsb
    # Stochastic rounding moves by less than 1; the rate's mantissa of k bits, whose first is 1, is
    # rounded by at most 2^-k of itself.
    bits = student_config("likelihood").learning.rate_bits
    assert (np.abs(change - exact) <= 1 + np.abs(exact) * 2.0**-bits).all()


def test_both_models_have_the_same_start_and_targets_reset_both(bins: Bins) -> None:
    real, fixed = bins.windows
    np.testing.assert_array_equal(real.before, fixed.before)
    (after,) = np.nonzero(bins.target[:-1])
    for window in bins.windows:
        # After a reset only one step's current is left: the potential falls.
        assert (window.membrane[after + 1] < window.membrane[after]).all()


def test_errors_speak_for_targets_and_against_silence(bins: Bins) -> None:
    for window in bins.windows:
        assert (window.error[bins.target == 1] > 0).all()
        assert (window.error[bins.target == 0] <= 0).all()
