"""Pictures are Matplotlib figures of what they are given."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

import bitlif
from bitlif import Config, Events, tasks
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


def test_ticks_are_whole_numbers_at_any_size() -> None:
    nan = float("nan")
    one = bitlif.open(TINY.replace(layer__neurons=1, layer__lanes=1))
    figures = (
        tasks.draw_raster(Events.from_raster(np.ones((1, 1, 1), np.bool_))),
        tasks.draw_raster(Events.from_raster(np.zeros((1, 3, 2), np.bool_))),
        tasks.draw_weights(one),
        tasks.draw_learning_curve([Epoch(1, 0.5, 0.5, 3.0, {})]),
        tasks.draw_learning_curve([Epoch(n, nan, nan, 3.0, {}) for n in (20, 40)]),
        tasks.draw_confusion(np.zeros((1, 1), np.int64)),
        tasks.draw_confusion(np.ones((40, 40), np.int64)),
    )
    for number, figure in enumerate(figures):
        saved(figure)
        axes = figure.axes[0]
        lines = (axes.xaxis,) if "epoch" in axes.get_xlabel() else (axes.xaxis, axes.yaxis)
        for line in lines:
            low, high = sorted(line.get_view_interval())
            ticks = [tick for tick in line.get_ticklocs() if low <= tick <= high]
            assert ticks, number
            assert all(tick == round(tick) for tick in ticks), number


def test_many_classes_have_no_numbers_and_no_counts_a_scale() -> None:
    many = tasks.draw_confusion(np.ones((40, 40), np.int64)).axes[0]
    assert not many.texts
    assert len(many.get_xticks()) < 20
    nothing = tasks.draw_confusion(np.zeros((1, 1), np.int64)).axes[0]
    assert nothing.images[0].get_clim() == (0, 1)


def test_what_cannot_be_drawn_is_refused() -> None:
    events = Events.from_raster(np.zeros((2, 3, 4), np.bool_))
    draws = (
        (lambda: tasks.draw_raster(None), "spikes must be Events or a Result, not None"),
        (lambda: tasks.draw_raster(events, window=2), "window must be in 0 ..= 1, not 2"),
        (lambda: tasks.draw_raster(events, window=-1), "window must be in 0 ..= 1, not -1"),
        (lambda: tasks.draw_confusion([[]]), r"matrix must be integers .* \(1, 0\)"),
        (lambda: tasks.draw_confusion(np.zeros((2, 3), int)), r"\(classes, classes\), not"),
        (lambda: tasks.draw_confusion(np.full((2, 2), 0.5)), "matrix must be integers .* float64"),
        (lambda: tasks.draw_confusion([[1, -1], [0, 1]]), "matrix must hold counts .* not -1"),
        (lambda: tasks.draw_learning_curve(3), "history must be a list of Epoch, not 3"),
    )
    for draw, text in draws:
        with pytest.raises(BitlifError, match=text):
            draw()


def test_confusion_matrices_show_the_names_of_classes() -> None:
    figure = tasks.draw_confusion(np.eye(2, dtype=int), classes=["no$x", "y" * 50])
    labels = [own.get_text() for own in figure.axes[0].get_yticklabels()]
    assert labels[0] == "no$x"
    assert len(labels[1]) == 16
    assert saved(figure).startswith(b"\x89PNG")
    with pytest.raises(BitlifError, match="classes must be 2 names, not 1"):
        tasks.draw_confusion(np.eye(2, dtype=int), classes=["a"])
