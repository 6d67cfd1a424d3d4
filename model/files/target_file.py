"""Target files: ``.npz`` with an array ``targets`` of shape (W, M) or (W, T, M).

Integers are raw targets, ``0 ..= 2**target_bits``. Floats are real targets in 0 ..= 1, and booleans
are real targets of 0 and 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.checks import check_target_shape, check_targets, warn_of_small
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, located
from bitlif.model.targets import round_targets, warn_of_zeros
from bitlif.model.text import path_text

from .npz_file import open_arrays


def load_targets(path: str | Path, config: Config, windows: int) -> NDArray[np.uint16]:
    """Read targets as raw targets of shape (W, M) or (W, T, M).

    Raises
    ------
    BitlifError
        If the file cannot be read, or its targets do not fit the configuration and the number of
        windows.

    Warns
    -----
    BitlifWarning
        If integers are probably meant as real targets, or all real targets round to 0.
    """
    with open_arrays("targets", path) as file:
        if "targets" not in file.headers:
            raise BitlifError(f"targets '{path_text(path)}' must hold the array targets")
        where = f"targets '{path_text(path)}'"
        with located(where):
            # The shape is checked before the array is read.
            check_target_shape(config, file.outline("targets"), windows)
        targets = file.read("targets")
    real = targets.dtype.kind in "fb"
    with located(where):
        levels = _levels(config, targets) if real else targets
        checked = check_targets(config, levels, windows, meant=True)
    if real:
        warn_of_zeros(config, targets, checked, f"{where}: ")
    else:
        warn_of_small(config, checked, f"{where}: ")
    # A single row of targets is used for all steps of the window.
    return checked[:, 0] if checked.shape[1] == 1 else checked


def _levels(config: Config, targets: NDArray[Any]) -> NDArray[np.uint16]:
    """Return real targets as raw targets, window by window to save memory."""
    levels = np.empty(targets.shape, np.uint16)
    for window, row in enumerate(targets):
        levels[window] = round_targets(config, row)
    return levels
