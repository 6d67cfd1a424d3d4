"""The diagnosis of a report has the limits and the metrics of the diagnosis of a run."""

from __future__ import annotations

import numpy as np

from bitlif.model.config.config import Config
from bitlif.model.layer import Layer
from bitlif.study.report.diagnosis import LIMITS, NAMES
from bitlif.study.search.metrics import DIAGNOSIS
from bitlif.tasks.arrays import ArrayTask
from bitlif.tasks.diagnosis import diagnose
from bitlif.tasks.suit_config import suit_config
from bitlif.tasks.training import train

from study_data import flasks


def test_limits_are_those_of_the_findings() -> None:
    task = ArrayTask(flasks())
    examples = task.encoded(16, 0)
    config: Config = suit_config(examples.train, 3, epochs=1)[0]
    layer = Layer(config)
    history = train(layer, task, epochs=1, examples=examples)
    found = {finding.name: finding for finding in diagnose(layer, examples, history, task=task)}
    assert LIMITS.keys() <= set(NAMES) == {metric.name for metric in DIAGNOSIS}
    for name, (kind, limit) in LIMITS.items():
        finding = found[name]
        assert {"max": finding.high, "min": finding.low}[kind] == limit, name
    for metric in DIAGNOSIS:
        if metric.name in found:
            assert metric.whole == (found[metric.name].unit not in ("share", "probability"))
            assert np.isfinite(found[metric.name].value)
