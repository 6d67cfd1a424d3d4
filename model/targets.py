"""Conversion of real targets to raw targets, rounded to nearest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_reals
from .config.config import Config
from .errors import BitlifError, warn


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


def warn_of_zeros(
    config: Config, targets: NDArray[Any], levels: NDArray[np.uint16], prefix: str = ""
) -> None:
    """Warn if some real `targets` are not 0, but all raw targets `levels` are."""
    if targets.any() and not levels.any():
        warn(
            f"{prefix}all targets round to 0: the largest, {targets.max():.2g}, is less than half "
            f"of 1/{1 << config.error.target_bits}; increase error.target_bits"
        )
