"""Real targets as raw ones: rounded to nearest, with a warning where all of them become 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config.config import Config
from .errors import BitlifError, warn


def round_targets(config: Config, targets: NDArray[Any]) -> NDArray[np.uint16]:
    """Return what `target_levels` does, without its warning."""
    array = np.asarray(targets, np.float64)
    if array.size and not (array.min() >= 0.0 and array.max() <= 1.0):
        raise BitlifError("targets must be in 0 ..= 1 and not NaN")
    return np.floor(array * (1 << config.error.target_bits) + 0.5).astype(np.uint16)


def warn_of_zeros(
    config: Config, targets: NDArray[Any], levels: NDArray[np.uint16], prefix: str = ""
) -> None:
    """Warn if real `targets` are not all 0, but their `levels` are."""
    if targets.any() and not levels.any():
        warn(
            f"{prefix}all targets are read as 0: the largest, {targets.max():.2g}, is less than "
            f"half of 1/{1 << config.error.target_bits}; more error.target_bits hold smaller ones"
        )
