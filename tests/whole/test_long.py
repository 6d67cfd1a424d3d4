"""The nightly run, `make test-long`: more configurations, longer windows, both simulators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bitlif.sim
from bitlif.model.config.config import Config
from bitlif.model.layer import Layer
from bitlif.sim.cocotb.cosim import run_cosim
from bitlif.sim.compare.compare import compare_run
from bitlif.sim.compare.crosscheck import crosscheck
from bitlif.sim.compare.float_check import float_distances
from bitlif.tasks.digits import load_digits_task
from bitlif.tasks.stimulus import random_work
from bitlif.tasks.training import train

from strategies import random_configs, with_gates

pytestmark = pytest.mark.long

CONFIGS = 100
BEFORE = 20
"""Configurations that `make test` runs."""
WINDOWS = 30
VALUES = 1_000_000
READY_MADE = {"tiny": 50, "digits": 5, "digits-4bit": 3, "teacher": 2}


def check(config: Config, seed: int, windows: int, folder: Path, simulator: str) -> int:
    """Compare a run with the model and return the number of values."""
    work = random_work(config, seed, windows, stall=0.3 * (seed % 3 == 1))
    core = run_cosim(work, folder, simulator=simulator)
    verdict = compare_run(work, core)
    assert verdict.agrees, (seed, config, verdict.first)
    assert not any(distance.beyond for distance in float_distances(work, core).values())
    return verdict.values


def test_random_configurations_match_in_every_value(tmp_path: Path) -> None:
    values = 0
    for number, drawn in enumerate(random_configs(BEFORE + CONFIGS)[BEFORE:]):
        config = with_gates(drawn, 11 * number)
        simulator = "verilator" if number % 10 == 9 else "icarus"
        values += check(config, number, WINDOWS, tmp_path / str(number), simulator)
    assert values >= VALUES


def test_larger_layer_matches_model(tmp_path: Path) -> None:
    config = Config.load("digits").replace(
        name="large", layer__inputs=200, layer__neurons=130, layer__lanes=16, window__steps=12
    )
    assert check(config, 0, 3, tmp_path, "verilator") > 100_000


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize("name", READY_MADE)
def test_ready_made_configurations_match_model(name: str, simulator: str, tmp_path: Path) -> None:
    check(Config.load(name), 0, READY_MADE[name], tmp_path, simulator)
    check(Config.load(name), 1, 1, tmp_path, simulator)


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize(("synapses", "products"), [(2, 4), (4, 2), (6, 10), (10, 6)])
def test_digits_match_model_with_any_widths(
    synapses: int, products: int, simulator: str, tmp_path: Path
) -> None:
    config = Config.load("digits").replace(gates__synapses=synapses, gates__products=products)
    check(config, 1, 2, tmp_path, simulator)


CLOCKS = 100_000_000
COMPARED = {
    "narrow": {"digits": 2000, "digits-4bit": 1000, "teacher": 60, "tiny": 2000},
    "wide": {"digits": 8000, "digits-4bit": 4000, "teacher": 60, "tiny": 4000},
}
"""Windows on the compiled RTL. The same number is run with all state carried between windows."""


@pytest.mark.parametrize("width", COMPARED)
def test_100_million_clock_cycles_of_learning_match(width: str) -> None:
    clocks = 0
    for name, windows in COMPARED[width].items():
        ready = Config.load(name)
        if width == "wide":
            # All weights of an input in a row, and products in two groups.
            sizes, lanes = ready.layer, ready.layer.lanes
            ready = ready.replace(
                gates__synapses=sizes.slots * lanes, gates__products=-(-sizes.slots // 2) * lanes
            )
        carried = ready.replace(window__state="carry", window__trace="carry", window__lfsr="clear")
        for config in (ready, carried):
            with bitlif.sim.open(config) as model, bitlif.sim.open(config, "rtl") as core:
                for seed in range(0, windows, 100):
                    work = random_work(config, seed, min(100, windows - seed))
                    (_, outcome) = crosscheck([model, core], work)
                    assert outcome.agrees, (name, seed, outcome.first)
                    clocks += outcome.clocks
    assert clocks >= CLOCKS


def test_full_digits_training_in_rtl_matches_model() -> None:
    config, seed, epochs = Config.load("digits"), 0, 20
    digits = load_digits_task(config.window.steps, seed)
    layer = Layer(config)
    history = train(layer, "digits", epochs=epochs, seed=seed, examples=digits)
    with bitlif.sim.open(config, "rtl") as core, bitlif.sim.open(config, "rtl") as probe:
        through_gates = train(
            core, "digits", epochs=epochs, seed=seed, examples=digits, probe=probe
        )
        np.testing.assert_array_equal(core.weights(), layer.weights)
        assert core.state().noise_lfsr == layer.lfsr_states[0]
    assert through_gates == history
    assert history[-1].test_accuracy > 0.94


WHOLE_ROWS = {"synapses": 10, "products": 10}


@pytest.mark.parametrize(
    ("backend", "name", "gates"),
    [
        ("netlist:ice40", "digits", {}), ("netlist:ecp5", "digits", {}),
        ("netlist:ice40", "teacher", {}), ("netlist:ecp5", "teacher", {}),
        ("netlist:ice40", "digits", WHOLE_ROWS), ("netlist:ice40hx", "digits", WHOLE_ROWS),
        ("netlist:ecp5", "digits", WHOLE_ROWS), ("netlist:gowin", "digits", WHOLE_ROWS),
    ],
)  # fmt: skip
def test_netlists_match_over_learning_windows(
    backend: str, name: str, gates: dict[str, int]
) -> None:
    config = Config.load(name).replace(gates=gates)
    with bitlif.sim.open(config) as model, bitlif.sim.open(config, backend) as core:
        (_, outcome) = crosscheck([model, core], random_work(config, 0, 4))
    assert outcome.agrees, outcome.first
    assert outcome.values > 4 * config.layer.inputs * config.layer.neurons
