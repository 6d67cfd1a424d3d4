"""Networks in compiled gates: every bit and every clock cycle of the model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from network_faults import active_work, faulty_network
from networks import (
    assert_same_core,
    assert_steps_are_runs,
    network_stimulus,
    random_networks,
    sweepable,
    with_random_gates,
)

import bitlif
from bitlif import NetworkConfig
from bitlif.hdl.export.network_verilog import network_verilog
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.network import Network
from bitlif.model.network_clocks import window_clocks
from bitlif.sim.backends import network_gates
from bitlif.sim.backends.network_core import NetworkCore
from bitlif.sim.backends.network_gates import NetworkGateCore

COUNT = 12
SPIKED, ADDED, FIXED = "spike", "window", 3
"""Networks of three layers: two in which all are swept in earnest, with updates by spike and by
window, and one of random fields with layers that are not learned."""

Key = str | int


def network(key: Key) -> NetworkConfig:
    """Return a network that gates can learn."""
    return (
        faulty_network(key) if isinstance(key, str) else sweepable(random_networks(COUNT)[key], key)
    )


def given(config: NetworkConfig, key: Key) -> tuple[Events, list[np.ndarray], np.ndarray]:
    """Return events, weights and targets."""
    if isinstance(key, int):
        return network_stimulus(config, key)
    work = active_work(key)
    return work.events, work.weights, work.targets


@contextlib.contextmanager
def both(config: NetworkConfig, key: Key, backend: str = "rtl", **options: Any) -> Iterator[Any]:
    """Open gates and model with the same weights; yield both, and what they run."""
    events, weights, targets = given(config, key)
    with bitlif.open(config, backend, **options) as gates, bitlif.open(config, **options) as model:
        for core in (gates, model):
            core.load(weights)
        yield gates, model, events, targets


def assert_same_run(gates: NetworkCore, model: NetworkCore, call: dict[str, Any]) -> None:
    """Run the same windows on gates and model, and compare all that they return."""
    learn = call["learn"]
    record = [name for name in gates.records if learn or name in ("current", "membrane", "draws")]
    ours, theirs = (core.run(**call, record=record) for core in (gates, model))
    for own, right in zip(ours.layers, theirs.layers, strict=True):
        for name in ("raster", *record):
            found, expected = getattr(own, name), getattr(right, name)
            assert (found is None) == (expected is None), name
            if found is not None:
                np.testing.assert_array_equal(found, expected, err_msg=name)
        assert own.counters == right.counters
    np.testing.assert_array_equal(ours.step_signatures, theirs.step_signatures)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("key", [SPIKED, ADDED, FIXED])
def test_gates_learn_and_run_as_the_model(key: Key) -> None:
    config = network(key)
    with both(config, key) as (gates, model, events, targets):
        model_network = Network(config)
        model_network.load(gates.weights())
        assert ("gradient" in gates.records) == (key != SPIKED)
        spent = 0
        for learn in (True, False, True):
            assert_same_run(gates, model, {"events": events, "targets": targets, "learn": learn})
            assert_same_core(gates, model)
            call = model_network.learn if learn else model_network.run
            record = ("membrane", "adjoints") if learn else ()
            result = call(events, targets, record=record)
            assert key == FIXED or all(own.any() for own in result.adjoints)
            spent += int(window_clocks(config, events, result, learn=learn).sum())
            assert gates.clocks() == spent > 0
            assert gates.layer_signatures() == model.layer_signatures()
            assert gates.sweep_lfsr() == model.sweep_lfsr()
        for own in gates.state():
            assert not own.trace.any()


@pytest.mark.usefixtures("quick")
def test_steps_of_gates_are_those_of_runs() -> None:
    config = network(ADDED)
    with both(config, ADDED) as (gates, model, events, targets):
        for learn in (True, False):
            assert_steps_are_runs(model, gates, events, targets, learn=learn)
            model.reset()
            gates.reset()


@pytest.mark.usefixtures("quick")
def test_gates_that_only_run_are_the_model() -> None:
    config = with_random_gates(random_networks(COUNT)[2], 2)
    with both(config, 2, learning=False) as (gates, model, events, targets):
        assert_same_run(gates, model, {"events": events, "targets": targets, "learn": False})
        assert_same_core(gates, model)
        assert gates.sweep_lfsr() == ((),) * len(config.layers)
        with pytest.raises(BitlifError, match="learning=False"):
            gates.learn(events, targets)
        with pytest.raises(BitlifError, match="neither saved nor copied"):
            gates.save("x.npz")


@pytest.mark.usefixtures("quick")
def test_tables_are_loaded_and_reset_and_fresh_begin_anew() -> None:
    config = network(0)  # two phases; its last layer is swept in earnest
    phases = config.to_dict()["layer"][3]["schedule"]
    rates = [phase["rate"] for phase in reversed(phases)]
    assert rates != rates[::-1]
    other = config.replace(
        layer__3__schedule=[{**p, "rate": rate} for p, rate in zip(phases, rates, strict=True)]
    )
    with both(config, 0) as (gates, model, events, targets):
        for core in (gates, model):
            core.learn(events, targets)
            core.load_tables(other)
            core.learn(events, targets)
        assert_same_core(gates, model)
        learned = gates.weights()
        gates.reset()
        assert (gates.windows_learned(), gates.clocks(), set(gates.counters().values())) == (
            0, 0, {0}
        )  # fmt: skip
        for own, right in zip(gates.weights(), learned, strict=True):
            np.testing.assert_array_equal(own, right)
        with gates.fresh() as fresh, model.fresh() as right:
            assert fresh.config == other
            fresh.learn(events, targets)
            right.learn(events, targets)
            assert_same_core(fresh, right)


@pytest.mark.usefixtures("quick")
def test_wrong_clock_cycles_and_records_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    config = network(SPIKED)
    with both(config, SPIKED) as (gates, _, events, targets):
        with pytest.raises(BitlifError, match="not 'gradient', which its gates do not compute"):
            gates.learn(events, targets, record=("gradient",))

        def late(*given: Any, **named: Any) -> Any:
            clocks = window_clocks(*given, **named)
            clocks[1] += 1
            return clocks

        monkeypatch.setattr(network_gates, "window_clocks", late)
        with pytest.raises(BitlifError, match=r"took \d+ clock cycles in window 1 .*reset it"):
            gates.learn(events, targets)
        with pytest.raises(BitlifError, match="reset it"):
            gates.weights()
        monkeypatch.undo()
        gates.reset()
        gates.learn(events, targets)


@pytest.mark.usefixtures("quick")
def test_a_stalled_network_is_an_error() -> None:
    config = network(SPIKED)
    text = network_verilog(config)
    # The sweeps begin when all layers have come to their end: they never do.
    stuck = text.replace("assign all_finished = ", "assign all_finished = 1'h0 & ")
    assert stuck != text
    events, _, targets = given(config, SPIKED)
    with NetworkGateCore(config, "rtl", verilog=stuck) as gates:
        gates.run(events, targets)
        with pytest.raises(BitlifError, match="stalled in window 0 of the run: reset it"):
            gates.learn(events, targets)


def netlist_is_the_model(config: NetworkConfig, number: Key, backend: str) -> None:
    with both(config, number, backend) as (gates, model, events, targets):
        model_network = Network(config)
        model_network.load(gates.weights())
        assert gates.records == ()
        for learn in (True, False):
            ours, theirs = (core.run(events, targets, learn=learn) for core in (gates, model))
            np.testing.assert_array_equal(ours.raster, theirs.raster)
            result = (model_network.learn if learn else model_network.run)(
                events, targets, record=("membrane", "adjoints") if learn else ()
            )
            clocks = window_clocks(config, events, result, learn=learn)
            np.testing.assert_array_equal(ours.window_clocks, clocks)
            assert ours.layers[0].raster.shape[0] == 0
            for own, right in zip(ours.layers, theirs.layers, strict=True):
                assert own.counters.items() <= right.counters.items()
            assert gates.layer_signatures() == model.layer_signatures()
            assert gates.sweep_lfsr() == model.sweep_lfsr()
        assert "synaptic_events" not in gates.counters()
        for a, b in zip(gates.weights(), model.weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        for one, other in zip(gates.state(), model.state(), strict=True):
            np.testing.assert_array_equal(one.membrane, other.membrane)
            assert (one.noise_lfsr, one.update_lfsr, one.phase) == (
                other.noise_lfsr, other.update_lfsr, other.phase
            )  # fmt: skip
        with pytest.raises(BitlifError, match="shows its ports only"):
            gates.run(events, targets, record=("membrane",))


@pytest.mark.long
@pytest.mark.parametrize("backend", ["netlist:ecp5", "netlist:ice40", "netlist:gowin"])
@pytest.mark.parametrize("number", [SPIKED, ADDED, FIXED])
def test_netlists_learn_as_the_model(number: Key, backend: str) -> None:
    netlist_is_the_model(network(number), number, backend)
