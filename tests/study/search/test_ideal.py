"""Which fields the ideal float twin depends on, and the distance from its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.floating.layer import FloatLayer
from bitlif.study.search.ideal import Ideal, weight_distance
from bitlif.study.search.space import apply_edits, known_fields
from bitlif.tasks.teacher import learn_from_teacher, make_teacher_task


def test_weight_distance_is_relative_to_the_twin() -> None:
    twin = np.array([[3.0, 4.0]])
    assert weight_distance(twin, twin) == 0.0
    assert weight_distance(np.zeros((1, 2)), twin) == 1.0
    assert weight_distance(twin, np.zeros((1, 2))) is None


TEACHER = apply_edits(
    Config.load("teacher"),
    {"window.steps": 40, "layer.inputs": 8, "layer.neurons": 2, "noise.words": 4},
)

NO_PART: dict[str, Any] = {
    "layer.lanes": 2,
    "synapse.weight": "s9.7", "synapse.weight.bits": 9, "synapse.weight.frac": 9,
    "synapse.decay.bits": 6, "synapse.current": "s12.8", "synapse.current.bits": 14,
    "synapse.current.frac": 11, "synapse.rounding": "floor",
    "membrane.decay.bits": 6, "membrane.gain_bits": 9, "membrane.format": "s14.10",
    "membrane.format.bits": 16, "membrane.format.frac": 13, "membrane.rounding": "floor",
    "trace.current": "u11.8", "trace.current.bits": 12, "trace.current.frac": 9,
    "trace.format": "u9.8", "trace.format.bits": 10, "trace.format.frac": 10,
    "trace.rounding": "floor",
    "noise.kind": "popcount", "noise.words": 2, "noise.word_bits": 4, "noise.level_bits": 8,
    "noise.scale_bits": 10, "noise.overlap": True, "noise.lfsr.width": 63,
    "noise.lfsr.taps": [64, 63, 61, 60], "noise.lfsr.seed": 5, "noise.lfsr.leap": 64,
    "noise.lfsr.sharing": "shared",
    "error.index_bits": 7, "error.entry": "u13.9", "error.entry.bits": 13, "error.entry.frac": 7,
    "error.reciprocal_bits": 12, "error.target_bits": 6, "error.format": "s12.7",
    "error.format.bits": 12, "error.format.frac": 7, "error.rounding": "floor",
    "learning.rate_bits": 3, "learning.random_bits": 4, "learning.lfsr.width": 32,
    "learning.lfsr.taps": [31, 28], "learning.lfsr.seed": 9, "learning.lfsr.leap": 16,
    "learning.lfsr.sharing": "shared",
    "gates.synapses": 2, "gates.products": 2, "gates.single_port": "all",
}  # fmt: skip
"""Fields that an ideal twin ignores, each with another value."""

REFUSED = {f"{section}.overflow" for section in ("synapse", "membrane", "trace", "error")}
"""Fields that an ideal twin ignores too, which have only one value with these formats."""

PARTS = {
    "layer.inputs", "layer.neurons", "window.steps", "window.state", "window.trace", "window.lfsr",
    "synapse.decay.tau", "synapse.decay.shift", "membrane.decay.tau", "membrane.decay.shift",
    "membrane.gain", "membrane.threshold", "membrane.reset", "membrane.injection", "error.rule",
    "error.span", "error.limit", "error.guard", "error.a", "error.b", "learning.rate", "schedule",
    "schedule.phases", "schedule.windows", "schedule.sigma", "schedule.last_sigma",
    "schedule.rate_shift",
}  # fmt: skip


def test_every_field_is_used_or_ignored_by_ideal_twins() -> None:
    assert not PARTS & NO_PART.keys()
    assert PARTS | REFUSED | NO_PART.keys() == set(known_fields(TEACHER))


def learned(config: Config) -> Any:
    twin = FloatLayer(config, seed=1)
    learn_from_teacher(twin, make_teacher_task(config, 1), 2)
    return twin.weights


@pytest.mark.parametrize("name", NO_PART)
def test_equal_ideals_learn_the_same(name: str) -> None:
    config = apply_edits(TEACHER, {name: NO_PART[name]})
    assert config != TEACHER
    assert Ideal.of(config) == Ideal.of(TEACHER)
    assert np.array_equal(learned(config), learned(TEACHER))


@pytest.mark.parametrize(
    "edits",
    [
        {"schedule.sigma": 0.2}, {"schedule.rate_shift": 1}, {"membrane.gain": 0.04},
        {"error.rule": "clipped"}, {"synapse.decay.tau": 4.0}, {"membrane.injection": "membrane"},
    ],
)  # fmt: skip
def test_different_ideals_are_not_equal(edits: dict[str, Any]) -> None:
    config = apply_edits(TEACHER, edits)
    assert Ideal.of(config) != Ideal.of(TEACHER)
    assert not np.array_equal(learned(config), learned(TEACHER))


def test_weight_distance_of_networks_is_over_all_layers() -> None:
    twin = [np.array([[3.0]]), np.array([[0.0, 4.0]])]
    assert weight_distance(twin, twin) == 0.0
    assert weight_distance([np.zeros((1, 1)), np.zeros((1, 2))], twin) == 1.0
