"""What runs and steps of a network return: the result of its last layer, and of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bitlif.model.counters import COUNTERS
from bitlif.model.result import Result
from bitlif.model.signature import MASK, WIDTH
from bitlif.model.sweep import SWEEP_COUNTERS

from .result import CoreResult, StepResult

TRACE_COUNTERS = ("synaptic_trace_saturations", "trace_saturations")
"""Counters of a single layer that a network, which has no traces, lacks."""

NETWORK_COUNTERS = tuple(
    dict.fromkeys((*(name for name in COUNTERS if name not in TRACE_COUNTERS), *SWEEP_COUNTERS))
)
"""Names of the counters of a network and of each of its layers."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LayerResult(Result):
    """Result of a layer of a network: `bitlif.model.result.Result`, with adjoint currents.

    Attributes
    ----------
    adjoints : (W, T, M)
        Adjoint currents, if recorded. Zero in layers that are not learned.
    gradient : (W, M, N)
        Sums of adjoint currents over the input spikes, if recorded.
    """

    adjoints: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetworkCoreResult(CoreResult):
    """Result of a run of a network: that of its last layer, and of each layer.

    Attributes
    ----------
    counters : dict of str to int
        Sums over the layers, keyed by `NETWORK_COUNTERS`. ``synaptic_events`` are the synaptic
        operations of all layers.
    adjoints : (W, T, M)
        Adjoint currents of the last layer, if recorded.
    layers : tuple of LayerResult
        From the first layer to the last. Their counters are those of each layer.
    """

    adjoints: NDArray[Any] | None = None
    layers: tuple[LayerResult, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LayerStepResult(StepResult):
    """Result of a step of a layer of a network.

    Attributes
    ----------
    adjoints : (T, M) or None
        Adjoint currents of the whole window, in its last step.
    """

    adjoints: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetworkStepResult(LayerStepResult):
    """Result of a step of a network: that of its last layer, and of each layer.

    Attributes
    ----------
    layers : tuple of LayerStepResult
    """

    layers: tuple[LayerStepResult, ...] = ()


def network_signature(signatures: Sequence[Any]) -> Any:
    """Return the signature of a network from those of its layers: integers, or arrays of int64.

    It is the XOR of them, with the signature of layer l rotated left by l.

    >>> hex(network_signature([0x1, 0x80000000]))
    '0x0'
    """
    value = signatures[0]
    for number, own in enumerate(signatures[1:], 1):
        value = value ^ (((own << number) | (own >> (WIDTH - number))) & MASK)
    return value
