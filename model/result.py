"""What a run gives back, the same from the integer model and from its float twin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BitlifError, nearest_of
from .events import Events
from .state import state_variables
from .text import quoted


def _recorded(per: str) -> list[str]:
    return [own.record for own in state_variables(per) if own.record is not None]


RECORDS = (*_recorded("neuron"), "draws", "errors", *_recorded("input"), "gradient")
"""What a run can record, as attributes of `Result`."""

LAYER_RECORDS = (*RECORDS, "digests")
"""What the integer model can record."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Spikes, counters and what was recorded, over W windows of T steps.

    Raw integers from the integer model, real numbers (float64) from the float twin.

    Attributes
    ----------
    raster : (W, T, M) uint8
        1 where a neuron spiked.
    counters : dict of str to int
        Saturations by signal, active (non-zero) errors, synaptic events; see `bitlif.model.window`.
        Those of errors, traces and weights count only windows whose errors or traces were computed:
        all that were learned, and in `Layer.run` those of which they were recorded.
    current, membrane : (W, T, M)
        Synaptic current, and membrane potential before the step's noise; None if not recorded.
    draws : (W, T, M)
        Noise draws, in units of the noise's PMF (float twin: in sigma).
    errors : (W, T, M)
    traces : (W, T, N)
    gradient : (W, M, N)
        Sum over the window's steps of error times trace.
    digests : tuple of array, or None
        From the integer model, what the steps, (W, T, lanes), and the weight updates, (W, lanes),
        add to the signature; see `bitlif.model.digest`.
    """

    raster: NDArray[np.uint8]
    counters: dict[str, int] = field(default_factory=dict)
    current: NDArray[Any] | None = None
    membrane: NDArray[Any] | None = None
    draws: NDArray[Any] | None = None
    errors: NDArray[Any] | None = None
    traces: NDArray[Any] | None = None
    gradient: NDArray[Any] | None = None
    digests: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    @property
    def counts(self) -> NDArray[np.int64]:
        """Spikes of each neuron in each window: shape (W, M)."""
        return np.asarray(self.raster.sum(axis=1, dtype=np.int64))

    @property
    def spikes(self) -> Events:
        """The output spikes as events."""
        return Events.from_raster(self.raster.view(np.bool_))


@dataclass(frozen=True, slots=True, eq=False)
class LayerState:
    """What a layer carries from one window to the next besides its weights.

    Raw integers from the integer model and from gates, real numbers (float64) from the float twin.

    Attributes
    ----------
    current, membrane : (M,)
        Synaptic current, and membrane potential after the reset.
    trace_current, trace : (N,)
        Synaptic trace and PSP trace.
    noise_lfsr, update_lfsr : tuple of int
        States of the distinct streams, in the order of the lanes; none in the float twin.
    phase : int
        Of the schedule: the next window's.
    """

    current: NDArray[Any]
    membrane: NDArray[Any]
    trace_current: NDArray[Any]
    trace: NDArray[Any]
    noise_lfsr: tuple[int, ...]
    update_lfsr: tuple[int, ...]
    phase: int


def check_records(record: tuple[str, ...], known: tuple[str, ...] = RECORDS) -> tuple[str, ...]:
    """Return `record` if all its names are `known`; else raise."""
    for name in record:
        if name not in known:
            raise BitlifError(
                f"record must name some of {', '.join(RECORDS)}, not {quoted(name)}"
                f"{nearest_of(name, RECORDS)}"
            )
    return tuple(record)
