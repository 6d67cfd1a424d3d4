"""The core's Verilog under cocotb, in Icarus and Verilator, compared with the model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bitlif.hdl.export.verilog import core_verilog
from bitlif.model.config.config import Config
from bitlif.model.fixed import Format
from bitlif.model.sections import SynapseConfig
from bitlif.sim.cocotb.cosim import CosimRun, run_cosim
from bitlif.sim.cocotb.runner import require_simulator, simulate
from bitlif.sim.compare.compare import RunComparison, compare_run
from bitlif.sim.compare.expected import compute_expected
from bitlif.sim.compare.float_check import float_distances
from bitlif.tasks.scenario import Work
from bitlif.tasks.stimulus import random_work

from strategies import random_configs, with_gates

VARIANTS = {
    "one by one": {"layer__neurons": 1, "layer__lanes": 1, "layer__inputs": 1},
    "odd lanes, teacher": {
        "layer__neurons": 5,
        "layer__lanes": 3,
        "membrane__reset": "teacher",
        "membrane__injection": "membrane",
    },
    "no noise, threshold subtracted": {
        "membrane__reset": "subtract",
        "noise__kind": "none",
        "error__rule": "table",
        "error__a": [3.0 * bin / 64 for bin in range(64)],
        "error__b": [3.0 * bin / 64 for bin in range(64)],
    },
    "carried": {"window__state": "carry", "window__trace": "carry"},
    "ends of every format": {
        "synapse__weight": "s3.2",
        "synapse__current": "s6.5",
        "membrane__format": "s7.6",
        "membrane__threshold": 0.5,
        "trace__current": "u7.6",
        "trace__format": "u6.6",
        "error__format": "s5.4",
        "learning__rate": 4.0,
    },
}
SLOTS = {"layer__neurons": 11, "layer__lanes": 2}
"""Six slots, the last of them with one neuron."""

WIDE = {
    # Addresses of the host that name no weight, and groups that are not rows.
    "rows of three slots": {
        **SLOTS,
        "gates__synapses": 6,
        "gates__products": 4,
    },
    "a row of all slots, one port": {
        **SLOTS,
        "gates__synapses": 12,
        "gates__products": 6,
        "gates__single_port": "all",
    },
}
RANDOM = 20


def compare(work: Work, folder: Path, simulator: str) -> tuple[CosimRun, RunComparison]:
    """Run a core and require that it matches the model and the float twin's bound."""
    core = run_cosim(work, folder, simulator=simulator)
    expected = compute_expected(work)
    verdict = compare_run(work, core, expected)
    assert verdict.agrees, (verdict.first, verdict.mismatches)
    for signal, distance in float_distances(work, core, expected).items():
        assert distance.beyond == 0, signal
        assert distance.values > 0
    return core, verdict


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder shared by the builds of one core."""
    return tmp_path_factory.mktemp("builds")


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_verilog_matches_model(simulator: str, stall: float, builds: Path) -> None:
    config = Config.load("tiny")
    core, verdict = compare(random_work(config, 3, 10, stall=stall), builds / simulator, simulator)
    windows, steps, neurons, inputs = 10, 16, 4, 6
    by_neuron = windows * steps * neurons
    assert {name: verdict.compared[name] for name in ("spike", "noise draw", "gradient")} == {
        "spike": by_neuron, "noise draw": by_neuron, "gradient": windows * inputs * neurons,
    }  # fmt: skip
    assert verdict.compared["PSP trace"] == windows * steps * inputs
    # The run reached the second phase of the schedule and the limits of the formats.
    assert core.phase == 1
    assert core.counters["current_saturations"] > 0
    assert ("clocks of steps" in verdict.compared) == (stall == 0.0)


@pytest.mark.parametrize(
    ("name", "simulator"),
    [
        *((name, "icarus") for name in WIDE),
        ("rows of three slots", "verilator"),
        pytest.param("a row of all slots, one port", "verilator", marks=pytest.mark.long),
    ],
)
def test_wide_rows_match_model(name: str, simulator: str, tmp_path: Path) -> None:
    config = Config.load("tiny").replace(**WIDE[name])
    _, verdict = compare(random_work(config, 4, 4), tmp_path, simulator)
    assert verdict.compared["gradient"] == 4 * 6 * 11
    assert verdict.compared["clocks of steps"] == 4 * 16


@pytest.mark.parametrize("name", VARIANTS)
def test_other_sizes_and_rules_match_model(name: str, tmp_path: Path) -> None:
    config = Config.load("tiny").replace(**VARIANTS[name])
    core, _ = compare(random_work(config, 5, 3), tmp_path, "icarus")
    if name == "ends of every format":
        saturations = {key: n for key, n in core.counters.items() if "saturations" in key}
        assert all(saturations.values()), saturations


@pytest.mark.parametrize("number", range(RANDOM))
def test_random_configurations_match_model(number: int, tmp_path: Path) -> None:
    config = with_gates(random_configs(RANDOM)[number], 5 * number)
    compare(random_work(config, number, 3, stall=0.3 * (number % 2)), tmp_path, "icarus")


@pytest.mark.parametrize(
    "bits",
    [
        bits if bits in (2, 4, 8, 16) else pytest.param(bits, marks=pytest.mark.long)
        for bits in range(2, 21)
    ],
)
def test_defaults_match_at_every_weight_width(bits: int, tmp_path: Path) -> None:
    # Only the weight format is given: everything else is the default of each side.
    config = Config(synapse=SynapseConfig(weight=Format(bits, bits - 1)))
    _, verdict = compare(random_work(config, 0, 1), tmp_path, "icarus")
    assert verdict.compared["spike"] == config.window.steps * config.layer.neurons


@pytest.mark.parametrize("gates", [{}, {"synapses": 10, "products": 4}])
def test_digits_match_model_over_three_windows(gates: dict[str, int], tmp_path: Path) -> None:
    config = Config.load("digits").replace(gates=gates)
    _, verdict = compare(random_work(config, 1, 3), tmp_path, "icarus")
    assert verdict.compared["weight"] == 3 * 65 * 10
    assert verdict.values > 30_000


@pytest.mark.parametrize("changes", [{}, WIDE["rows of three slots"]], ids=["narrow", "wide"])
def test_inference_only_core_omits_learning_hardware(
    changes: dict[str, int], tmp_path: Path
) -> None:
    config = Config.load("tiny").replace(**changes)
    work = dataclasses.replace(random_work(config, 6, 3), targets=None, learning=False)
    text = core_verilog(config, learning=False)
    assert "learner" not in text
    assert "i_targets" not in text
    _, verdict = compare(work, tmp_path, "icarus")
    assert "gradient" not in verdict.compared


def test_learning_core_can_run_without_learning(tmp_path: Path) -> None:
    config = Config.load("tiny")
    work = dataclasses.replace(random_work(config, 6, 2), learn=False)
    core, _ = compare(work, tmp_path, "icarus")
    np.testing.assert_array_equal(core.weights, work.weights)


def test_stalled_core_is_reported(tmp_path: Path) -> None:
    config = Config.load("tiny")
    # A core whose passes over the inputs never start waits forever.
    text = core_verilog(config)
    faulty = text.replace("assign started = ", "assign started = 1'h0 & ")
    assert faulty != text
    core = run_cosim(random_work(config, 3, 1), tmp_path, simulator="icarus", verilog=faulty)
    assert core.stalled
    verdict = compare_run(random_work(config, 3, 1), core)
    assert not verdict.agrees
    assert "no value in the gates" in str(verdict.first)


@pytest.mark.parametrize(
    ("right", "wrong", "signal", "stalls"),
    [
        ("draws[9:0] = draw;", "draws[9:0] = 'x;", "noise draw", False),
        ("spikes[0] = spike;", "spikes[0] = 'x;", "spike", True),
    ],
)
def test_undefined_values_are_reported_where_they_begin(
    right: str, wrong: str, signal: str, stalls: bool, tmp_path: Path
) -> None:
    text = core_verilog(Config.load("tiny"))
    assert text.count(right) == 1
    work = random_work(Config.load("tiny"), 3, 1)
    core = run_cosim(work, tmp_path, simulator="icarus", verilog=text.replace(right, wrong))
    assert core.stalled == stalls
    first = compare_run(work, core).first
    assert first is not None
    assert (first.signal, first.place) == (signal, {"window": 0, "step": 0, "neuron": 0})
    assert "no value in the gates" in str(first)


def test_reset_at_any_time_clears_all_state(tmp_path: Path) -> None:
    config = Config.load("tiny").replace(window__state="carry", window__trace="carry")
    work = random_work(config, 2, 3, stall=0.0)
    expected = compute_expected(work)
    first = int(expected.step_clocks[0].sum())
    # Resets in every part of a step, during the weight update, between windows and in the second.
    clocks = (1, 7, 19, 23, 31, 38, 44, 53, 101, 397)
    clocks += (*range(first - 6, first + expected.window_end + 8, 2), first + 400)
    work = dataclasses.replace(work, false_starts=clocks)
    compare(work, tmp_path, "icarus")


def test_different_weights_give_different_signatures(tmp_path: Path) -> None:
    work = random_work(Config.load("tiny"), 7, 1)
    other = dataclasses.replace(work, weights=-1 - work.weights)
    runs = [compare(each, tmp_path / str(k), "icarus")[0] for k, each in enumerate((work, other))]
    assert runs[0].observed["signature"] != runs[1].observed["signature"]


def test_missing_simulator_error_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    with pytest.raises(ValueError, match=r"^icarus is needed and iverilog .*apt-get install"):
        require_simulator("icarus")


def test_verilator_folder_with_space_raises(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    with pytest.raises(ValueError, match=r"^a folder for Verilator must have no space in its path"):
        simulate(
            folder / "x.sv", "x", "bitlif.sim.cocotb.core_bench", folder, simulator="verilator",
            environment={},
        )  # fmt: skip
    assert not folder.exists()
