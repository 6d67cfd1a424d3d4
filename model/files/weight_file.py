"""Weight files: ``.npz`` with the raw weights and their format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitlif.model.checks import check_weight_shape, check_weights
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, located
from bitlif.model.text import path_text, quoted

from .npz_file import open_arrays

FORMAT_BYTES = 256
"""Maximum bytes of the format's text."""


def save_weights(path: str | Path, weights: NDArray[np.integer], config: Config) -> None:
    """Write raw weights of shape (N, M) and their format; see `load_weights`.

    Raises
    ------
    BitlifError
        If the weights do not fit the configuration.
    """
    checked = check_weights(config, weights).astype(np.int32)
    np.savez_compressed(path, weights=checked, format=str(config.synapse.weight))


def load_weights(path: str | Path, config: Config) -> NDArray[np.int64]:
    """Read raw weights: shape (N, M), int64.

    Raises
    ------
    BitlifError
        If the file cannot be read, is not a weight file, or does not fit the configuration: wrong
        shape, wrong format, or a weight out of range.
    """
    needed = 8 * config.layer.inputs * config.layer.neurons + FORMAT_BYTES
    with open_arrays("weights", path, needed) as file:
        if not {"weights", "format"} <= file.headers.keys():
            raise BitlifError(
                f"weights '{path_text(path)}' must hold the arrays weights and format"
            )
        short = file.headers["format"].size <= FORMAT_BYTES
        fmt = str(file.read("format")) if short else "a long text"
        if fmt != str(config.synapse.weight):
            raise BitlifError(
                f"weights '{path_text(path)}' must be in the configuration's format "
                f"'{config.synapse.weight}', not {quoted(fmt)}"
            )
        where = f"weights '{path_text(path)}'"
        with located(where):
            # The shape and dtype are checked before the array is read.
            check_weight_shape(config, file.outline("weights"))
        weights = file.read("weights")
    with located(where):
        return check_weights(config, weights)
