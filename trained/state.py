"""What a forward pass returns besides spikes, and what the next one continues from."""

from __future__ import annotations

from typing import Any, NamedTuple


class NetworkState(NamedTuple):
    """Where a network stands after some windows, and the last layer's distances to the threshold.

    A forward pass that is given a state uses all fields but the last two.
    """

    windows: int = 0
    """Windows run since the reset: they place the draws of the noise."""
    windows_learned: int = 0
    """Windows learned since the reset: they choose the phase of the schedule."""
    currents: tuple[Any, ...] = ()
    """Per layer, (M,) int64: raw synaptic currents after the last window; () for zeros"""
    membranes: tuple[Any, ...] = ()
    """Per layer, (M,) int64: raw membrane potentials after the last window; () for zeros"""
    distance: Any = None
    """(T, B, M) real, with a gradient: (Vb - u) / sigma of the last layer, before the noise"""
    bins: Any = None
    """(T, B, M) int64: bins of its error table; None in the float mode"""

    def carried(self) -> NetworkState:
        """Return the state without the last two fields, which hold the graph of the gradient."""
        return self._replace(distance=None, bins=None)


class LayerSignals(NamedTuple):
    """Integers of one layer over B windows of T steps; M neurons."""

    spikes: Any
    """(T, B, M) of integers, 0 or 1"""
    current: Any
    """(T, B, M) int64: raw synaptic currents"""
    membrane: Any
    """(T, B, M) int64: raw membrane potentials before the noise"""
    draws: Any
    """(T, B, M) int64: centred draws, in the unit of the noise's distribution"""
    last_current: Any
    """(M,) int64: after the last window"""
    last_membrane: Any
    """(M,) int64: after the last window and its reset"""
