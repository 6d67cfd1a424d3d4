"""A run of a study measures the same as the model does elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.engine.compile import source_stamp
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.study.search.evaluate import DECIDING, Job, evaluate, results_stamp
from bitlif.study.search.ideal import weight_distance
from bitlif.study.search.metrics import metrics_of
from bitlif.study.search.run import jobs_of
from bitlif.study.search.search import make_search
from bitlif.study.search.space import apply_edits
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
