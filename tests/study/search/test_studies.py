"""Parts of the studies of the claims; `test_claims.py` tests the whole studies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.study.claims.coding import (
    THRESHOLD_TRIALS,
    CodingSettings,
    make_stimulation,
    matched_threshold,
    measure_coding,
    respond,
)
from bitlif.study.claims.cooling import COOLED, CoolingSettings, measure_cooling, scheduled
from bitlif.study.claims.landscape import (
    LandscapeSettings,
    count_sign_changes,
    find_crossing,
    measure_landscape,
)
from bitlif.study.claims.models import MODELS, make_layer
from bitlif.study.claims.spike_probability import exact_probabilities
from bitlif.study.claims.students import agreement, make_task, student_config, zero_student
from bitlif.study.claims.vanishing import VanishingSettings, measure_vanishing


def test_crossing_is_a_fall_through_zero() -> None:
    weights = np.linspace(0.0, 1.0, 11)
    assert find_crossing(weights, 0.63 - weights, 0.5) == pytest.approx(0.63, abs=1e-15)
    # A rise through zero is not stable; of two falls the nearer one counts.
    assert math.isnan(find_crossing(weights, weights - 0.63, 0.5))
    waves = np.cos(4 * np.pi * weights + 0.3)
    assert abs(find_crossing(weights, waves, 0.0) - (0.5 * np.pi - 0.3) / (4 * np.pi)) < 0.02
    assert abs(find_crossing(weights, waves, 1.0) - (2.5 * np.pi - 0.3) / (4 * np.pi)) < 0.02


def test_sign_changes_skip_zeros() -> None:
    assert count_sign_changes(np.array([0.0, 1.0, 0.0, 2.0, -1.0, 0.0, 1.0])) == 2
    assert count_sign_changes(np.zeros(3)) == 0


def test_grid_is_ascending_and_holds_the_teacher_weight() -> None:
    settings = LandscapeSettings()
    assert (np.diff(settings.grid) > 0).all()
    assert {0, settings.teacher, 2 * settings.teacher} <= set(settings.grid.tolist())


def test_float_likelihood_gradient_is_decreasing() -> None:
    settings = LandscapeSettings(sigmas=(0.1,), seeds=2, windows=2, coarse=15)
    scan = measure_landscape(settings).scan(0.1, "likelihood", "float")
    # The likelihood is concave: the hazard rises with the potential and the potential with the
    # weight in every step. The tolerance is the rounding of sums of 4000 products up to 8 * 6.
    assert (np.diff(scan.gradient, axis=1) <= 4000 * 48 * 2.0**-53).all()


def test_exact_probabilities_match_enumerated_draws() -> None:
    config = Config.load("tiny").replace(schedule=[{"sigma": 0.3}])
    # All 65536 draws of two bytes, scaled and rounded by the contract.
    derived = derive(config)
    low, high = np.meshgrid(np.arange(256), np.arange(256))
    draws = 2 * (low + high).ravel() - 510
    c = derived.constants
    noise = (derived.phases[0].noise_scale * draws + c.noise_bias) >> c.noise_shift
    potentials = np.arange(c.threshold - 60, c.threshold + 60)
    expected = [(potential + noise >= c.threshold).mean() for potential in potentials]
    np.testing.assert_array_equal(exact_probabilities(config, potentials), expected)


def test_sparser_inputs_drive_the_teacher_equally() -> None:
    config = student_config("clipped")
    drives = {}
    for sparsity in (1, 4):
        tasks = [make_task(config, seed, sparsity) for seed in range(10)]
        spikes = np.mean([task.events.count for task in tasks])
        # Poisson: 64 * 0.02 / sparsity spikes per step, 10 windows of 2000 steps.
        expected = 64 * 0.02 / sparsity * 2000
        assert abs(spikes - expected) < 4 * math.sqrt(expected / 10)
        assert max(task.teacher_weights.max() for task in tasks) <= 0.3 * sparsity
        drives[sparsity] = np.mean([task.targets.sum() for task in tasks])
    assert min(drives.values()) > 10


def test_silent_student_agrees_with_nobody() -> None:
    config = student_config("clipped")
    task = make_task(config, 0)
    lsb = float(config.synapse.weight.lsb)
    for model in MODELS:
        student = zero_student(model, config, 0)
        assert agreement(student, task) == 0.0
    twin = make_layer("float", config, np.zeros((64, 1), np.int64), 0)
    twin.load(task.teacher_weights * 0.4 * lsb / 0.3)
    assert agreement(twin, task) == 0.0
    twin.load(task.teacher_weights)
    assert agreement(twin, task) == pytest.approx(1.0)


def test_schedule_is_constant_or_cools_to_the_teacher() -> None:
    config = student_config("clipped")
    assert [phase.sigma for phase in scheduled(config, "0.1", 400).schedule] == [0.1]
    cooled = [phase.sigma for phase in scheduled(config, COOLED, 400).schedule]
    assert (cooled[0], cooled[-1]) == (0.3, 0.02)


def test_threshold_preserves_the_noiseless_count() -> None:
    settings = CodingSettings(sigmas=(0.3,), seeds=1, stimuli=4)
    config = Config.load("teacher").replace(
        layer__neurons=4, window__steps=128, membrane__reset="free", schedule=[{"sigma": 0.3}]
    )
    shown = make_stimulation(config, settings, 0)
    threshold = matched_threshold(config, shown)
    assert threshold > 1.0
    matched = config.replace(membrane__threshold=threshold)
    counts = respond("float", matched, shown, 400, 0).sum(axis=(2, 3), dtype=np.int64)
    # Two estimates of one mean, one from 40 trials; counts vary less than Poisson counts.
    noiseless = shown.noiseless.sum() / 4
    bound = 4 * math.sqrt(noiseless / 4 * (1 / 400 + 1 / THRESHOLD_TRIALS))
    assert abs(counts.mean() - noiseless) < bound


def test_same_seeds_give_same_numbers_and_full_progress() -> None:
    studies = (
        (measure_landscape, LandscapeSettings(sigmas=(0.1,), seeds=1, windows=1, coarse=3)),
        (measure_vanishing, VanishingSettings(sigmas=(0.3,), seeds=1, windows=5)),
        (
            measure_cooling,
            CoolingSettings(seeds=1, windows=20, sparsities=(2,), schedules=("0.1", COOLED)),
        ),
        (measure_coding, CodingSettings(sigmas=(0.1,), seeds=1, stimuli=3, trials=6)),
    )
    for measure, settings in studies:
        done: list[int] = []
        first = measure(settings, done.append).to_json()  # type: ignore[operator]
        assert sum(done) == settings.units
        assert first == measure(settings).to_json()  # type: ignore[operator]
