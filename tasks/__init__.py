"""Tasks that a layer can learn: registry, training, evaluation and pictures.

>>> from bitlif import tasks
>>> tasks.names()[:2]
['digits', 'teacher']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .arrays import ArrayTask
    from .class_pictures import draw_classes
    from .data_file import Data, load_data
    from .diagnosis import Finding, diagnose, warn_of_findings
    from .encoding import Encoder
    from .labels import as_targets, class_codes
    from .pictures import (
        draw_confusion,
        draw_learning_curve,
        draw_raster,
        draw_weights,
    )
    from .readouts import READOUTS, Readout, readout
    from .registry import default_task, get, names, register
    from .task import Classification, Epoch, Examples, Measure, Task
    from .temporal_targets import count_targets, first_spike_targets, spike_time_targets
    from .training import accuracy, confusion, evaluate, predict, train

_EXPORTS = {
    "arrays": ("ArrayTask",),
    "class_pictures": ("draw_classes",),
    "data_file": ("Data", "load_data"),
    "diagnosis": ("Finding", "diagnose", "warn_of_findings"),
    "encoding": ("Encoder",),
    "labels": ("as_targets", "class_codes"),
    "pictures": ("draw_confusion", "draw_learning_curve", "draw_raster", "draw_weights"),
    "readouts": ("READOUTS", "Readout", "readout"),
    "registry": ("default_task", "get", "names", "register"),
    "task": ("Classification", "Epoch", "Examples", "Measure", "Task"),
    "temporal_targets": ("count_targets", "first_spike_targets", "spike_time_targets"),
    "training": ("accuracy", "confusion", "evaluate", "predict", "train"),
}

__all__ = [
    "READOUTS",
    "ArrayTask",
    "Classification",
    "Data",
    "Encoder",
    "Epoch",
    "Examples",
    "Finding",
    "Measure",
    "Readout",
    "Task",
    "accuracy",
    "as_targets",
    "class_codes",
    "confusion",
    "count_targets",
    "default_task",
    "diagnose",
    "draw_classes",
    "draw_confusion",
    "draw_learning_curve",
    "draw_raster",
    "draw_weights",
    "evaluate",
    "first_spike_targets",
    "get",
    "load_data",
    "names",
    "predict",
    "readout",
    "register",
    "spike_time_targets",
    "train",
    "warn_of_findings",
]


def __getattr__(name: str) -> Any:
    # Imported late: encoders and scenarios are used without the model's engine.
    for module, exported in _EXPORTS.items():
        if name in exported:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
