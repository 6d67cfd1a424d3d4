"""Weight files: ``.npz`` with the raw weights and their format, of a layer or of a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitlif.model.checks import check_weight_shape, check_weights
from bitlif.model.config.config import Config
from bitlif.model.config.network import MAX_LAYERS, NetworkConfig, any_hash
from bitlif.model.errors import BitlifError, BitlifTypeError, located, located_in_layer
from bitlif.model.text import path_text, quoted

from .npz_file import ArrayFile, open_arrays

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
        if _name(0) in file.headers:
            raise BitlifError(
                f"weights '{path_text(path)}' are those of a network of {_layers(file)} layers, "
                f"not of a single layer: give them with the configuration of that network"
            )
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


def save_network_weights(
    path: str | Path, weights: Sequence[NDArray[np.integer]], network: NetworkConfig
) -> None:
    """Write the raw weights of all layers, their formats and the hash of the configuration.

    Parameters
    ----------
    path : str or Path
    weights : sequence of (N, M) int
        One array for each layer.
    network : NetworkConfig

    Raises
    ------
    BitlifError
        If the weights do not fit the configuration.
    """
    configs = [own.config for own in network.layers]
    if not isinstance(weights, Sequence) or len(weights) != len(configs):
        raise BitlifTypeError(
            f"weights must be a list of {len(configs)} arrays, one per layer, not {quoted(weights)}"
        )
    arrays = {}
    for number, (own, config) in enumerate(zip(weights, configs, strict=True)):
        with located_in_layer(number):
            arrays[_name(number)] = check_weights(config, own).astype(np.int32)
    formats = np.array([str(config.synapse.weight) for config in configs])
    np.savez_compressed(
        path, allow_pickle=False, **arrays, formats=formats, config=np.array(any_hash(network))
    )


def load_network_weights(path: str | Path, network: NetworkConfig) -> list[NDArray[np.int64]]:
    """Read the raw weights of all layers: a list of (N, M) int64.

    The hash in the file is not compared: networks that differ in seeds or schedules may have the
    same weights.

    Raises
    ------
    BitlifError
        If the file cannot be read, is of a single layer, or does not fit the configuration: wrong
        number of layers, wrong shape or format, or a weight out of range.
    """
    configs = [own.config for own in network.layers]
    sizes = sum(own.layer.inputs * own.layer.neurons for own in configs)
    where = f"weights '{path_text(path)}'"
    with open_arrays("weights", path, 8 * sizes + FORMAT_BYTES * len(configs)) as file:
        if "weights" in file.headers and _name(0) not in file.headers:
            raise BitlifError(
                f"{where} are those of a single layer, not of a network of {len(configs)} layers: "
                f"give them with the configuration of that layer"
            )
        if not {_name(0), "formats"} <= file.headers.keys():
            raise BitlifError(f"{where} must hold the arrays {_name(0)}, ... and formats")
        if _layers(file) != len(configs):
            raise BitlifError(
                f"{where} must be of a network of {len(configs)} layers, not of {_layers(file)}"
            )
        _check_formats(file, where, configs)
        for number, config in enumerate(configs):
            with located(f"{where}: layer.{number}"):
                check_weight_shape(config, file.outline(_name(number)))
        arrays = [file.read(_name(number)) for number in range(len(configs))]
    checked = []
    for number, (config, own) in enumerate(zip(configs, arrays, strict=True)):
        with located(f"{where}: layer.{number}"):
            checked.append(check_weights(config, own))
    return checked


def _name(number: int) -> str:
    """Return the name of the array of a layer."""
    return f"weights.{number}"


def _layers(file: ArrayFile) -> int:
    """Return the number of layers of which a file has weights."""
    return next(n for n in range(MAX_LAYERS + 2) if _name(n) not in file.headers)


def _check_formats(file: ArrayFile, where: str, configs: Sequence[Config]) -> None:
    """Raise unless the formats of a file are those of the layers."""
    header = file.headers["formats"]
    if header.shape != (len(configs),) or header.size > FORMAT_BYTES * len(configs):
        raise BitlifError(f"{where}: formats must be {len(configs)} texts, one per layer")
    for number, (fmt, config) in enumerate(zip(file.read("formats"), configs, strict=True)):
        if str(fmt) != str(config.synapse.weight):
            raise BitlifError(
                f"{where}: layer.{number} must be in the configuration's format "
                f"'{config.synapse.weight}', not {quoted(str(fmt))}"
            )


def save_any_weights(path: str | Path, weights: object, config: Config | NetworkConfig) -> None:
    """Write the weights of a layer, an array, or of a network, a list of arrays."""
    if isinstance(config, NetworkConfig):
        save_network_weights(path, weights, config)  # type: ignore[arg-type]
    else:
        save_weights(path, weights, config)  # type: ignore[arg-type]


def load_any_weights(
    path: str | Path, config: Config | NetworkConfig
) -> NDArray[np.int64] | list[NDArray[np.int64]]:
    """Read the weights of a layer, an array, or of a network, a list of arrays."""
    if isinstance(config, NetworkConfig):
        return load_network_weights(path, config)
    return load_weights(path, config)
