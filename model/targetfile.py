"""Target files: ``.npz`` with an array ``targets`` of shape (W, M) or (W, T, M).

Integers are raw targets, ``0 ..= 2**target_bits``; floats are real ones in 0 ..= 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .checks import check_targets
from .config import Config
from .digits import target_levels
from .errors import BitlifError
from .npzfile import load_arrays


def load_targets(path: str | Path, config: Config, windows: int) -> NDArray[np.uint16]:
    """Read raw targets as (W, T or 1, M).

    Raises
    ------
    BitlifError
        If the file cannot be read, or its targets do not fit the configuration and the number of
        windows.
    """
    data = load_arrays("targets", path)
    if "targets" not in data:
        raise BitlifError(f"targets '{path}' must hold the array targets")
    targets = data["targets"]
    try:
        if np.issubdtype(targets.dtype, np.floating):
            targets = target_levels(config, targets)
        checked = check_targets(config, targets, windows)
    except BitlifError as error:
        raise type(error)(f"targets '{path}': {error}") from error
    # A window's single row of targets stands for all its steps.
    return checked[:, 0] if checked.shape[1] == 1 else checked
