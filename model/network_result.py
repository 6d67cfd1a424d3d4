"""The result of a run of a network, and the names of what it can record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .network_window import WindowRecords
from .result import Result

FORWARD_RECORDS = ("current", "membrane", "draws")
"""Signals of all layers that `bitlif.model.network.Network.run` can record."""

NETWORK_RECORDS = (*FORWARD_RECORDS, "errors", "adjoints", "gradients")
"""Signals that `bitlif.model.network.Network.learn` can record; errors are of the last layer."""

DIGESTS = "digests"
"""Name of the record of all layers that the signature is computed from."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetworkResult:
    """What a run of a network returns.

    Attributes
    ----------
    layers : tuple of Result
        One per layer, in order; the last holds the outputs, and the errors if recorded.
    sweep_counters : tuple of dict
        Counters of the sweep of each layer, keyed by `bitlif.model.sweep.SWEEP_COUNTERS`.
    adjoints : tuple of (W, T, M) int64
        Adjoint currents of each layer, if recorded.
    gradients : tuple of (W, N, M) int64
        Gradients of each layer, if recorded.
    """

    layers: tuple[Result, ...]
    sweep_counters: tuple[dict[str, int], ...] = ()
    adjoints: tuple[NDArray[np.int64], ...] = ()
    gradients: tuple[NDArray[np.int64], ...] = ()

    @property
    def output(self) -> Result:
        """The result of the last layer."""
        return self.layers[-1]


def network_result(
    records: tuple[WindowRecords, ...],
    totals: list[dict[str, int]],
    sweeps: list[dict[str, int]],
    wanted: tuple[str, ...],
    *,
    learn: bool,
) -> NetworkResult:
    """Return the result of a run from its records, its counters, and the names of its signals."""

    def of_all(name: str) -> tuple[NDArray[np.int64], ...]:
        if name not in wanted:
            return ()
        return tuple(np.asarray(getattr(own, name), np.int64) for own in records)

    layers = []
    for number, (own, counted) in enumerate(zip(records, totals, strict=True)):
        names = [name for name in FORWARD_RECORDS if name in wanted]
        if "errors" in wanted and number == len(records) - 1:
            names.append("errors")
        signals: dict[str, Any] = {name: np.asarray(getattr(own, name), np.int64) for name in names}
        if DIGESTS in wanted:
            both = (own.step_digests, own.update_digests if learn else own.update_digests[:0])
            signals["digests"] = tuple(np.asarray(array, np.int64) for array in both)
        layers.append(Result(own.raster, counted, **signals))
    swept = tuple(sweeps) if learn else ()
    return NetworkResult(tuple(layers), swept, of_all("adjoints"), of_all("gradients"))
