"""Files with the complete state of a layer or a network: ``.npz``, for one configuration."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.errors import BitlifError
from bitlif.model.sections import LayerConfig
from bitlif.model.storage.atomic import new_file
from bitlif.model.text import path_text, quoted

from .npz_file import open_arrays

Arrays = dict[str, NDArray[Any]]

FORMAT = "bitlif layer 1"
"""Format of the files; the number changes with incompatible changes."""

MAX_WINDOWS = (1 << 62) - 1
"""Maximum number of windows learned."""

OTHER_BYTES = 1 << 16
"""Bound on the bytes of all arrays of a layer whose size does not depend on it."""

HEADER = ("format", "kind", "config")


def save_arrays(
    path: str | Path, kind: str, config: Config | NetworkConfig, arrays: Arrays
) -> None:
    """Write the state of a layer or a network, atomically.

    Parameters
    ----------
    path : str or Path
    kind : str
        Kind of the layer; only layers of the same kind can load the file.
    config : Config or NetworkConfig
        The file contains its hash.
    arrays : dict of str to array

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    header = {"format": FORMAT, "kind": kind, "config": any_hash(config)}
    texts = {name: np.array(text) for name, text in header.items()}
    with new_file(Path(path)) as made, made.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **texts, **arrays)


def load_saved(path: str | Path, kind: str, config: Config | NetworkConfig) -> Arrays:
    """Return the arrays that `save_arrays` wrote.

    Raises
    ------
    BitlifError
        If the file cannot be read, is not in this format, or is for another kind of layer or
        configuration.
    """
    name = f"state '{path_text(path)}'"
    layers = [config] if isinstance(config, Config) else [own.config for own in config.layers]
    most = sum(_most_bytes(own.layer) for own in layers)
    with open_arrays("state", path, most) as file:
        size = sum(array.size for array in file.headers.values())
        if size > most:
            raise BitlifError(f"{name} must hold at most {most} bytes of arrays, not {size}")
        arrays: Arrays = {key: file.read(key) for key in file.headers}
    header = {key: str(arrays.pop(key)) if key in arrays else "" for key in HEADER}
    if header["format"] != FORMAT:
        raise BitlifError(f"{name} must have the format '{FORMAT}', not {quoted(header['format'])}")
    if header["kind"] != kind:
        raise BitlifError(
            f"{name} must be of a layer of kind '{kind}', not {quoted(header['kind'])}"
        )
    expected = any_hash(config)
    if header["config"] != expected:
        raise BitlifError(
            f"{name} must be of the configuration {expected} ({config.name}), "
            f"not {quoted(header['config'])}"
        )
    return arrays


def _most_bytes(sizes: LayerConfig) -> int:
    """Return an upper bound on the bytes of all arrays of a layer."""
    values = sizes.inputs * sizes.neurons + 2 * sizes.inputs + 2 * sizes.neurons
    return 8 * values + OTHER_BYTES


def require_names(arrays: Arrays, names: Iterable[str]) -> None:
    """Raise unless the arrays have exactly these names."""
    wanted = set(names)
    if missing := sorted(wanted - arrays.keys()):
        raise BitlifError(f"a state must contain the array {missing[0]}, which is missing")
    if strange := sorted(arrays.keys() - wanted):
        raise BitlifError(f"a state must not contain an array {quoted(strange[0])}")


def require_array(
    arrays: Arrays, name: str, shape: tuple[int, ...], low: int, high: int
) -> NDArray[Any]:
    """Return an array of integers.

    Raises
    ------
    BitlifError
        If it has another shape or dtype, or a value is not in ``low ..= high``.
    """
    array = arrays[name]
    if array.shape != shape or array.dtype.kind not in "iu":
        raise BitlifError(
            f"{name} must be integers of shape {shape}, not {array.dtype} of shape {array.shape}"
        )
    for wrong in (int(array.min()), int(array.max())) if array.size else ():
        if not low <= wrong <= high:
            raise BitlifError(f"{name} must be in {low} ..= {high}, not {wrong}")
    return array


def require_reals(arrays: Arrays, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return an array of float64 numbers.

    Raises
    ------
    BitlifError
        If it has another shape or dtype, or a value is not finite.
    """
    array = arrays[name]
    if array.shape != shape or array.dtype != np.float64:
        raise BitlifError(
            f"{name} must be float64 of shape {shape}, not {array.dtype} of shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise BitlifError(f"{name} must be finite, not {array[~np.isfinite(array)][0]}")
    return array
