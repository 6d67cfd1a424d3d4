"""``bitlif bench network``: every contestant has its row. No test depends on a time."""

from __future__ import annotations

import builtins
import json
import math
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.model.extras import install_command
from bitlif.scripts.benchmarks import network
from bitlif.scripts.benchmarks.network import (
    AT_ONCE,
    INFERENCE,
    LEARNING,
    PLAIN,
    SNNTORCH,
    TORCH,
    Row,
    check_targets,
    load_data,
    measure,
)
from bitlif.scripts.main import main

ROWS = [
    Row(LEARNING, 6000.0, 7000.0, 0.5),
    Row(INFERENCE, 15000.0, 16000.0, 1.2),
    Row(PLAIN, 100.0, 110.0, 0.01, 60.0),
    Row(AT_ONCE, 300.0, 310.0, 0.02, 22.0),
    Row(SNNTORCH, 500.0, 510.0, 0.03, 14.0),
    Row(TORCH, 2000.0, 2040.0, 0.12, 3.5),
]
FACTS = {"minimal_loop_m_per_s": 900.0, "seconds_of_epochs": 6.5, "torch_times_snntorch": 4.0}


def without(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make the imports of a package fail, whether it is installed or not."""
    original = builtins.__import__

    def fail(wanted: str, *rest: Any, **more: Any) -> Any:
        if wanted.split(".")[0] == name:
            raise ImportError(name)
        return original(wanted, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", fail)


@pytest.mark.parametrize("installed", [True, False])
def test_every_contestant_has_its_row(installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not installed:
        without(monkeypatch, "snntorch")
    data, rows, facts, missing = measure(1, 0.003)
    assert data == "digits"
    ours = [LEARNING, INFERENCE, PLAIN, AT_ONCE]
    assert [row.name for row in rows] == [*ours, *([SNNTORCH, TORCH] if installed else [])]
    assert list(facts) == list(FACTS)[: 3 if installed else 2]
    assert ("snnTorch" in missing) is (not installed)
    assert (install_command("bench") in missing) is (not installed)
    for row in rows:
        assert (row.times is None) is (row.name in (LEARNING, INFERENCE))
        values = (row.samples_per_s, row.samples_per_cpu_s, row.of_limit, row.times or 1.0)
        assert all(0.0 < value < math.inf for value in values)


def test_random_spikes_stand_for_digits_without_scikit_learn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise BitlifError("the digits come with scikit-learn")

    config = NetworkConfig.load(network.CONFIG)
    digits = load_data(config)
    monkeypatch.setattr(network, "load_digits_task", fail)
    data = load_data(config)
    assert data.name == "random spikes"
    assert data.events.windows == digits.events.windows == network.WINDOWS
    assert 0.7 < data.events.count / digits.events.count < 1.4
    np.testing.assert_array_equal(data.targets.argmax(axis=1), data.labels)


def test_targets_are_compared_with_the_rows() -> None:
    goals = {goal["name"]: goal["met"] for goal in check_targets(ROWS, FACTS)}
    assert list(goals.values()) == [True, True, False, True, True]
    slow = {**FACTS, "torch_times_snntorch": 0.9}
    assert [goal["met"] for goal in check_targets(ROWS, slow)] == [True, True, False, False, True]
    del slow["torch_times_snntorch"]
    assert len(check_targets(ROWS[:4], slow)) == 3


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_prints_rows_and_checks_targets(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hint = "snnTorch is not installed: pip install 'snntorch>=1.0'"
    monkeypatch.setattr(network, "measure", lambda *_: ("digits", ROWS, FACTS, hint))
    words = ["bench", "network", "--quick", "--check", *(["--json"] if as_json else [])]
    assert main(words) == 1
    out = capsys.readouterr().out
    if as_json:
        found = json.loads(out)
        assert [row["name"] for row in found["rows"]] == [row.name for row in ROWS]
        assert found["missed"] == [f"learning, times {SNNTORCH}"]
        assert found["not_installed"] == hint
    else:
        for column in ("samples/s", "per CPU s", "of limit", "learning is faster by"):
            assert column in out
        for fact in ("6,000", "60.0", "14", "missed", "pip install", "900 M/s"):
            assert fact in out
