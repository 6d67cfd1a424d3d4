"""One learning window, step by step, in both models: from spikes to the weight update.

Time is counted in steps, the bins of training. A bin holds at most one spike of each input, of the
target and of the output, and one value of every other quantity. Both models start from the weights
of a partly trained student and use the same noise: the float twin receives the draws of the integer
model in units of sigma, so that the models differ only by rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.tasks.learner import target_levels
from bitlif.tasks.teacher import learn_from_teacher, real_weights

from .models import MODELS, make_layer
from .students import make_task, student_config

RECORDS = ("membrane", "draws", "errors", "traces")


@dataclass(frozen=True, slots=True, kw_only=True)
class BinsSettings:
    """Noise level, windows of training before the shown window, and its steps."""

    sigma: float = 0.1
    windows: int = 5
    steps: int = 300
    rate: float = 3.0
    seed: int = 2

    @property
    def units(self) -> int:
        """Number of progress reports of a measurement."""
        return 2


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The shown window in one model, in real numbers.

    Attributes
    ----------
    model : str
    membrane : (T,) float64
        Membrane potential before the noise; the threshold is 1.
    output : (T,) uint8
    error : (T,) float64
    trace : (T, N) float64
        Traces of the postsynaptic potentials (PSP) per input.
    running : (T, N) float64
        Gradient so far: the sum of error times trace up to and including each step.
    before, after : (N,) float64
        Weights before and after the update.
    """

    model: str
    membrane: NDArray[np.float64]
    output: NDArray[np.uint8]
    error: NDArray[np.float64]
    trace: NDArray[np.float64]
    running: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]

    @property
    def update(self) -> NDArray[np.float64]:
        """Change of each weight at the end of the window: shape (N,)."""
        return self.after - self.before

    def to_json(self) -> dict[str, Any]:
        """Return everything except the traces as plain numbers."""
        return {
            "model": self.model,
            "membrane": self.membrane.tolist(),
            "output_steps": np.flatnonzero(self.output).tolist(),
            "error": self.error.tolist(),
            "gradient": self.running[-1].tolist(),
            "weights_before": self.before.tolist(),
            "weights_after": self.after.tolist(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """The shown window in both models.

    Attributes
    ----------
    settings : BinsSettings
    lsb : float
        LSB of a weight.
    events : Events
    target : (T,) uint8
    shown : int
        Index of the input whose trace is drawn: its weight changes most in the float twin.
    windows : tuple of Window
        The windows of the models in the order of `MODELS`.
    """

    settings: BinsSettings
    lsb: float
    events: Events
    target: NDArray[np.uint8]
    shown: int
    windows: tuple[Window, ...]

    def window(self, model: str) -> Window:
        """Return the window of one model."""
        return self.windows[MODELS.index(model)]

    @property
    def largest_difference(self) -> float:
        """Largest difference between the updates of a weight in the two models, in LSBs."""
        pair = [window.update for window in self.windows]
        return float(np.abs(pair[0] - pair[1]).max() / self.lsb)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain numbers."""
        settings = self.settings
        return {
            "sigma": settings.sigma,
            "windows_before": settings.windows,
            "steps": settings.steps,
            "learning_rate": settings.rate,
            "seed": settings.seed,
            "weight_lsb": self.lsb,
            "input_steps": self.events.times.tolist(),
            "input_addresses": self.events.addresses.tolist(),
            "target_steps": np.flatnonzero(self.target).tolist(),
            "input_shown": self.shown,
            "trace_shown": {one.model: one.trace[:, self.shown].tolist() for one in self.windows},
            "largest_update_difference_lsb": self.largest_difference,
            "models": [window.to_json() for window in self.windows],
        }


def measure_bins(settings: BinsSettings, report: Callable[[int], Any] = lambda done: None) -> Bins:
    """Train a student and run its next window in both models.

    `report` is called with 1 after each of the two parts.
    """
    config = student_config("likelihood").replace(
        schedule=[{"sigma": settings.sigma}],
        window__steps=settings.steps,
        learning__rate=settings.rate,
    )
    task = make_task(config, settings.seed)
    shape = (config.layer.inputs, config.layer.neurons)
    student = make_layer("fixed", config, np.zeros(shape, np.int64), settings.seed)
    assert isinstance(student, Layer)
    learn_from_teacher(student, task, settings.windows)
    report(1)
    weights = student.weights
    lsb = float(config.synapse.weight.lsb)
    twin = FloatLayer(config)
    before = weights.astype(np.float64) * lsb
    twin.load(before)
    targets = task.targets.astype(np.float64)
    result = student.learn(task.events, target_levels(config, targets), record=RECORDS)
    assert result.draws is not None
    draws = result.draws / float(config.noise.pmf.sigma)
    real = twin.learn(task.events, targets, record=RECORDS, draws=draws)
    report(1)
    scales = (
        float(config.membrane.format.lsb),
        float(config.error.format.lsb),
        float(config.trace.format.lsb),
    )
    windows = (
        _window("float", real, (1.0, 1.0, 1.0), before, twin.weights),
        _window("fixed", result, scales, before, real_weights(student)),
    )
    shown = int(np.abs(windows[0].update).argmax())
    return Bins(settings, lsb, task.events, task.targets[0, :, 0], shown, windows)


def _window(
    model: str,
    result: Any,
    scales: tuple[float, float, float],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
) -> Window:
    """Return the window of one model in real numbers.

    `scales` are the LSBs of membrane, error and trace.
    """
    membrane, error, trace = (
        array[0] * scale
        for array, scale in zip(
            (result.membrane, result.errors, result.traces), scales, strict=True
        )
    )
    running = (error * trace).cumsum(axis=0)
    return Window(
        model, membrane[:, 0], result.raster[0, :, 0], error[:, 0], trace, running,
        before[:, 0], after[:, 0],
    )  # fmt: skip
