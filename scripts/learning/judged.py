"""The test of a trained classifier: scores by class, labels and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif import tasks
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.result import Result
from bitlif.scripts.console.class_tables import class_report
from bitlif.scripts.drawing.pictures import own_style, require_matplotlib
from bitlif.scripts.drawing.window_figure import draw_window
from bitlif.sim.backends.core import Core
from bitlif.tasks.label_file import Labels, save_labels
from bitlif.tasks.scores import chance, class_scores, confusion_matrix
from bitlif.tasks.task import Epoch

from .layers import LayerWork

LABELS = "labels.npz"
PICTURES = ("confusion.png", "learning_curve.png", "raster.png", "weights.png")

DPI = 120


class Judged(NamedTuple):
    """Test windows, and what a layer made of them.

    Attributes
    ----------
    classes : list of (int or str)
        Class of each neuron.
    true, predicted : (W,) int64
        Neuron of the true and of the predicted class of each window.
    events : Events
        Input spikes.
    result : Result
        Of the run.
    history : list of Epoch
        All epochs, those before a --resume included.
    independent : bool
        Whether each window was run from a reset.
    work : list of LayerWork
        What each layer of a network does in the test windows; empty for a single layer.
    """

    classes: list[Any]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    events: Events
    result: Result
    history: list[Epoch]
    independent: bool
    work: Sequence[LayerWork] = ()

    @property
    def matrix(self) -> NDArray[np.int64]:
        """Confusion matrix, (true class, predicted class): (K, K) int64."""
        return confusion_matrix(self.true, self.predicted, len(self.classes))

    def report(self) -> dict[str, Any]:
        """Return the entries of the report: chance, scores by class and confusion matrix."""
        return scores_report(self.classes, self.matrix)

    def save_labels(self, path: Path) -> None:
        """Write the labels of the test windows, for ``bitlif run --labels``."""
        classes = np.array(self.classes)
        save_labels(path, Labels(classes[self.true], classes, self.independent))

    @own_style()
    def save_pictures(self, folder: Path, core: Core) -> None:
        """Write `PICTURES`; Matplotlib must be installed."""
        shown = shown_window(self.true, self.predicted)
        inputs, outputs = (own.select([shown]) for own in (self.events, self.result.spikes))
        figures = (
            tasks.draw_confusion(self.matrix, classes=self.classes),
            tasks.draw_learning_curve(self.history),
            draw_window(
                inputs, outputs, self.classes, int(self.true[shown]), int(self.predicted[shown]),
                shown, [own.shown for own in self.work[:-1]],
            ),
            tasks.draw_weights(core),
        )  # fmt: skip
        for name, figure in zip(PICTURES, figures, strict=True):
            # Without Matplotlib's version, the file depends only on the numbers.
            figure.savefig(folder / name, format="png", dpi=DPI, metadata={"Software": None})


def shown_window(true: NDArray[np.int64], predicted: NDArray[np.int64]) -> int:
    """Return the number of the test window that is drawn: the first that was recognised."""
    right = np.flatnonzero(true == predicted)
    return int(right[0]) if right.size else 0


def scores_report(classes: list[Any], matrix: NDArray[np.int64]) -> dict[str, Any]:
    """Return the entries of a report on classified windows."""
    scores = class_scores(matrix)
    return {"chance": chance(matrix), **class_report(classes, matrix.tolist(), scores)}


def missing_pictures() -> str:
    """Return why there can be no pictures, or an empty string if Matplotlib is installed."""
    try:
        require_matplotlib()
    except BitlifError as error:
        return str(error)
    return ""
