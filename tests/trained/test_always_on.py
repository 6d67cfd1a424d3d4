"""Biases as inputs that spike in every step, and neurons that pass them on: exact in all layers."""

from __future__ import annotations

import io
import itertools
import warnings
from dataclasses import replace
from typing import Any

import nir
import numpy as np
import pytest
import torch

import bitlif
from bitlif.model.errors import BitlifError, BitlifWarning
from bitlif.model.events import Events
from bitlif.model.network import Network
from bitlif.trained.always_on import (
    MOST_INPUTS,
    always_on_inputs,
    in_parts,
    least_weight,
    run_always_on,
    with_always_on,
)
from bitlif.trained.fine_tune import fine_tune
from bitlif.trained.nir_compare import compare, ranges_of, run_real
from bitlif.trained.nir_export import nir_content
from bitlif.trained.nir_formats import LayerBits, quantised
from bitlif.trained.nir_graph import RealLayer, RealNetwork, read_layers

STEPS, SIZES = 40, (6, 5, 4, 3)


def layers_of(
    biases: tuple[bool, ...], *, leak_s: float = 0.75, reset: str = "free", scale: float = 1.0
) -> RealNetwork:
    """Return layers in real numbers with weights on a grid, of which some have a bias."""
    random = np.random.default_rng(4)
    layers = []
    for number, ((inputs, neurons), biased) in enumerate(
        zip(itertools.pairwise(SIZES), biases, strict=True)
    ):
        weights = np.round(random.normal(0.1, 0.3, (inputs, neurons)) * 64) / 64 * scale
        bias = np.round(random.normal(0.05, 0.2, neurons) * 64) / 64 if biased else None
        layers.append(RealLayer(f"n{number}", weights, leak_s, 0.875, reset, (), bias))
    return RealNetwork(tuple(layers), 1e-3, "nir", ())


def spikes_in(windows: int = 6) -> Events:
    random = np.random.default_rng(8)
    return Events.from_raster(random.random((windows, STEPS, SIZES[0])) < 0.15)


def run(config: Any, weights: Any, events: Events) -> Any:
    core = Network(config)
    core.load(weights)
    return core.run(with_always_on(events, config), record=("current", "membrane"))


@pytest.mark.parametrize("reset", ["free", "subtract"])
@pytest.mark.parametrize("leak_s", [0.0, 0.75])
@pytest.mark.parametrize("sigma", [0.0, 0.2])
@pytest.mark.parametrize("bits", [LayerBits(8, 16, 16), LayerBits(3, 6, 6)])
def test_always_on_neurons_spike_in_every_step(
    reset: str, leak_s: float, sigma: float, bits: LayerBits
) -> None:
    network = layers_of((False, False, True), leak_s=leak_s, reset=reset)
    events = spikes_in()
    for ranges in (None, ranges_of(run_real(network, events))):
        config, weights = quantised(
            network, steps=STEPS, bits=[bits] * 3, sigma=sigma, ranges=ranges
        )
        out = run(config, weights, events)
        for own, raw, size, inputs in zip(out.layers, weights, SIZES[1:], SIZES, strict=False):
            # Nothing but the inputs that are always on drives these neurons.
            assert not raw[:inputs, size:].any()
            assert own.raster[..., size:].all()
        assert [own.raster.shape[2] > size for own, size in zip(out.layers, SIZES[1:], strict=True)
                ] == [True, True, False]  # fmt: skip


def test_least_weight_is_the_least() -> None:
    network = layers_of((False, False, True))
    for sigma in (0.0, 0.3):
        config, weights = quantised(network, steps=STEPS, sigma=sigma)
        for own, raw, size in zip(config.layers[:2], weights, SIZES[1:], strict=False):
            total = int(raw[:, size:].sum(0)[0])
            assert total == least_weight(own.config, 1 << 20)
            assert run_always_on(own.config, total, STEPS).spikes == STEPS
            assert run_always_on(own.config, total - 1, 1).spikes == 0


@pytest.mark.parametrize("reset", ["free", "subtract"])
@pytest.mark.parametrize("leak_s", [0.0, 0.75])
def test_integers_with_biases_have_the_spikes_of_real_numbers(leak_s: float, reset: str) -> None:
    """Weights and biases are on the grid of 12 bits, so only states are rounded."""
    scale = 0.5 if reset == "subtract" else 1.0
    network = layers_of((True, True, True), leak_s=leak_s, reset=reset, scale=scale)
    plain = RealNetwork(tuple(replace(own, bias=None) for own in network.layers), 1e-3, "nir", ())
    events = spikes_in()
    runs = run_real(network, events)
    assert all((a.spikes != b.spikes).any()
               for a, b in zip(runs, run_real(plain, events), strict=True))  # fmt: skip
    config, weights = quantised(
        network, steps=STEPS, weight_bits=12, state_bits=24, ranges=ranges_of(runs)
    )
    for own, raw, right in zip(config.layers, weights, network.layers, strict=True):
        inputs, neurons = right.weights.shape
        real = raw * float(own.config.synapse.weight.lsb)
        np.testing.assert_array_equal(real[:inputs, :neurons], right.weights)
        np.testing.assert_array_equal(real[inputs:, :neurons].sum(0), right.bias)
    report = compare(config, weights, runs, events)
    assert report["first_difference"] is None
    out = run(config, weights, events)
    for own, layer, real, row in zip(out.layers, config.layers, runs, report["layers"],
                                     strict=True):  # fmt: skip
        neurons = real.spikes.shape[2]
        np.testing.assert_array_equal(own.raster[..., :neurons], real.spikes)
        # A step rounds by half an LSB, and a leak by half of 2^-16; a subtraction is one LSB off.
        current, membrane, leak = (
            float(layer.config.synapse.current.lsb), float(layer.config.membrane.format.lsb),
            2.0**-17,
        )  # fmt: skip
        off = current / 2 + leak * np.abs(real.current).max()
        off = off / (1 - leak_s - leak) + 1.5 * membrane + leak * np.abs(real.membrane).max()
        bound = off / (1 - 0.875 - leak)
        given = own.membrane[..., :neurons] * membrane
        assert np.abs(given - real.membrane).max() <= bound
        assert row["current"]["saturations"] == row["membrane"]["saturations"] == 0


def test_saturations_of_always_on_neurons_are_not_reported() -> None:
    network = layers_of((False, False, True), leak_s=0.75, reset="subtract", scale=0.5)
    events = spikes_in()
    runs = run_real(network, events)
    config, weights = quantised(network, steps=STEPS, ranges=ranges_of(runs))
    out = run(config, weights, events)
    counted = [own.counters["membrane_saturations"] for own in out.layers]
    assert counted[0] > 0
    assert counted[2] == 0
    for row in compare(config, weights, runs, events)["layers"]:
        assert row["current"]["saturations"] == row["membrane"]["saturations"] == 0


def test_biases_take_no_bit_from_the_weights() -> None:
    """Small weights keep their format: several inputs share what one could not hold."""
    for scale, inputs in ((1.0, 2), (1 / 8, MOST_INPUTS)):
        network = layers_of((True, True, True), scale=scale)
        plain = tuple(replace(own, bias=None) for own in network.layers)
        config, _ = quantised(network, steps=STEPS)
        bare, _ = quantised(RealNetwork(plain, 1e-3, "nir", ()), steps=STEPS)
        assert always_on_inputs(SIZES[0], config) == inputs
        assert always_on_inputs(SIZES[0], bare) == 0
        same = [
            own.config.synapse.weight == right.config.synapse.weight
            for own, right in zip(config.layers, bare.layers, strict=True)
        ]
        assert all(same) == (inputs < MOST_INPUTS)


def test_weight_that_no_format_holds_is_refused() -> None:
    config = bitlif.Config.load("tiny").replace(synapse__weight="s6.12")
    with pytest.raises(
        BitlifError,
        match=r"^biases need a neuron that spikes in every step, but 62 LSBs of 's6\.12'",
    ):
        least_weight(config, 62)


def test_parts_add_up_and_differ_by_one() -> None:
    totals = np.arange(-70, 70)
    for parts in range(1, MOST_INPUTS + 1):
        found = in_parts(totals, parts)
        assert found.shape == (parts, totals.size)
        np.testing.assert_array_equal(found.sum(0), totals)
        assert (np.ptp(found, axis=0) <= 1).all()


def test_spikes_are_added_in_every_step() -> None:
    config, _ = quantised(layers_of((True, False, False), scale=0.5), steps=STEPS)
    events = spikes_in()
    count = always_on_inputs(SIZES[0], config)
    wide = with_always_on(events, config).raster()
    np.testing.assert_array_equal(wide[..., : SIZES[0]], events.raster())
    assert wide[..., SIZES[0] :].all()
    assert wide.shape[2] == SIZES[0] + count > SIZES[0]
    assert with_always_on(with_always_on(events, config), config).units == wide.shape[2]
    with pytest.raises(BitlifError, match=rf"^events must have at most {SIZES[0] + count} units"):
        with_always_on(Events.from_times([0], [90], steps=STEPS, units=99), config)


def test_torch_computes_the_same_spikes() -> None:
    network = layers_of((True, False, True))
    config, weights = quantised(network, steps=STEPS)
    events = spikes_in()
    module = bitlif.torch.Network(config)
    module.load_core_weights(weights)
    raster = with_always_on(events, config).raster()
    with torch.no_grad():
        spikes, _ = module.eval()(torch.from_numpy(raster.swapaxes(0, 1)))
    right = run(config, weights, events).output.raster.swapaxes(0, 1)
    np.testing.assert_array_equal(spikes.numpy(), right)


def test_fine_tuning_holds_always_on_neurons() -> None:
    network = layers_of((True, False, True))
    config, weights = quantised(network, steps=STEPS, sigma=0.2)
    events = spikes_in(16)
    labels = np.arange(16) % SIZES[-1]
    neurons = [own.config.layer.neurons for own in config.layers]
    held = [own - size for own, size in zip(neurons, SIZES[1:], strict=True)]
    tuned = fine_tune(config, weights, events, labels, epochs=3, rate=0.05, held=held)
    changed = [own != right for own, right in zip(tuned, weights, strict=True)]
    assert all(own[:, :size].any() for own, size in zip(changed, SIZES[1:], strict=True))
    assert not any(own[:, size:].any() for own, size in zip(changed, SIZES[1:], strict=True))


def test_export_writes_the_inputs_that_are_always_on() -> None:
    config, weights = quantised(layers_of((True, True, False)), steps=STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BitlifWarning)
        again = read_layers(nir.read(io.BytesIO(nir_content(config, weights))))
    assert [own.weights.shape for own in again.layers] == [own.shape for own in weights]
    assert all(own.bias is None for own in again.layers)
