"""The demo's network in gates: a difference is reported, and so are missing tools."""

from __future__ import annotations

from typing import Any

import pytest

import bitlif
from bitlif.model.config.network import NetworkConfig
from bitlif.scripts.support.demo_network_gates import (
    missing_tools,
    print_network_gates,
    run_network_gates,
)
from bitlif.tasks.digits import load_digits_task

STEPS = 8
NETWORK: NetworkConfig = NetworkConfig.load("digits-96").replace(
    window__steps=STEPS, layer__0__neurons=8, layer__0__lanes=2
)


def test_difference_is_counted_and_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real: Any = bitlif.open
    other = NETWORK.replace(layer__0__membrane__threshold=0.75)

    def wrong(config: Any, backend: str = "model") -> Any:
        return real(config if backend == "model" else other)

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
