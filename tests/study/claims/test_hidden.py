"""Hidden codes: how networks are varied, and what is measured of them."""

from __future__ import annotations

import numpy as np
import pytest

from bitlif.model.config.network import NetworkConfig
from bitlif.study.claims.hidden import (
    CONTROLS,
    HiddenCode,
    HiddenSettings,
    altered,
    measure_hidden,
    trained_networks,
)
from bitlif.study.claims.hidden_networks import (
    QUIET,
    SHIPPED,
    UNGATED,
    Subject,
    compressed,
    output_accuracy,
    respond,
    seeded_examples,
    train_network,
    with_hidden,
)
from bitlif.study.claims.models import MODELS

DIGITS = Subject("digits-96", "digits", "digits", 1)


def sigmas(network: NetworkConfig, layer: int) -> set[float]:
    return {phase.sigma for phase in network.layers[layer].config.schedule}


def test_only_hidden_layers_are_changed() -> None:
    network = NetworkConfig.load("digits-96")
    changed = with_hidden(network, sigma=0.375, width=0.125)
    assert sigmas(changed, 0) == {0.375}
    assert changed.layers[0].sweep.surrogate.width == 0.125
    assert changed.layers[1] == network.layers[1]
    assert with_hidden(network) == network


def test_compressed_schedules_keep_their_phases() -> None:
    network = NetworkConfig.load("digits-96")
    short = compressed(network, 0.2)
    for own, whole in zip(short.layers, network.layers, strict=True):
        phases = list(zip(own.config.schedule, whole.config.schedule, strict=True))
        assert [(new.sigma, new.rate) for new, _ in phases] == [
            (old.sigma, old.rate) for _, old in phases
        ]
        assert all(new.windows == round(0.2 * old.windows) for new, old in phases)
    assert compressed(network, 1e-9).layers[0].config.schedule[-1].windows == 0


def test_trained_networks_differ_in_one_thing() -> None:
    network = NetworkConfig.load("digits-96")
    settings = HiddenSettings(trained_sigmas=(0.0, 0.4), widths=(0.5,))
    found = trained_networks(settings, network)
    assert list(found) == [SHIPPED, "sigma 0", "sigma 0.4", "width 0.5"]
    assert found[SHIPPED] == network
    threshold = network.layers[0].config.membrane.threshold
    assert sigmas(found["sigma 0"], 0) == {QUIET}
    assert sigmas(found["sigma 0.4"], 0) == {0.4 * threshold}
    width = network.layers[0].sweep.surrogate.width
    assert found["width 0.5"].layers[0].sweep.surrogate.width == width / 2


@pytest.mark.parametrize("control", CONTROLS)
def test_altered_codes_keep_their_shape(control: str) -> None:
    code = (np.random.default_rng(1).random((3, 12, 4)) < 0.3).astype(np.uint8)
    found = altered(control, code, seed=0)
    assert found.shape == code.shape
    assert np.array_equal(found, code) == (control == "intact")


@pytest.mark.parametrize("model", MODELS)
def test_output_layer_alone_answers_like_the_network(model: str) -> None:
    seed, network, task, examples = next(iter(seeded_examples(DIGITS, 1)))
    short = examples.head(150)
    weights = train_network(model, network, task, short, 1, seed)
    shown = respond(model, network, weights, short.test, short.test_labels, task, 7)
    if model == "fixed":
        alone = output_accuracy(model, network, weights, shown.hidden, short.test_labels, task, 7)
        assert alone == shown.accuracy
    assert shown.hidden.shape == (150, 64, 96)
    assert shown.hidden_spikes == shown.hidden.sum() / 150
    inputs = short.test.count * 96 / 150
    assert shown.operations == pytest.approx(inputs + 10 * shown.hidden_spikes)


def test_undefined_measures_are_null() -> None:
    code = HiddenCode(
        "a", "fixed", SHIPPED, {"x": np.array([1.0, 3.0]), "y": np.array([1, np.nan])}
    )
    numbers = code.to_json()
    assert numbers["x"] == [1.0, 3.0]
    assert numbers["y"] == [1.0, None]
    assert code.interval("x").mean == 2.0


def test_measurement_reports_all_networks_in_both_models() -> None:
    settings = HiddenSettings(
        subjects=(DIGITS,), seeds=1, trained_sigmas=(0.0,), tested_sigmas=(0.4,), widths=(2.0,),
        blocks=(8,), stimuli=2, trials=3,
    )  # fmt: skip
    steps: list[int] = []
    hidden = measure_hidden(settings, steps.append)
    assert sum(steps) == settings.units
    names = {SHIPPED, "sigma 0", "width 2", "test sigma 0.4"}
    expected = {(model, name) for model in MODELS for name in names}
    assert {(own.model, own.network) for own in hidden.codes} == {*expected, ("float", UNGATED)}
    for model in MODELS:
        own = hidden.code("digits-96", model).measures
        assert own["output_intact"] == pytest.approx(own["accuracy"], abs=0.05)
        assert own["decoder_intact"] == own["times_accuracy"]
        # One epoch of digits: far above chance, 0.1.
        assert own["accuracy"] > 0.6
        quiet = hidden.code("digits-96", model, "sigma 0").measures
        noisy = hidden.code("digits-96", model, "test sigma 0.4").measures
        assert quiet["latency_jitter"] < min(own["latency_jitter"], noisy["latency_jitter"])
    assert hidden.values("digits-96", "fixed", "silent_share").shape == (1,)
