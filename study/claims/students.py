"""Students of one teacher: the task of `bitlif.tasks.teacher` at any density of input spikes.

The teacher's noise is that of the lowest sigma here, whatever the student's: what is compared are
students at different noise, and not teachers.
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
    """Return a task with `sparsity` times fewer input spikes, each of which weighs so much more.

    The teacher's mean drive is the same at every sparsity; its weights are uniform from 0 to
    ``TOP_WEIGHT * sparsity``, and it is a float neuron of noise `TEACHER_SIGMA`.
    """
    return make_teacher_task(config, seed, sparsity=sparsity, sigma=TEACHER_SIGMA)


def student_config(rule: str, sparsity: int = 1) -> Config:
    """Return the ready-made `teacher` configuration for a rule and a density of inputs.

    The learning rate is `sparsity` times the configuration's: weights have so much farther to go.
    """
    base = Config.load("teacher")
    return base.replace(error__rule=rule, learning__rate=base.learning.rate * sparsity)


def zero_student(model: str, config: Config, seed: int) -> Layer | FloatLayer:
    """Return a layer of zero weights."""
    shape = (config.layer.inputs, config.layer.neurons)
    return make_layer(model, config, np.zeros(shape, np.int64), seed)


def agreement(layer: Layer | FloatLayer, task: TeacherTask) -> float:
    """Return the correlation of the weights with the teacher's; 0 for a silent student.

    Silent: no weight has come to half an LSB of the integers' weight format. A float student's
    may point anywhere at 1e-12 of the threshold, and would never make it fire.
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
    """Learn until the last of `marks` (windows, ascending); return the agreement at each."""
    curve = []
    for windows in marks:
        learn_from_teacher(layer, task, windows - layer.windows_learned, report)
        curve.append(agreement(layer, task))
    return np.array(curve)
