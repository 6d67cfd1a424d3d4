"""The example of a closed loop: it learns, is the same in gates, and draws its picture."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import bitlif

ROOT = Path(__file__).parents[2]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = ROOT / "docs" / "examples" / "closed_loop.py"
    spec = importlib.util.spec_from_file_location("closed_loop", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def test_pole_stands_longer_when_learned(example: ModuleType, tmp_path: Path) -> None:
    trials = example.run_trials("model", 3000)
    mean = {name: np.mean(trial.durations) for name, trial in trials.items()}
    assert mean["learning"] > 2 * mean["without learning"]
    assert mean["learned weights, no teacher"] > 2 * mean["without learning"]
    assert mean["teacher alone"] == pytest.approx(10.0)
    picture = tmp_path / "loop.png"
    example.draw(trials, picture, "a test")
    assert picture.stat().st_size > 10_000


def test_gates_balance_like_the_model(example: ModuleType) -> None:
    with bitlif.open(example.CONFIG, "rtl") as gates, bitlif.open(example.CONFIG) as model:
        trials = [example.balance(core, 320, learn=True) for core in (gates, model)]
        np.testing.assert_array_equal(trials[0].angles, trials[1].angles)
        np.testing.assert_array_equal(gates.weights(), model.weights())
        assert gates.signature() == model.signature()
