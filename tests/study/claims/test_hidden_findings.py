"""The findings on hidden codes, on the shipped results in ``docs/figures/hidden.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.study.claims.hidden import SUBJECTS, Hidden, HiddenCode, HiddenSettings
from bitlif.study.claims.hidden_findings import FINDINGS
from bitlif.study.claims.models import MODELS

FILE = Path(__file__).parents[3] / "docs" / "figures" / "hidden.json"
TASKS = [own.name for own in SUBJECTS]


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())["numbers"]
    return found


@pytest.fixture(scope="module")
def hidden(numbers: dict[str, Any]) -> Hidden:
    """Return the shipped measurement."""
    codes = []
    for own in numbers["codes"]:
        names = {name: own[name] for name in ("task", "model", "network")}
        values = {name: own[name] for name in own.keys() - names.keys()}
        measures = {
            name: np.array([np.nan if x is None else x for x in column], np.float64)
            for name, column in values.items()
        }
        codes.append(HiddenCode(**names, measures=measures))
    return Hidden(HiddenSettings(), tuple(codes))


def test_shipped_results_are_those_of_the_settings(numbers: dict[str, Any]) -> None:
    settings = HiddenSettings()
    assert numbers["seeds"] == settings.seeds >= 5
    assert numbers["tasks"] == {own.name: {"epochs": own.epochs} for own in SUBJECTS}
    for name in ("trained_sigmas", "tested_sigmas", "widths", "blocks"):
        assert numbers[name] == list(getattr(settings, name))


def test_every_finding_has_an_interval_over_the_seeds(
    numbers: dict[str, Any], hidden: Hidden
) -> None:
    written = {(own["finding"], own["task"], own["model"]): own for own in numbers["findings"]}
    assert len(written) == len(TASKS) * sum(len(own.models) for own in FINDINGS)
    for (name, task, model), own in written.items():
        again = hidden.finding(name, task, model)
        assert again.count == own["count"] == 5
        # Values are written with six digits.
        for end in ("low", "mean", "high"):
            assert getattr(again, end) == pytest.approx(own[end], rel=1e-4, abs=2e-3)


@pytest.mark.parametrize("model", MODELS)
def test_output_layers_read_counts(hidden: Hidden, model: str) -> None:
    for task, most, least in (("digits-96", 0.5, 4), ("randman", 2, 30), ("yin-yang", 1, 15)):
        assert hidden.finding("shuffling_loss", task, model).high < most
        assert hidden.finding("equalising_loss", task, model).low > least
    # Equal counts cost the same there, but seeds differ more.
    assert hidden.finding("shuffling_loss", "gunpoint", model).high < 2


@pytest.mark.parametrize("model", MODELS)
def test_times_tell_more_than_counts_only_on_randman(hidden: Hidden, model: str) -> None:
    assert 0 in hidden.finding("times_beyond_counts", "digits-96", model)
    assert 0 in hidden.finding("times_beyond_counts", "gunpoint", model)
    assert hidden.finding("times_beyond_counts", "yin-yang", model).high < 0
    assert hidden.finding("times_beyond_counts", "randman", model).low > 0.1
    assert hidden.finding("decoder_shuffling_loss", "randman", model).low > 6
    # A count tells more than a first spike, but as much on Randman.
    for task in ("digits-96", "yin-yang", "gunpoint"):
        assert hidden.finding("counts_over_latency", task, model).low > 0.02
    assert 0 in hidden.finding("counts_over_latency", "randman", model)


@pytest.mark.parametrize("model", MODELS)
def test_noise_costs_accuracy_on_randman_and_yin_yang(hidden: Hidden, model: str) -> None:
    for task in ("digits-96", "gunpoint"):
        assert 0 in hidden.finding("test_noise_loss", task, model)
        assert 0 in hidden.finding("training_noise_gain", task, model)
    assert hidden.finding("training_noise_gain", "randman", model).high < -1
    assert hidden.finding("training_noise_gain", "yin-yang", model).high < -0.5
    for task in TASKS:
        assert hidden.finding("test_noise_jitter", task, model).low > 1
    for task in ("digits-96", "randman", "gunpoint"):
        assert 1 in hidden.finding("training_noise_spikes", task, model)
    assert hidden.finding("training_noise_spikes", "yin-yang", model).low > 1.1


@pytest.mark.parametrize("model", MODELS)
def test_width_of_the_surrogate_changes_spikes_but_not_accuracy(hidden: Hidden, model: str) -> None:
    assert hidden.finding("width_spikes", "randman", model).low > 1.3
    assert hidden.finding("width_spikes", "gunpoint", model).low > 1
    assert hidden.finding("width_spikes", "yin-yang", model).high < 1
    for task in ("randman", "yin-yang", "gunpoint"):
        assert 0 in hidden.finding("width_gain", task, model)


def test_resets_that_do_not_cut_the_way_back(hidden: Hidden) -> None:
    for task in ("digits-96", "yin-yang"):
        assert hidden.finding("ungated_spikes", task, "float").high < 0.75
    assert 1 in hidden.finding("ungated_spikes", "randman", "float")
    for task in ("digits-96", "randman"):
        assert 0 in hidden.finding("ungated_gain", task, "float")
    assert hidden.finding("ungated_gain", "gunpoint", "float").high < -10
