"""Pictures are Matplotlib figures of what they are given."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

import bitlif
from bitlif import Config, tasks
from bitlif.model.errors import BitlifError
from bitlif.tasks.stimulus import random_work
from bitlif.tasks.task import Epoch

TINY = Config.load("tiny")


def saved(figure: object) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")  # type: ignore[attr-defined]
    return file.getvalue()


def test_figures_show_the_numbers() -> None:
    work = random_work(TINY, 1, 2)
    core = bitlif.open(TINY)
    core.load(work.weights)
    result = core.run(work.events)
    raster = tasks.draw_raster(result, window=1)
    points = raster.axes[0].collections[0].get_offsets()
    assert len(points) == result.raster[1].sum()
    inputs = tasks.draw_raster(work.events)
    assert len(inputs.axes[0].collections[0].get_offsets()) == work.events.select([0]).count
    weights = tasks.draw_weights(core)
    np.testing.assert_array_equal(weights.axes[0].images[0].get_array(), core.real_weights().T)
    matrix = np.array([[3, 1], [0, 4]])
    texts = [text.get_text() for text in tasks.draw_confusion(matrix).axes[0].texts]
    assert texts == ["3", "1", "0", "4"]
    history = [Epoch(n, 0.5, 0.1 * n, 3.0, {}) for n in (1, 2)]
    curve = tasks.draw_learning_curve(history)
    np.testing.assert_allclose(curve.axes[0].lines[1].get_ydata(), [10, 20])
    nan = float("nan")
    spikes = tasks.draw_learning_curve([Epoch(20, nan, nan, 3.0, {})])
    assert spikes.axes[0].lines[0].get_ydata() == [3.0]
    for figure in (raster, inputs, weights, curve, spikes):
        assert saved(figure).startswith(b"\x89PNG")


def test_missing_matplotlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(BitlifError, match=r"pictures need Matplotlib.*pip install"):
        tasks.draw_confusion(np.eye(2, dtype=np.int64))


def test_curve_of_nothing_is_refused() -> None:
    with pytest.raises(BitlifError, match="history must hold at least one epoch, not 0"):
        tasks.draw_learning_curve([])
