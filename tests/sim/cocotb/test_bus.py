"""Layers and networks with their buses, driven by cocotbext-axi, compared with the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_network import small_network, small_work

import bitlif
from bitlif.hdl.export.verilog import axi_verilog
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer
from bitlif.model.events import Events
from bitlif.sim.cocotb.bus import BusResult, BusRun, run_bus

from agreement import require_contents
from strategies import stimulus


def require_agreement(
    config: Config | NetworkConfig, run: BusRun, found: BusResult, *, learning: bool
) -> None:
    """Compare a run with the model."""
    with bitlif.open(run.config or config, learning=learning) as core:
        core.load(run.weights)
        targets = run.targets if run.learn or outer(config).membrane.reset == "teacher" else None
        out = core.run(run.events, targets, learn=run.learn)
        np.testing.assert_array_equal(found.raster, out.raster)
        require_contents(found, core)
    assert found.windows == run.events.windows


def check(
    config: Config, changes: list[dict[str, Any]], folder: Path, simulator: str, **options: Any
) -> list[BusResult]:
    """Run the same windows once per element of `changes`, and compare each with the model."""
    events, weights, targets = stimulus(config, 3, 3)
    return check_runs(config, events, weights, targets, changes, folder, simulator, **options)


def check_runs(
    config: Config | NetworkConfig, events: Events, weights: Any, targets: np.ndarray,
    changes: list[dict[str, Any]], folder: Path, simulator: str, **options: Any,
) -> list[BusResult]:  # fmt: skip
    """Run these windows once per element of `changes`, and compare each with the model."""
    learning = options.get("learning", True)
    goals = targets if learning or outer(config).membrane.reset == "teacher" else None
    runs = [
        BusRun(weights=weights, events=events, targets=goals, seed=number,
               **{"learn": learning, **change})
        for number, change in enumerate(changes)
    ]  # fmt: skip
    results = run_bus(config, runs, folder, simulator=simulator, **options)
    for run, found in zip(runs, results, strict=True):
        require_agreement(config, run, found, learning=learning)
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
    assert stalled.signature == plain.signature != loaded.signature
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
    assert plain.signature == stalled.signature


def check_network(
    changes: list[dict[str, Any]], folder: Path, simulator: str, windows: int, **options: Any
) -> list[BusResult]:
    """Run windows of the small network; see `check_runs`."""
    work = small_work(windows)
    found = check_runs(
        work.network, work.events, work.weights, work.targets, changes, folder, simulator, **options
    )
    for change, own in zip(changes, found, strict=True):
        learned = options.get("learning", True) and change.get("learn", True)
        for before, after in zip(work.weights, own.weights, strict=True):
            assert (before != after).any() == learned
        assert own.raster.any()
    return found


def test_network_over_stalling_buses_matches_model(tmp_path: Path) -> None:
    (found,) = check_network([{"stall": 0.3, "stray_events": 1}], tmp_path, "icarus", 1)
    # In each step: the address after the last input, and the highest address of the bus.
    assert found.dropped == 4 * 2


@pytest.mark.long
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_network_over_buses_matches_model_after_resets_and_loads(
    simulator: str, tmp_path: Path
) -> None:
    changes: list[dict[str, Any]] = [
        {"illegal_accesses": True},
        {"reset_midway": True, "stall": 0.3},
        {"config": small_network(rate=0.03), "stall": 0.1},
        {"learn": False, "stall": 0.3, "reset_midway": True},
    ]
    plain, stalled, loaded, _ = check_network(changes, tmp_path, simulator, 3)
    assert plain.refused > 1000
    assert stalled.signature == plain.signature != loaded.signature


@pytest.mark.long
def test_network_that_only_runs_matches_model_over_buses(tmp_path: Path) -> None:
    check_network([{"stall": 0.3}], tmp_path, "icarus", 2, learning=False)


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
