"""Target files: ``.npz`` with an array ``targets`` of shape (W, M) or (W, T, M).

Integers are raw targets, ``0 ..= 2**target_bits``; floats are real ones in 0 ..= 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import check_target_shape, check_targets
from .config import Config
from .digits import target_levels
from .errors import BitlifError, located
from .npzfile import open_arrays
from .text import path_text


def load_targets(path: str | Path, config: Config, windows: int) -> NDArray[np.uint16]:
    """Read raw targets as (W, T or 1, M).

    Raises
    ------
    BitlifError
        If the file cannot be read, or its targets do not fit the configuration and the number of
        windows.
    """
    with open_arrays("targets", path) as file:
        if "targets" not in file.headers:
            raise BitlifError(f"targets '{path_text(path)}' must hold the array targets")
        where = f"targets '{path_text(path)}'"
        with located(where):
            # Refused for their shape before they are read.
            check_target_shape(config, file.outline("targets"), windows)
        targets = file.read("targets")
    with located(where):
        if np.issubdtype(targets.dtype, np.floating):
            targets = _levels(config, targets)
        checked = check_targets(config, targets, windows)
    # A window's single row of targets stands for all its steps.
    return checked[:, 0] if checked.shape[1] == 1 else checked


def _levels(config: Config, targets: NDArray[Any]) -> NDArray[np.uint16]:
    """Return real targets as raw ones, without a copy of them all in float64."""
    levels = np.empty(targets.shape, np.uint16)
    for window, row in enumerate(targets):
        levels[window] = target_levels(config, row)
    return levels
