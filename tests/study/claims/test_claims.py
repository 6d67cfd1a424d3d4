"""The claims of the poster in both models, with confidence intervals over the seeds.

The intervals are 95 % Student's t intervals. A claim that rests on several intervals uses
Bonferroni's correction, so that all of them hold together at 95 %.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from bitlif.study.claims.coding import Code, Coding, CodingSettings, measure_coding
from bitlif.study.claims.cooling import COOLED, Cooling, CoolingSettings, measure_cooling
from bitlif.study.claims.landscape import Landscape, LandscapeSettings, measure_landscape
from bitlif.study.claims.models import MODELS, RULES
from bitlif.study.claims.spike_probability import (
    GAUSSIAN,
    SOURCES,
    Probability,
    ProbabilitySettings,
    measure_probability,
)
from bitlif.study.claims.students import student_config
from bitlif.study.claims.vanishing import Vanishing, VanishingSettings, measure_vanishing
from bitlif.study.statistics import mean_interval

ERROR = 0.05
"""Probability that any of the intervals of a claim misses the true value."""


def above_zero(values: np.ndarray, together: int = 1) -> bool:
    """Return whether the mean is above zero, with a correction for `together` intervals."""
    return mean_interval(values, 1 - ERROR / together).low > 0


# -- the landscape -----------------------------------------------------------------------------

LANDSCAPE = LandscapeSettings(seeds=6, windows=5, coarse=15)
SCANS = len(LANDSCAPE.sigmas) * len(RULES) * len(MODELS)


@pytest.fixture(scope="module")
def landscape() -> Landscape:
    return measure_landscape(LANDSCAPE)


def test_gradient_crosses_zero_at_the_teacher_weight(landscape: Landscape) -> None:
    for scan in landscape.scans:
        crossing = scan.crossing(1 - ERROR / SCANS)
        assert landscape.teacher in crossing, scan
        # The crossing is unique, and the interval is narrow enough to be meaningful.
        assert scan.sign_changes == 1, scan
        assert crossing.high - crossing.low < landscape.teacher / 10, scan


def test_crossing_is_stable(landscape: Landscape) -> None:
    for scan in landscape.scans:
        assert above_zero(-scan.slopes, SCANS), scan


def test_only_the_clipped_gradient_vanishes_at_zero(landscape: Landscape) -> None:
    for sigma in LANDSCAPE.sigmas:
        for model in MODELS:
            assert above_zero(landscape.scan(sigma, "likelihood", model).gradient[:, 0], 8)
        # Below 1 / 4.88 the integer noise does not reach the threshold from rest.
        clipped = landscape.scan(sigma, "clipped", "fixed").gradient[:, 0]
        assert (clipped != 0).any() == (sigma > 1 / 4.88)


# -- vanishing ---------------------------------------------------------------------------------

VANISHING = VanishingSettings(sigmas=(0.1, 0.2, 0.3), seeds=5, windows=120)


@pytest.fixture(scope="module")
def vanishing() -> Vanishing:
    return measure_vanishing(VANISHING)


def test_noise_rescues_the_clipped_gradient_at_zero(
    vanishing: Vanishing,
) -> None:
    for sigma in (0.1, 0.2):
        assert not vanishing.start(sigma, "clipped", "fixed").gradient.any()
    for model in MODELS:
        assert above_zero(vanishing.start(0.3, "clipped", model).gradient)
        for sigma in VANISHING.sigmas:
            assert above_zero(vanishing.start(sigma, "likelihood", model).gradient)


def test_float_gradient_at_zero_is_the_gaussian_density(
    vanishing: Vanishing,
) -> None:
    # At rest with sigma 0.1, x = -10: A is phi(10) / guard for the clipped rule, and the hazard of
    # the likelihood rule is limited. B is at most phi(10) / (1 - p) = 8e-23, negligible at 1e-15.
    error = student_config("clipped").error
    density = math.exp(-50) / math.sqrt(2 * math.pi)
    ratios = [vanishing.start(0.1, rule, "float").gradient for rule in ("clipped", "likelihood")]
    # Both are sums of a few hundred products, with a rounding of 1.1e-16 each.
    np.testing.assert_allclose(
        ratios[0] / ratios[1], density / error.guard / error.limit, rtol=1e-12
    )


def test_clipped_student_learns_only_with_noise(
    vanishing: Vanishing,
) -> None:
    for model in MODELS:
        assert not vanishing.start(0.1, "clipped", model).agreement.any()
        assert above_zero(vanishing.start(0.3, "clipped", model).agreement)
        assert above_zero(vanishing.start(0.1, "likelihood", model).agreement)


# -- cooling -----------------------------------------------------------------------------------

CLIPPED = CoolingSettings(
    seeds=8, sparsities=(1, 4), rules=("clipped",), schedules=("0.02", "0.1", "0.3", COOLED),
    marks=1,
)  # fmt: skip
LIKELIHOOD = CoolingSettings(
    seeds=8, sparsities=(1,), rules=("likelihood",), schedules=("0.02", COOLED), marks=1
)


@pytest.fixture(scope="module")
def clipped() -> Cooling:
    return measure_cooling(CLIPPED)


@pytest.mark.parametrize("sparsity", CLIPPED.sparsities)
@pytest.mark.parametrize("model", MODELS)
def test_cooling_beats_every_constant_noise(clipped: Cooling, model: str, sparsity: int) -> None:
    for schedule in CLIPPED.schedules[:-1]:
        assert clipped.gain(sparsity, "clipped", schedule, model).low > 0
    for silent in ("0.02", "0.1"):
        assert not clipped.course(sparsity, "clipped", silent, model).final.any()


def test_likelihood_rule_gains_less_from_cooling(clipped: Cooling) -> None:
    likelihood = measure_cooling(LIKELIHOOD)
    for model in MODELS:
        constant = likelihood.course(1, "likelihood", "0.02", model).final
        assert above_zero(constant)
        cooled = likelihood.course(1, "likelihood", COOLED, model).final
        gain = clipped.course(1, "clipped", COOLED, model).final
        # The clipped student with constant sigma 0.02 is silent, so cooling gives all agreement.
        assert above_zero(gain - (cooled - constant))


# -- the probability of a spike ----------------------------------------------------------------


@pytest.fixture(scope="module")
def probability() -> Probability:
    return measure_probability(ProbabilitySettings(trials=100_000))


def test_spikes_have_the_exact_probability_of_the_noise(probability: Probability) -> None:
    for source in (GAUSSIAN, *SOURCES):
        curve = probability.curve(source)
        assert curve.chi_square(curve.expected)[2] > ERROR / 3, source


def test_integer_noise_is_bounded_and_not_gaussian(probability: Probability) -> None:
    for source in SOURCES:
        curve = probability.curve(source)
        assert curve.chi_square(curve.gaussian)[2] < 1e-6, source
        assert curve.beyond[1] == 0
    # A Poisson count with a mean above 30 is zero with a probability below e^-30.
    assert probability.curve("sum of 4 bytes").beyond[2] > 30


# -- from a temporal to a rate code ------------------------------------------------------------

CODING = CodingSettings(sigmas=(0.015, 0.1, 0.3, 1.0), seeds=4, trials=60)
STEPS = len(CODING.sigmas) - 1


@pytest.fixture(scope="module")
def coding() -> Coding:
    return measure_coding(CODING)


def values(code: Code, name: str) -> np.ndarray:
    return np.asarray(code.measures[name] if name in code.measures else getattr(code, name))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("jitter", 1),
        ("fano_factor", 1),
        ("reliability", -1),
        ("found", -1),
        ("times", -1),
        ("bits_per_spike", -1),
        ("accuracy_counts", -1),
    ],
)
def test_noise_changes_the_code_at_every_level(
    coding: Coding, model: str, name: str, sign: int
) -> None:
    codes = [coding.code(sigma, model) for sigma in CODING.sigmas]
    for low, high in itertools.pairwise(codes):
        assert above_zero(sign * (values(high, name) - values(low, name)), STEPS), name


@pytest.mark.parametrize("model", MODELS)
def test_information_in_times_beyond_counts_shrinks(coding: Coding, model: str) -> None:
    # Up to sigma 0.1 the times carry nearly all information, and only the counts lose some.
    beyond = [coding.code(sigma, model).times_beyond_counts for sigma in CODING.sigmas]
    assert above_zero(beyond[0] - beyond[2], 3)
    assert above_zero(beyond[1] - beyond[2], 3)
    assert above_zero(beyond[2] - beyond[3], 3)


@pytest.mark.parametrize("model", MODELS)
def test_finest_times_carry_all_only_at_low_noise(coding: Coding, model: str) -> None:
    shares = [coding.code(sigma, model).fine_share for sigma in CODING.sigmas]
    for number in range(1, len(shares)):
        assert above_zero(shares[0] - shares[number], STEPS)
    assert above_zero(shares[0] - 0.9)
    # At sigma 0.3 smoothing at least doubles the decoded information.
    assert above_zero(0.5 - shares[2])


@pytest.mark.parametrize("model", MODELS)
def test_times_decide_cheaper_than_counts_at_low_noise(coding: Coding, model: str) -> None:
    precise, noisy = coding.code(0.015, model), coding.code(0.1, model)
    assert above_zero(precise.times_beyond_counts - 1.0)
    costs = {
        (code, own.sigma): own.measures[f"decision_operations_{code}"]
        for code in ("times", "counts")
        for own in (precise, noisy)
    }
    assert above_zero(costs["counts", 0.1] - costs["times", 0.1])
    assert above_zero(costs["counts", 0.1] - costs["counts", 0.015])
    # Decisions from times are nearly perfect up to 0.1 and worse above.
    for low, high in ((0.1, 0.3), (0.3, 1.0)):
        right = [coding.code(sigma, model).measures["accuracy_times"] for sigma in (low, high)]
        assert above_zero(right[0] - right[1], 2)
    # The noise is too high for a decision within the window.
    for code in ("times", "counts"):
        assert not coding.code(1.0, model).decided(code).any()


@pytest.mark.parametrize("name", ["jitter", "fano_factor", "reliability", "times_beyond_counts"])
def test_fixed_point_is_close_to_float(coding: Coding, name: str) -> None:
    means = {
        (sigma, model): float(values(coding.code(sigma, model), name).mean())
        for sigma in CODING.sigmas
        for model in MODELS
    }
    moved = abs(means[1.0, "float"] - means[0.015, "float"])
    for sigma in CODING.sigmas:
        assert abs(means[sigma, "fixed"] - means[sigma, "float"]) < moved / 10
