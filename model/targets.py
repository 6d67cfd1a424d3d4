"""Targets: what an array of them means, and their conversion between real and raw.

One rule holds for `bitlif.Core`, `bitlif.model.layer.Layer`, target files and
`bitlif.tasks.as_targets`. The dtype and the number of dimensions decide:

| targets | shape | meaning |
|---|---|---|
| labels: integers, texts, booleans | (W,) | class of the window: its neuron has `TRUE_TARGET` |
| booleans | (W, M), (W, T, M) | real targets of 0 and 1: one-hot rows, or target spikes |
| floats | (W, M), (W, T, M) | real targets, 0 ..= 1: the probability of a spike in a step |
| uint16 | (W, M), (W, T, M) | raw targets, ``0 ..= 2**target_bits`` |
| other integers | (W, M), (W, T, M) | raw targets; an error if all are 0 or 1 |

Integers of 0 and 1 could be one-hot rows, or raw targets of almost 0. They are accepted only where
both mean the same: if all are 0, or ``target_bits`` is 0. In units ``"real"``, and for
`FloatLayer`, integers of 0 and 1 are real targets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_array, as_reals
from .config.config import Config
from .errors import BitlifError, BitlifTypeError, warn
from .labels import LABEL_KINDS, TRUE_TARGET, label_targets, neuron_codes, require_one_kind
from .text import array_kind

LABELS, REAL, RAW = "labels", "real", "raw"
"""Meanings of targets."""


def meaning_of(config: Config, targets: NDArray[Any], windows: int) -> str:
    """Return what targets mean by the rule of this module: `LABELS`, `REAL` or `RAW`.

    Raises
    ------
    BitlifTypeError
        If the shape or dtype is wrong.
    BitlifError
        If all are integers of 0 and 1, which could be real or raw.
    """
    check_target_shape(config, targets, windows)
    kind = targets.dtype.kind
    if targets.ndim == 1:
        return LABELS
    if kind in "fb":
        return REAL
    if kind not in "iu":
        raise _target_error(config, targets, windows)
    one = 1 << config.error.target_bits
    zeros_and_ones = targets.min(initial=0) == 0 and targets.max(initial=0) == 1
    if zeros_and_ones and not is_uint16(targets) and one > 1:
        raise BitlifError(
            f"targets that are integers must not all be 0 or 1, which has two meanings: pass "
            f".astype(bool) if 1 is a spike in every step, as in one-hot rows, or "
            f".astype(numpy.uint16) if 1 is the raw target 1/{one}"
        )
    return RAW


def as_target_array(targets: Any) -> NDArray[Any]:
    """Return targets as an array of whatever dtype they have.

    Raises
    ------
    BitlifTypeError
        If they are a list with rows of unequal lengths, or with texts among other values.
    """
    require_one_kind(targets)
    return as_array("targets", targets)


def is_uint16(targets: NDArray[Any]) -> bool:
    """Return whether the dtype is uint16, in either byte order: that of raw targets."""
    return targets.dtype.kind == "u" and targets.dtype.itemsize == 2


def real_targets(
    config: Config,
    targets: NDArray[Any],
    windows: int,
    *,
    true_target: float = TRUE_TARGET,
    units: str = "raw",
) -> NDArray[np.float64]:
    """Return targets of any kind as real numbers: (W, M) or (W, T, M) float64, in 0 ..= 1.

    Parameters
    ----------
    config : Config
    targets : array
        See the module's table.
    windows : int
    true_target : float
        Target of the neuron of a label's class.
    units : str
        ``"real"``: integers are real numbers too.

    Raises
    ------
    BitlifError
        If the shape or dtype is wrong, a value is out of range, or the meaning is ambiguous.
    """
    array = as_target_array(targets)
    if units == "real":
        check_target_shape(config, array, windows)
        meaning = REAL if array.ndim > 1 else LABELS
    else:
        meaning = meaning_of(config, array, windows)
    if meaning == LABELS:
        return _of_labels(config, array, true_target)
    if meaning == RAW:
        return raw_targets(config, array) / (1 << config.error.target_bits)
    reals = as_reals("targets", array)
    require_probabilities(reals)
    return reals


def raw_targets(config: Config, targets: NDArray[Any]) -> NDArray[np.uint16]:
    """Return integers as raw targets, or raise unless they are in ``0 ..= 2**target_bits``."""
    if targets.dtype.kind not in "iu":
        raise BitlifTypeError(f"raw targets must be integers, not {array_kind(targets)}")
    one = 1 << config.error.target_bits
    if targets.size and (targets.min() < 0 or targets.max() > one):
        wrong = int(targets.min()) if targets.min() < 0 else int(targets.max())
        raise BitlifError(f"targets must be in 0 ..= {one}, not {wrong}")
    return np.asarray(targets, np.uint16)


def levels_of(
    config: Config, targets: NDArray[Any], windows: int, *, true_target: float = TRUE_TARGET
) -> tuple[NDArray[np.uint16], str]:
    """Return targets of any kind as raw targets, (W, M) or (W, T, M), and what they meant.

    Real targets are rounded to nearest. Errors are those of `real_targets`.
    """
    meaning = meaning_of(config, targets, windows)
    if meaning == RAW:
        return raw_targets(config, targets), meaning
    if meaning == LABELS:
        targets = _of_labels(config, targets, true_target)
    levels = np.empty(targets.shape, np.uint16)
    # Window by window: real targets need up to eight times the memory of a file's.
    for window, row in enumerate(targets):
        levels[window] = round_targets(config, row)
    return levels, meaning


def _of_labels(config: Config, labels: NDArray[Any], true_target: float) -> NDArray[np.float64]:
    neurons = config.layer.neurons
    return label_targets(neuron_codes(labels, neurons), neurons, true_target)


def require_probabilities(targets: NDArray[np.float64]) -> None:
    """Raise unless all targets are in 0 ..= 1."""
    # A NaN fails both comparisons.
    if targets.size and not (targets.min() >= 0.0 and targets.max() <= 1.0):
        wrong = targets[~((targets >= 0.0) & (targets <= 1.0))][0]
        raise BitlifError(f"targets must be in 0 ..= 1, not {wrong:g}")


def round_targets(config: Config, targets: NDArray[Any]) -> NDArray[np.uint16]:
    """Return real targets in 0 ..= 1 as raw targets, ``0 ..= 2**target_bits``."""
    array = as_reals("targets", targets)
    require_probabilities(array)
    return np.floor(array * (1 << config.error.target_bits) + 0.5).astype(np.uint16)


def check_target_shape(config: Config, targets: NDArray[Any], windows: int) -> None:
    """Raise unless targets have shape (W,), (W, M) or (W, T, M), and a dtype that fits it."""
    shapes = ((windows,), *_target_shapes(config, windows))
    if targets.shape not in shapes or (targets.ndim > 1 and targets.dtype.kind not in "iubfO"):
        raise _target_error(config, targets, windows)
    if targets.dtype.kind not in LABEL_KINDS:
        raise BitlifTypeError(
            f"targets of shape ({windows},) must be labels: integers, texts or booleans, "
            f"not {array_kind(targets)}"
        )


def _target_shapes(config: Config, windows: int) -> tuple[tuple[int, ...], ...]:
    neurons, steps = config.layer.neurons, config.window.steps
    return (windows, neurons), (windows, steps, neurons)


def _target_error(config: Config, targets: NDArray[Any], windows: int) -> BitlifTypeError:
    per_window, per_step = _target_shapes(config, windows)
    return BitlifTypeError(
        f"targets must be numbers of shape {per_window} or {per_step}, or labels of shape "
        f"({windows},), not {array_kind(targets)}"
    )


def warn_of_zeros(
    config: Config, targets: NDArray[Any], levels: NDArray[np.uint16], prefix: str = ""
) -> None:
    """Warn if some real `targets` are not 0, but all raw targets `levels` are."""
    if targets.any() and not levels.any():
        warn(
            f"{prefix}all targets round to 0: the largest, {targets.max():.2g}, is less than half "
            f"of 1/{1 << config.error.target_bits}; increase error.target_bits"
        )


def warn_of_small(config: Config, targets: NDArray[Any], prefix: str = "") -> None:
    """Warn of raw targets that are likely to be spike counts: less than one spike per window.

    That is, all are at most 1/16 of a spike per step, and all are less than one spike per window.
    """
    one, most = 1 << config.error.target_bits, int(targets.max(initial=0))
    if 0 < 16 * most <= one and most * config.window.steps < one:
        warn(
            f"{prefix}integer targets are raw, 0 ..= {one}: the largest, {most}, means "
            f"{most}/{one} = {most / one:.2g} spikes per step; pass real targets in 0 ..= 1 if "
            f"this is not intended"
        )
