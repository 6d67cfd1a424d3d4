"""Target files: ``.npz`` with an array ``targets`` of shape (W,), (W, M) or (W, T, M).

What they mean is decided by the rule of `bitlif.model.targets`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitlif.model.checks import check_targets
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, located
from bitlif.model.targets import check_target_shape
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
        If integers are probably spike counts, or all real targets round to 0.
    """
    with open_arrays("targets", path) as file:
        if "targets" not in file.headers:
            raise BitlifError(f"targets '{path_text(path)}' must hold the array targets")
        where = f"targets '{path_text(path)}'"
        with located(where):
            # The shape is checked before the array is read.
            check_target_shape(config, file.outline("targets"), windows)
        targets = file.read("targets")
    with located(where):
        checked = check_targets(config, targets, windows, f"{where}: ")
    # A single row of targets is used for all steps of the window.
    return checked[:, 0] if checked.shape[1] == 1 else checked
