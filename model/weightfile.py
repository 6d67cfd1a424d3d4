"""Weight files: ``.npz`` with the raw weights and the configuration that they belong to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .checks import check_weights
from .config import Config
from .errors import BitlifError
from .npzfile import load_arrays


def save_weights(path: str | Path, weights: NDArray[np.integer], config: Config) -> None:
    """Write raw weights of shape (N, M) with their format; see `load_weights`."""
    checked = check_weights(config, weights).astype(np.int32)
    np.savez_compressed(path, weights=checked, format=str(config.synapse.weight))


def load_weights(path: str | Path, config: Config) -> NDArray[np.integer]:
    """Read raw weights.

    Raises
    ------
    BitlifError
        If the file cannot be read, is no such file, or does not fit the configuration: another
        shape, another format, or a weight out of range.
    """
    data = load_arrays("weights", path)
    if not {"weights", "format"} <= data.keys():
        raise BitlifError(f"weights '{path}' must hold the arrays weights and format")
    weights, fmt = data["weights"], str(data["format"])
    if fmt != str(config.synapse.weight):
        raise BitlifError(
            f"weights '{path}' must be in the configuration's format '{config.synapse.weight}', "
            f"not '{fmt}'"
        )
    try:
        return check_weights(config, weights)
    except BitlifError as error:
        raise type(error)(f"weights '{path}': {error}") from error
