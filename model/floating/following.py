"""What the float twin of a network needs to follow a run of the integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.network_result import NetworkResult

Reals = NDArray[np.float64]


def following(network: NetworkConfig, result: NetworkResult) -> dict[str, Any]:
    """Return the arguments with which the float twin follows a run of the integer network.

    Parameters
    ----------
    network : NetworkConfig
    result : NetworkResult
        Of `bitlif.model.network.Network`, with ``"membrane"`` and ``"draws"`` recorded.

    Returns
    -------
    dict
        The arguments ``draws`` (in sigma), ``spikes`` and ``derivatives`` of
        `bitlif.model.floating.network.FloatNetwork.learn`.

    Raises
    ------
    ValueError
        If a signal was not recorded.

    Examples
    --------
    >>> from bitlif.model.events import Events
    >>> from bitlif.model.floating.network import FloatNetwork
    >>> from bitlif.model.network import Network
    >>> config = NetworkConfig.load("tiny")
    >>> spikes = Events.from_times([0, 1], [0, 1], steps=16, units=6)
    >>> exact = Network(config).run(spikes, record=("membrane", "draws"))
    >>> real = FloatNetwork(config).run(spikes, **following(config, exact))
    >>> real.output.raster.shape
    (1, 16, 4)
    """
    draws, derivatives = [], []
    for number, (own, layer) in enumerate(zip(result.layers, network.layers, strict=True)):
        if own.draws is None or own.membrane is None:
            raise ValueError("the run of the integers must have recorded 'membrane' and 'draws'")
        draws.append(own.draws / layer.config.noise.draw_sigma)
        hidden = number < len(network.layers) - 1
        derivatives.append(real_derivatives(network, number, own.membrane) if hidden else None)
    return {
        "draws": draws, "spikes": [own.raster for own in result.layers], "derivatives": derivatives
    }  # fmt: skip


def real_derivatives(
    network: NetworkConfig, number: int, membrane: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the integers' surrogate derivatives of a hidden layer, as real numbers.

    Parameters
    ----------
    network : NetworkConfig
    number : int
        Index of the layer.
    membrane : array of int
        Raw membrane potentials before the noise.
    """
    surrogate = network.derived_sweep(number).constants.surrogate
    distance = np.abs(membrane - network.derived(number).constants.threshold)
    inside = distance < surrogate.width
    if not surrogate.reciprocal:
        return inside.astype(np.float64)
    last = surrogate.table.size - 1
    places = np.minimum((distance * surrogate.reciprocal) >> surrogate.shift, last)
    one = 1 << network.layers[number].sweep.surrogate.bits
    return np.where(inside, surrogate.table[places] / one, 0.0)
