"""A run of a study measures the same as the model does elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.engine.compile import source_stamp
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.study.search.evaluate import (
    DECIDING,
    Ideal,
    Job,
    evaluate,
    results_stamp,
    weight_distance,
)
from bitlif.study.search.metrics import metrics_of
from bitlif.study.search.run import jobs_of
from bitlif.study.search.search import make_search
from bitlif.study.search.space import apply_edits, known_fields
from bitlif.tasks.digits import load_digits_task
from bitlif.tasks.teacher import learn_from_teacher, make_teacher_task, teacher_correlation
from bitlif.tasks.training import train

from study_plans import small

DIGITS = Config.load("digits")


def digits_job(**edits: Any) -> Job:
    fields = {name.replace("__", "."): value for name, value in edits.items()}
    return Job("key", dump_config(DIGITS), fields, "digits", 1, 2, ("float", "estimate"), "hx8k")


def test_digits_run_equals_training_by_hand() -> None:
    outcome = evaluate(digits_job(synapse__weight__bits=5))
    assert outcome.error == ""
    assert set(outcome.values) == {own.name for own in metrics_of("digits", ("float", "estimate"))}
    config = apply_edits(DIGITS, {"synapse.weight.bits": 5}).seeded(2)
    digits = load_digits_task(64, 2)
    layer = Layer(config)
    (epoch,) = train(layer, "digits", epochs=1, seed=2, examples=digits)
    values = outcome.values
    assert values["accuracy"] == epoch.test_accuracy
    assert values["train_accuracy"] == epoch.train_accuracy
    assert values["learning_operations"] == epoch.counters["active_errors"] * 65 / 1347
    assert values["synaptic_operations"] == digits.test.count * 10 / 450
    twin = FloatLayer(config, seed=(2 << 32) + 2)
    (real,) = train(
        twin,
        "digits",
        epochs=1,
        seed=2,
        examples=digits,
        probe=FloatLayer(config, seed=(3 << 32) + 2),
    )
    assert values["float_accuracy"] == real.test_accuracy
    assert values["float_gap"] == real.test_accuracy - epoch.test_accuracy
    lsb = float(config.synapse.weight.lsb)
    assert values["weight_distance"] == weight_distance(layer.weights * lsb, twin.weights)


def test_teacher_run_equals_training_by_hand() -> None:
    plan = small()
    point = next(make_search(plan).batches())[4]
    job = jobs_of(plan, point)[0]
    outcome = evaluate(job)
    assert set(outcome.values) == {own.name for own in plan.metrics}
    config = apply_edits(plan.config, point.edits).seeded(job.seed)
    layer, task = Layer(config), make_teacher_task(config, job.seed)
    learn_from_teacher(layer, task, plan.length)
    assert outcome.values["correlation"] == teacher_correlation(layer, task)
    assert outcome.values["synaptic_operations"] == task.events.count


def test_failed_run_gives_an_outcome_with_its_error() -> None:
    refused = evaluate(digits_job(noise__words=9))
    assert refused.error.startswith("noise.words * word_bits must be at most lfsr.width = 32")
    assert refused.values == {}
    # Other errors than those of the configuration are kept as well.
    failed = evaluate(replace(digits_job(), task="unheard of"))
    assert "'unheard of'" in failed.error


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


def test_stamp_covers_every_file_that_affects_results() -> None:
    # Imports of these modules within their folders, and the table that the estimate reads.
    for package, names in DECIDING.items():
        folder = Path(__file__).parents[3].joinpath(*package.split(".")[1:])
        for name in names:
            text = (folder / name).read_text("utf-8")
            here = rf"^from (?:\.|{re.escape(package)}\.)(\w+) import"
            near = set(re.findall(here, text, re.MULTILINE))
            assert {f"{own}.py" for own in near} <= set(names), name
    assert results_stamp() != source_stamp()
