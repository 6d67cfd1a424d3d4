"""The demo's network in gates: they agree, a difference is reported, and so are missing tools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bitlif
from bitlif.model.config.network import NetworkConfig
from bitlif.model.network import Network
from bitlif.scripts.support.demo_network_gates import (
    LEARNED,
    missing_tools,
    print_network_gates,
    run_network_gates,
)
from bitlif.tasks.digits import class_targets, load_digits_task
from bitlif.tasks.learner import target_levels

STEPS = 8
NETWORK: NetworkConfig = NetworkConfig.load("digits-96").replace(
    window__steps=STEPS, layer__0__neurons=8, layer__0__lanes=2
)


def test_gates_agree_with_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    digits, weights = load_digits_task(STEPS, 0), NETWORK.initial_weights()
    report = run_network_gates(NETWORK, weights, digits)
    assert report["agree"] is True
    for run in report["runs"].values():
        assert not any(run["differ"].values())
        assert run["first_difference"] == ""
        assert run["clocks"] > run["windows"] * STEPS
    run = report["runs"]["learned digits"]
    # The hidden layer's adjoint currents were compared, and the model's are not all zero.
    model = Network(NETWORK)
    model.load(weights)
    levels = target_levels(NETWORK.outer, class_targets(digits.train_labels[:LEARNED]))
    learned = model.learn(digits.train.select(range(LEARNED)), levels, record=("adjoints",))
    assert run["compared"]["layer.0 sweep"] == learned.adjoints[0].size > 0
    assert np.count_nonzero(learned.adjoints[0]) > LEARNED
    print_network_gates(report)
    text = capsys.readouterr().out
    assert "gates and model of the network agree in all " in text
    assert "first difference" not in text


def test_difference_is_counted_and_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real: Any = bitlif.open
    other = NETWORK.replace(layer__0__membrane__threshold=0.75)

    def wrong(config: Any, backend: str = "model") -> Any:
        # The gates are those of the test before, which are compiled once.
        return real(other) if backend == "model" else real(config, backend)

    monkeypatch.setattr(bitlif, "open", wrong)
    report = run_network_gates(NETWORK, NETWORK.initial_weights(), load_digits_task(STEPS, 0))
    assert report["agree"] is False
    run = report["runs"]["test digits"]
    assert run["differ"]["layer.0 forward"] > 0
    assert run["first_difference"].startswith("layer.0 forward: ")
    print_network_gates(report)
    text = capsys.readouterr().out
    assert "gates and model of the network are NOT the same" in text
    assert "test digits: first difference: layer.0 forward: " in text


def test_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_tools() == ""
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    monkeypatch.setenv("PATH", "")
    assert missing_tools().startswith("verilator is needed")
