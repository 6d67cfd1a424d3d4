"""Tasks that a layer can learn: registry, training, evaluation and pictures.

>>> from bitlif import tasks
>>> tasks.names()[:2]
['digits', 'teacher']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pictures import (
        draw_confusion,
        draw_learning_curve,
        draw_raster,
        draw_weights,
    )
    from .registry import default_task, get, names, register
    from .task import Classification, Epoch, Examples, Measure, Task
    from .training import accuracy, confusion, evaluate, predict, train

_EXPORTS = {
    "pictures": ("draw_confusion", "draw_learning_curve", "draw_raster", "draw_weights"),
    "registry": ("default_task", "get", "names", "register"),
    "task": ("Classification", "Epoch", "Examples", "Measure", "Task"),
    "training": ("accuracy", "confusion", "evaluate", "predict", "train"),
}

__all__ = [
    "Classification",
    "Epoch",
    "Examples",
    "Measure",
    "Task",
    "accuracy",
    "confusion",
    "default_task",
    "draw_confusion",
    "draw_learning_curve",
    "draw_raster",
    "draw_weights",
    "evaluate",
    "get",
    "names",
    "predict",
    "register",
    "train",
]


def __getattr__(name: str) -> Any:
    # Imported late: encoders and scenarios are used without the model's engine.
    for module, exported in _EXPORTS.items():
        if name in exported:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
