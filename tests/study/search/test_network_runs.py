"""Runs of studies of networks measure the same as a network does elsewhere, and make a report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bitlif
from bitlif.fpga.boards import BOARDS
from bitlif.fpga.estimate import estimate
from bitlif.fpga.network_speed import network_speed
from bitlif.model.config.network import NetworkConfig, parse_any_config
from bitlif.study.report.findings import analyse
from bitlif.study.report.page import render_page
from bitlif.study.search.evaluate import evaluate
from bitlif.study.search.ideal import weight_distance
from bitlif.study.search.network_metrics import sweep_operations
from bitlif.study.search.results import Results, read_results
from bitlif.study.search.run import jobs_of, run_study
from bitlif.study.search.search import make_search
from bitlif.study.search.space import apply_edits
from bitlif.study.search.store import open_store
from bitlif.tasks.registry import get
from bitlif.tasks.training import train

from study_plans import NETWORK_STUDY, Here, network_study


def test_run_of_a_network_equals_training_by_hand(tmp_path: Path) -> None:
    plan = network_study(tmp_path, NETWORK_STUDY.replace("epochs = 1", "epochs = 2"))
    point = next(make_search(plan).batches())[1]
    job = jobs_of(plan, point)[1]
    outcome = evaluate(job)
    assert outcome.error == ""
    values = outcome.values
    assert set(values) == {metric.name for metric in plan.metrics}
    network = apply_edits(plan.config, point.edits).seeded(job.seed)
    assert isinstance(network, NetworkConfig)
    core = bitlif.open(network)
    examples = get("patterns").load(network.outer, job.seed)
    (first,) = train(core, "patterns", epochs=1, seed=job.seed, examples=examples)
    before = core.layer_counters()
    (last,) = train(core, "patterns", epochs=1, seed=job.seed, examples=examples, first=1)
    learned = [
        {name: now[name] - then[name] for name in now}
        for then, now in zip(before, core.layer_counters(), strict=True)
    ]
    windows = examples.train.windows
    assert first.number == 1
    assert values["accuracy"] == last.test_accuracy
    assert values["train_accuracy"] == last.train_accuracy
    assert values["learning_operations"] == sweep_operations(network, learned) / windows
    saturated = sum(
        count for own in learned for name, count in own.items() if name.endswith("saturations")
    )
    assert values["saturations"] == saturated / windows
    probe = core.fresh()
    probe.load(core.weights())
    layers = probe.run(examples.test).layers
    hidden = int(layers[0].raster.sum())
    assert values["hidden_spikes"] == hidden / examples.test.windows
    operations = examples.test.count * 8 + hidden * 3
    assert values["synaptic_operations"] == operations / examples.test.windows


def test_float_twin_of_a_run_is_that_of_its_network(tmp_path: Path) -> None:
    text = NETWORK_STUDY.replace("[set]", 'measure = ["float"]\n\n[set]')
    plan = network_study(tmp_path, text)
    point = next(make_search(plan).batches())[0]
    job = jobs_of(plan, point)[0]
    values = evaluate(job).values
    assert set(values) == {metric.name for metric in plan.metrics}
    network = apply_edits(plan.config, point.edits).seeded(job.seed)
    examples = get("patterns").load(network.outer, job.seed)
    core = bitlif.open(network)
    train(core, "patterns", epochs=1, seed=job.seed, examples=examples)
    twin, probe = (
        bitlif.open(network, "float", units="real", seed=(n << 32) + job.seed) for n in (2, 3)
    )
    (real,) = train(twin, "patterns", epochs=1, seed=job.seed, examples=examples, probe=probe)
    assert values["float_accuracy"] == real.test_accuracy
    assert values["float_gap"] == real.test_accuracy - values["accuracy"]
    assert values["weight_distance"] == weight_distance(core.real_weights(), twin.real_weights())


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Return the results of a small study of a network."""
    folder = tmp_path_factory.mktemp("networks")
    plan = network_study(folder)
    with open_store(folder / "s", NETWORK_STUDY) as store:
        path, progress = run_study(plan, store, Here())
    assert (progress.total, progress.computed, progress.failed) == (8, 8, 0)
    return read_results(path)


def test_results_hold_the_network_of_each_point(results: Results) -> None:
    assert results.of_networks
    for index in range(4):
        network = results.config(index)
        assert isinstance(network, NetworkConfig)
        setting = results.setting(index)
        first, last = network.layers
        assert first.sweep.update == setting["layer.0.sweep.update"]
        assert last.config.synapse.weight.bits == setting["layer.1.synapse.weight.bits"]
    # Without the gradient of the hidden layer, less is stored.
    bits = results.means("bits").mean
    assert bits[2] < bits[0]
    assert (results.values["hidden_spikes"] > 0).all()
    assert not np.isnan(results.values["accuracy"]).any()


def test_report_recommends_a_network_that_can_be_read(results: Results) -> None:
    findings = analyse(results, 0.5)
    chosen = findings["recommended"]
    network = parse_any_config(chosen["config"], "recommended.toml")
    assert isinstance(network, NetworkConfig)
    assert network.name == f"small-network-{chosen['point']}"
    page = render_page(findings)
    assert "layer.0.sweep.update" in page
    assert "spikes of hidden layers" in page


def test_network_that_fits_a_board_is_recommended(results: Results) -> None:
    chosen = analyse(results, 0.5, board="ulx3s-85f")["for_board"]
    assert "is estimated to fit Radiona ULX3S" in chosen["reason"]
    network = parse_any_config(chosen["config"], "chosen.toml")
    assert isinstance(network, NetworkConfig)
    used = estimate(network, "ecp5").total
    assert all(used[kind] <= BOARDS["ulx3s-85f"].limits.get(kind, used[kind]) for kind in used)


def test_area_and_speed_are_columns(tmp_path: Path) -> None:
    measured = 'measure = ["estimate"]\nboard = "ulx3s-85f"\n\n[set]'
    plan = network_study(tmp_path, NETWORK_STUDY.replace("[set]", measured))
    job = jobs_of(plan, next(make_search(plan).batches())[0])[0]
    values = evaluate(job).values
    assert set(values) == {metric.name for metric in plan.metrics}
    network = apply_edits(plan.config, job.edits)
    assert isinstance(network, NetworkConfig)
    assert values["cells"] == estimate(network, "ecp5").total["cells"]
    speed = network_speed(network, values["mhz"])
    assert (values["learned_per_s"], values["runs_per_s"]) == (
        speed.learned_per_s, speed.runs_per_s
    )  # fmt: skip
