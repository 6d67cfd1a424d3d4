"""A layer with its buses, driven by cocotbext-axi, compared with the model bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.hdl.core_signals import COUNTERS
from bitlif.hdl.export.verilog import axi_verilog
from bitlif.model.config.config import Config
from bitlif.model.layer import Layer
from bitlif.model.signature import Signature
from bitlif.sim.cocotb.bus import BusResult, BusRun, run_bus

from strategies import stimulus


def require_agreement(config: Config, run: BusRun, found: BusResult) -> None:
    """Compare a run with the model."""
    config = config if run.config is None else run.config
    layer, signature = Layer(config), Signature(config.layer)
    layer.load(run.weights)
    counters = dict.fromkeys(COUNTERS, 0)
    for w in range(run.events.windows):
        one = run.events.select([w])
        goals = None if run.targets is None else run.targets[w : w + 1]
        if run.learn:
            result = layer.learn(one, goals, record=("membrane",))
        else:
            result = layer.run(one, goals, record=("membrane",))
        np.testing.assert_array_equal(found.raster[w], result.raster[0])
        signature.take_window(result)
        if run.learn:
            signature.take_weights(layer.weights)
        for name in COUNTERS:
            counters[name] += result.counters[name]
    np.testing.assert_array_equal(found.weights, layer.weights)
    for name in ("current", "membrane", "trace_current", "trace"):
        np.testing.assert_array_equal(getattr(found.state, name), getattr(layer.state, name))
    assert found.state.noise_lfsr == layer.state.noise_lfsr
    if found.state.update_lfsr:
        assert found.state.update_lfsr == layer.state.update_lfsr
    assert found.state.phase == layer.state.phase
    assert found.counters == counters
    assert found.digest == signature.value
    assert found.windows == run.events.windows


def check(
    config: Config, changes: list[dict[str, Any]], folder: Path, simulator: str, **options: Any
) -> list[BusResult]:
    """Run the same windows once per element of `changes`, and compare each with the model."""
    learning = options.get("learning", True)
    events, weights, targets = stimulus(config, 3, 3)
    if not learning and config.membrane.reset == "free":
        targets = None
    runs = [
        BusRun(weights=weights, events=events, targets=targets, seed=number,
               **{"learn": learning, **change})
        for number, change in enumerate(changes)
    ]  # fmt: skip
    results = run_bus(config, runs, folder, simulator=simulator, **options)
    for run, found in zip(runs, results, strict=True):
        require_agreement(config, run, found)
    return results


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_windows_over_buses_match_model(simulator: str, tmp_path: Path) -> None:
    config = Config.load("tiny")
    other = config.replace(
        error__rule="clipped", schedule=[{"windows": 2, "sigma": 0.2}, {"sigma": 0.3}]
    )
    found = check(
        config,
        [
            {"illegal_accesses": True},
            {"reset_midway": True, "stall": 0.3},
            {"config": other, "stall": 0.1, "stray_events": 2},
            {"learn": False},
        ],
        tmp_path,
        simulator,
    )
    plain, stalled, loaded, inferred = found
    assert plain.refused > 1000
    assert stalled.digest == plain.digest != loaded.digest
    assert loaded.state.phase == 1
    # In each step: the two addresses after the last input, and the highest address of the bus.
    assert [own.dropped for own in found] == [0, 0, 3 * 3 * 16, 0]
    assert inferred.weights.tolist() != plain.weights.tolist()


@pytest.mark.parametrize(
    ("changes", "learning"),
    [
        ({"layer__neurons": 1, "layer__lanes": 1, "layer__inputs": 1}, True),
        ({"layer__inputs": 5, "layer__neurons": 5, "layer__lanes": 3,
          "membrane__reset": "teacher", "window__lfsr": "clear", "window__state": "carry",
          "window__trace": "carry", "noise__lfsr__width": 48}, True),
        ({"layer__neurons": 5, "layer__lanes": 2}, False),
        ({"layer__neurons": 11, "layer__lanes": 2, "gates__synapses": 6, "gates__products": 4,
          "gates__single_port": "weights"}, True),
        ({"layer__inputs": 300, "layer__neurons": 1, "layer__lanes": 1, "window__steps": 3,
          "learning__random_bits": 0}, True),
    ],
    ids=["one by one", "odd lanes, teacher, wide LFSRs", "inference only", "rows of three slots",
         "two bytes of address"],
)  # fmt: skip
def test_other_sizes_and_variants_match_model(
    changes: dict[str, Any], learning: bool, tmp_path: Path
) -> None:
    config = Config.load("tiny").replace(**changes)
    large = config.layer.inputs > 100
    runs = (
        [{"stall": 0.1, "stray_events": 1}]
        if large
        else [{"illegal_accesses": True, "stray_events": 1}]
    )
    check(config, runs, tmp_path, "icarus", learning=learning)


def test_wide_rows_with_one_port_match_model_over_buses(tmp_path: Path) -> None:
    # Fewer products than synapses, and a row that slots do not fill.
    config = Config.load("tiny").replace(
        layer__neurons=7, layer__lanes=1, gates__synapses=5, gates__products=2,
        gates__single_port="all",
    )  # fmt: skip
    changes = [{}, {"reset_midway": True, "stall": 0.3}, {"learn": False}]
    plain, stalled, _ = check(config, changes, tmp_path, "icarus")
    assert plain.digest == stalled.digest


def test_inference_only_has_no_learning_hardware() -> None:
    text = axi_verilog(Config.load("tiny"), learning=False)
    assert "learner" not in text
    assert "s_axis_targets" not in text


def test_driver_rejects_core_of_other_configuration(tmp_path: Path) -> None:
    config = Config.load("tiny").replace(layer__inputs=1, layer__neurons=1, layer__lanes=1)
    with pytest.raises(ValueError, match=r"^the core must have been built from configuration tiny "
                                         r"\([0-9a-f]{16}\), not from [0-9a-f]{16}$"):  # fmt: skip
        run_bus(config, [], tmp_path, simulator="icarus", expected=config.replace(learning__rate=1))


def test_missing_simulator_raises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    with pytest.raises(ValueError, match=r"^icarus is needed"):
        run_bus(Config.load("tiny"), [], tmp_path, simulator="icarus")
