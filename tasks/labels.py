"""Labels and targets: the class of each window, and what a layer is to learn from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, BitlifTypeError, require_int
from bitlif.model.labels import TRUE_TARGET, as_labels, class_codes, codes_of, label_targets
from bitlif.model.targets import as_target_array, real_targets
from bitlif.model.text import quoted

__all__ = ["TRUE_TARGET", "as_targets", "class_codes", "label_targets"]


def as_targets(
    values: Any,
    config: Config,
    *,
    windows: int,
    true_target: float = TRUE_TARGET,
    classes: Any = None,
) -> NDArray[np.float64]:
    """Return labels or targets of any kind as real targets: (W, M) or (W, T, M) float64.

    What `values` mean is decided by the rule of `bitlif.model.targets`, which holds for
    `bitlif.Core.run`, `bitlif.Core.learn` and target files as well:

    - integers, texts or booleans of shape (W,) are labels: the class of each window;
    - booleans of shape (W, M) or (W, T, M) are real targets of 0 and 1;
    - floats are real targets, 0 ..= 1: the probability of a spike in a step;
    - uint16, and integers of which one is above 1, are raw targets, ``0 ..= 2**target_bits``;
    - other integers that are all 0 or 1 are an error, because both readings are possible.

    Parameters
    ----------
    values : array
        Labels, or targets of windows or of steps.
    config : Config
        Of the layer that learns: M neurons, T steps.
    windows : int
        W.
    true_target : float
        Target of the neuron of a label's class, 0 ..= 1; that of the others is 0.
    classes : (K,) or None
        The class of each neuron, in order; K is at most M. None: integer labels are the numbers of
        the neurons, and texts, in ascending order, must have M classes.

    Raises
    ------
    BitlifError
        If shape or dtype are wrong, a value is out of range, a label is no class, or the meaning is
        ambiguous.

    Examples
    --------
    >>> tiny = Config.load("tiny")
    >>> as_targets([3], tiny, windows=1).tolist()
    [[0.0, 0.0, 0.0, 0.5]]
    >>> as_targets(np.uint16([[16, 8, 0, 0]]), tiny, windows=1).tolist()
    [[1.0, 0.5, 0.0, 0.0]]
    """
    if not isinstance(config, Config):
        raise BitlifTypeError(f"config must be a Config, not {quoted(config)}")
    windows = require_int("windows", windows, 0, 1 << 40)
    array = as_target_array(values)
    if classes is not None and array.ndim == 1:
        neurons, known = config.layer.neurons, as_labels(classes, "classes").size
        if known > neurons:
            raise BitlifError(
                f"classes must be at most {neurons}, the number of neurons, not {known}"
            )
        array = codes_of(array, classes)
    return real_targets(config, array, windows, true_target=true_target)
