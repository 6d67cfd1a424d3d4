"""Each readout names one neuron for each window, by its documented rule for ties."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from blinking_task import BLINKING

import bitlif
from bitlif import Config, tasks
from bitlif.model.errors import BitlifError
from bitlif.model.result import Result
from bitlif.tasks import READOUTS, readout

TINY = Config.load("tiny").replace(layer__neurons=2, layer__lanes=1)


def spikes(*windows: dict[int, tuple[int, ...]], steps: int = 6, neurons: int = 3) -> Result:
    """Return a result with the given steps of the spikes of neurons."""
    raster = np.zeros((len(windows), steps, neurons), np.uint8)
    for window, times in enumerate(windows):
        for neuron, own in times.items():
            raster[window, list(own), neuron] = 1
    return Result(raster)


def test_first_spike_decides_whatever_the_counts() -> None:
    result = spikes({0: (2, 3, 4), 1: (1,)}, {2: (5,)}, {0: (0,), 2: (1, 2)})
    assert readout("first_spike").classify(result).tolist() == [1, 2, 0]
    assert readout("count").classify(result).tolist() == [0, 2, 2]


def test_first_spikes_of_the_same_step_go_to_the_higher_membrane_of_that_step() -> None:
    result = spikes({1: (2,), 2: (2, 3)})
    membrane = np.zeros((1, 6, 3))
    membrane[0, 2] = 99, 4, 5
    membrane[0, 3] = 0, 50, 0
    first = readout("first_spike")
    assert first.classify(replace(result, membrane=membrane)).tolist() == [2]
    assert first.classify(replace(result, membrane=0 * membrane)).tolist() == [1]
    assert first.classify(result).tolist() == [1]


@pytest.mark.parametrize("name", READOUTS)
def test_windows_without_spikes_go_to_the_highest_summed_membrane(name: str) -> None:
    membrane = np.zeros((2, 6, 3), np.int64)
    membrane[0, :, 1] = -1
    membrane[0, 5, 2] = 7
    membrane[1] = -3
    result = replace(spikes({}, {}), membrane=membrane)
    assert readout(name).classify(result).tolist() == [2, 0]
    if name != "membrane":
        assert readout(name).classify(spikes({}, {})).tolist() == [0, 0]


def test_membrane_readout_needs_membranes() -> None:
    membrane = np.zeros((1, 6, 3))
    membrane[0, 0, 1] = 2.5
    result = spikes({0: (1, 2)})
    assert readout("membrane").classify(replace(result, membrane=membrane)).tolist() == [1]
    with pytest.raises(BitlifError, match="run that recorded 'membrane'"):
        readout("membrane").classify(result)

    class Board:
        records = ()
        backend = "serial"

    with pytest.raises(BitlifError, match="records membranes, not serial; use 'count'"):
        readout("membrane").records(Board)
    for name in ("count", "first_spike"):
        assert readout(name).records(Board) == ()
        assert readout(name).ties(Board) == "the lower class"


def test_result_without_windows_has_no_classes() -> None:
    empty = Result(np.zeros((0, 6, 3), np.uint8), membrane=np.zeros((0, 6, 3)))
    for name in READOUTS:
        assert readout(name).classify(empty).shape == (0,)


@pytest.mark.parametrize("name", READOUTS)
def test_what_is_no_result_is_refused(name: str) -> None:
    with pytest.raises(BitlifError, match="result must be a Result of a run, not 'raster'"):
        readout(name).classify("raster")  # type: ignore[arg-type]


def test_unknown_readouts_are_refused() -> None:
    assert readout(readout("count")) is readout("count")
    with pytest.raises(BitlifError, match="count, first_spike, membrane, not 'counts', did you"):
        readout("counts")
    with pytest.raises(BitlifError, match=r"readout must be one of count, .*, not 3"):
        readout(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", READOUTS)
def test_training_and_evaluation_use_the_readout_of_the_task(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = type(BLINKING)()
    monkeypatch.setattr(task, "readout", name, raising=False)
    examples = task.load(TINY, 0)
    with bitlif.open(TINY) as core:
        history = tasks.train(core, task, epochs=1)
        with core.fresh() as probe:
            probe.load(core.weights())
            result = probe.run(examples.test, record=("membrane",))
        own = readout(name).classify(result)
        right = float((own == examples.test_labels).mean())
        assert history[0].test_accuracy == right == tasks.accuracy(core, task)
        predicted, true = tasks.predict(core, task)
        assert predicted.tolist() == own.tolist()
        matrix = tasks.confusion(core, task)
        assert matrix.sum() == true.size
        assert np.trace(matrix) == (predicted == true).sum()
        assert tasks.evaluate(core, task, history)["accuracy"] == right
        report: dict[str, Any] = task.report(core, core.fresh(), examples, history)
        assert report.get("readout", "count") == name


def test_wrong_readout_of_a_task_stops_before_anything_is_learned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = type(BLINKING)()
    monkeypatch.setattr(task, "readout", "last", raising=False)
    with bitlif.open(TINY) as core:
        with pytest.raises(BitlifError, match="readout must be one of"):
            tasks.train(core, task, epochs=1)
        assert core.windows_learned() == 0
