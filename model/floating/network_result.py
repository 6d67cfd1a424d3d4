"""The result of a run of the float twin of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.network_result import FORWARD_RECORDS, NetworkResult
from bitlif.model.result import Result

from .network_step import FloatNetworkRecords

Reals = NDArray[np.float64]

SWEEP_RECORDS = ("errors", "credits", "adjoint_membranes", "adjoints", "gradients")
"""Signals that a sweep can record."""

FLOAT_NETWORK_RECORDS = (*FORWARD_RECORDS, *SWEEP_RECORDS)
"""Signals that `bitlif.model.floating.network.FloatNetwork` can record."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FloatNetworkResult(NetworkResult):
    """What a run of the float twin returns: real numbers (float64) instead of raw integers.

    `sweep_counters` has the counters ``"active_errors"`` and ``"active_adjoints"``.

    Attributes
    ----------
    credits : tuple of (W, T, M) or (0, T, M)
        Credit of each hidden layer, if recorded; empty for the last layer.
    adjoint_membranes : tuple of (W, T, M)
        Adjoint membranes of each layer, if recorded.
    """

    credits: tuple[Reals, ...] = ()
    adjoint_membranes: tuple[Reals, ...] = ()


def network_result(
    records: tuple[FloatNetworkRecords, ...],
    draws: list[Reals | None],
    inputs: list[int],
    counters: NDArray[np.int64] | None,
    wanted: tuple[str, ...],
) -> FloatNetworkResult:
    """Return the result of a run.

    Parameters
    ----------
    records : tuple of FloatNetworkRecords
    draws : list of (W, T, M) float or None
    inputs : list of int
        Number of input events of each layer.
    counters : (layers, 2) int64 or None
        Counters of the sweeps, if there were any.
    wanted : tuple of str
        Signals to return, of `FLOAT_NETWORK_RECORDS`.
    """
    layers = []
    for number, own in enumerate(records):
        signals: dict[str, Any] = {
            name: getattr(own, name)
            for name in FORWARD_RECORDS
            if name in wanted and name != "draws"
        }
        if "errors" in wanted and number == len(records) - 1:
            signals["errors"] = own.errors
        events = {"synaptic_events": inputs[number] * own.raster.shape[2]}
        layers.append(Result(own.raster, events, draws=draws[number], **signals))
    names = ("active_errors", "active_adjoints")
    counted = () if counters is None else tuple(
        dict(zip(names, map(int, own), strict=True)) for own in counters
    )  # fmt: skip
    found = {
        name: tuple(getattr(own, name) for own in records) if name in wanted else ()
        for name in SWEEP_RECORDS
    }
    return FloatNetworkResult(
        tuple(layers), counted, found["adjoints"], found["gradients"], found["credits"],
        found["adjoint_membranes"],
    )  # fmt: skip
