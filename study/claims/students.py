"""Students of one teacher: the task of `bitlif.tasks.teacher` with any density of input spikes.

The teacher always has the lowest noise level, so that students with different noise learn from the
same teacher.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.tasks.teacher import (
    WINDOWS,
    TeacherTask,
    learn_from_teacher,
    make_teacher_task,
    real_weights,
    teacher_correlation,
)

from .models import make_layer

TEACHER_SIGMA = 0.02


def make_task(config: Config, seed: int, sparsity: int = 1) -> TeacherTask:
    """Return a task with `sparsity` times fewer input spikes and larger teacher weights.

    The teacher is a float neuron with noise `TEACHER_SIGMA`. Its weights are uniform from 0 to
    ``TOP_WEIGHT * sparsity``, which keeps its mean drive the same at every sparsity.
    """
    return make_teacher_task(config, seed, sparsity=sparsity, sigma=TEACHER_SIGMA)


def student_config(rule: str, sparsity: int = 1) -> Config:
    """Return the ready-made `teacher` configuration for a rule and a density of inputs.

    The learning rate is multiplied by `sparsity`, because the weights are larger by this factor.
    """
    base = Config.load("teacher")
    return base.replace(error__rule=rule, learning__rate=base.learning.rate * sparsity)


def zero_student(model: str, config: Config, seed: int) -> Layer | FloatLayer:
    """Return a layer with zero weights."""
    shape = (config.layer.inputs, config.layer.neurons)
    return make_layer(model, config, np.zeros(shape, np.int64), seed)


def agreement(layer: Layer | FloatLayer, task: TeacherTask) -> float:
    """Return the correlation of the weights with those of the teacher; 0 for a silent student.

    A student is silent if no weight reaches half an LSB of the integer weight format. The tiny
    weights of such a float student may correlate with anything but never make it fire.
    """
    if np.abs(real_weights(layer)).max() < float(layer.config.synapse.weight.lsb) / 2:
        return 0.0
    return teacher_correlation(layer, task)


def learning_curve(
    layer: Layer | FloatLayer,
    task: TeacherTask,
    marks: Sequence[int] = (WINDOWS,),
    report: Callable[[int], Any] = lambda windows: None,
) -> NDArray[np.float64]:
    """Train a layer and return its agreement with the teacher at each of `marks`.

    Parameters
    ----------
    layer : Layer or FloatLayer
    task : TeacherTask
    marks : sequence of int
        Ascending numbers of windows; training ends at the last one.
    report : callable
        Called with the number of windows learned.

    Returns
    -------
    (marks,) float64
    """
    curve = []
    for windows in marks:
        learn_from_teacher(layer, task, windows - layer.windows_learned, report)
        curve.append(agreement(layer, task))
    return np.array(curve)
