"""Digits trained in PyTorch with 8-bit weights: every window is told the same in gates."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import bitlif
from bitlif.model.files.weight_file import load_network_weights
from bitlif.tasks.digits import load_digits_task

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
RIGHT = 443
"""Test windows, of 450, that the stored weights tell: 98.4 %."""


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.delitem(sys.modules, "torch_digits", raising=False)
    import torch_digits

    return torch_digits


def loaded(example: ModuleType) -> tuple[Any, list[np.ndarray], Any]:
    """Return the network as a module with the stored weights, these, and the examples."""
    network = bitlif.torch.Network(example.config_with_weights())
    weights = load_network_weights(EXAMPLES / "torch_digits.npz", network.config)
    network.load_core_weights(weights)
    return network, weights, load_digits_task(example.STEPS, 0)


def test_stored_weights_tell_98_percent(example: ModuleType) -> None:
    network, weights, data = loaded(example)
    assert all(np.abs(own).max() <= 128 for own in weights)
    told = example.classes_of(network, example.as_tensor(data.test))
    assert (told == data.test_labels).sum() == RIGHT >= 0.98 * len(told)
    in_model = example.classes_in_gates(network.config, weights, data.test, "model")
    np.testing.assert_array_equal(in_model, told)


@pytest.mark.long
@pytest.mark.parametrize("backend", ["rtl", "netlist:ecp5"])
def test_gates_tell_every_digit_alike(example: ModuleType, backend: str) -> None:
    network, weights, data = loaded(example)
    shown = data.test
    told = example.classes_of(network, example.as_tensor(shown))
    np.testing.assert_array_equal(
        example.classes_in_gates(network.config, weights, shown, backend), told
    )
