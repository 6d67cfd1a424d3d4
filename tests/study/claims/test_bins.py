"""The window that is shown step by step, against the update of learning."""

from __future__ import annotations

import numpy as np
import pytest

from bitlif.study.claims.bins import Bins, BinsSettings, measure_bins
from bitlif.study.claims.students import student_config


@pytest.fixture(scope="module")
def bins() -> Bins:
    return measure_bins(BinsSettings())


def test_window_has_input_target_and_output_spikes(bins: Bins) -> None:
    assert bins.target.any()
    for window in bins.windows:
        assert window.output.any()
        assert window.update.any()


def test_float_update_follows_the_shown_gradient(bins: Bins) -> None:
    window = bins.window("float")
    share = bins.settings.rate / bins.settings.steps
    # The tolerance covers sums of 300 products in two orders, added to weights below 1.
    np.testing.assert_allclose(window.update, share * window.running[-1], rtol=1e-9, atol=1e-15)


def test_fixed_update_is_the_rounded_gradient(bins: Bins) -> None:
    window = bins.window("fixed")
    change = window.update / bins.lsb
    assert (change == change.round()).all()
    exact = bins.settings.rate / bins.settings.steps * window.running[-1] / bins.lsb
    # Stochastic rounding changes a value by less than 1; a normalised mantissa of k bits for the
    # rate has a relative error of at most 2^-k.
    bits = student_config("likelihood").learning.rate_bits
    assert (np.abs(change - exact) <= 1 + np.abs(exact) * 2.0**-bits).all()


def test_models_share_the_start_and_the_resets(bins: Bins) -> None:
    real, fixed = bins.windows
    np.testing.assert_array_equal(real.before, fixed.before)
    (after,) = np.nonzero(bins.target[:-1])
    for window in bins.windows:
        # After a reset only the current of one step remains, so the potential falls.
        assert (window.membrane[after + 1] < window.membrane[after]).all()


def test_errors_are_positive_only_at_targets(bins: Bins) -> None:
    for window in bins.windows:
        assert (window.error[bins.target == 1] > 0).all()
        assert (window.error[bins.target == 0] <= 0).all()
