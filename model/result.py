"""The result of a run and the state of a layer, of the integer model and of its float twin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .display import LINE, html_table, one_line
from .errors import BitlifError, BitlifTypeError, nearest_of
from .events import Events
from .state import recorded
from .text import quoted

RECORDS = (*recorded("neuron"), "draws", "errors", *recorded("input"), "gradient")
"""Signals that every layer can record, as attributes of `Result`."""

LAYER_RECORDS = (*RECORDS, "digests")
"""Signals that the integer model can record."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Spikes, counters and recorded signals of W windows of T steps, N inputs and M neurons.

    A result can be passed to another layer in place of events: its output spikes are then the
    input. Signals that were not recorded are None. Values are raw integers from the integer model
    and real numbers (float64) from the float twin.

    Attributes
    ----------
    raster : (W, T, M) uint8
        1 where a neuron spiked.
    counters : dict of str to int
        Saturations per signal, active (non-zero) errors, and synaptic events; see
        `bitlif.model.window`. Errors, traces and weights are counted only in windows that compute
        them: all windows of `learn`, and in `run` those whose errors or traces are recorded.
    current, membrane : (W, T, M)
        Synaptic current, and membrane potential before the noise of the step.
    draws : (W, T, M)
        Noise draws, in the unit of the noise's PMF (float twin: in sigma).
    errors : (W, T, M)
    traces : (W, T, N)
    gradient : (W, M, N)
        Sum of error times trace over the steps of the window.
    digests : tuple of array
        Only from the integer model: what the steps, (W, T, lanes), and the weight updates,
        (W, lanes), add to the signature; see `bitlif.model.digest`.

    Examples
    --------
    >>> Result(np.zeros((2, 16, 4), np.uint8))
    <Result windows=2 steps=16 neurons=4 spikes=0>
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
        """The output spikes as events, the neurons being the units."""
        return Events.from_raster(np.asarray(self.raster, np.bool_))

    def _facts(self) -> dict[str, object]:
        windows, steps, neurons = self.raster.shape
        count = int(np.count_nonzero(self.raster))
        return {"windows": windows, "steps": steps, "neurons": neurons, "spikes": count}

    def _recorded(self) -> dict[str, object]:
        names = tuple(name for name in LAYER_RECORDS if getattr(self, name) is not None)
        return {"recorded": names} if names else {}

    def __repr__(self) -> str:
        title, facts, recorded = type(self).__name__, self._facts(), self._recorded()
        text = one_line(title, {**facts, **recorded})
        # A line that would be too long has no names.
        return text if len(text) < LINE else one_line(title, facts)

    def _repr_html_(self) -> str:
        facts = {**self._facts(), **self._recorded(), **self.counters}
        return html_table(type(self).__name__, facts)


@dataclass(frozen=True, slots=True, eq=False)
class LayerState:
    """State that a layer carries from one window to the next, besides its weights.

    Values are raw integers from the integer model and from gates, and real numbers (float64) from
    the float twin.

    Attributes
    ----------
    current, membrane : (M,)
        Synaptic current, and membrane potential after the reset.
    trace_current, trace : (N,)
        Synaptic trace and PSP trace.
    noise_lfsr, update_lfsr : tuple of int
        States of the distinct streams, in the order of the lanes; empty in the float twin.
    phase : int
        Index of the schedule's phase that the next window runs in.
    """

    current: NDArray[Any]
    membrane: NDArray[Any]
    trace_current: NDArray[Any]
    trace: NDArray[Any]
    noise_lfsr: tuple[int, ...]
    update_lfsr: tuple[int, ...]
    phase: int


def check_records(record: Sequence[str], known: tuple[str, ...] = RECORDS) -> tuple[str, ...]:
    """Return `record`, or raise a `BitlifError` unless it is a sequence of names in `known`."""
    if isinstance(record, str) or not isinstance(record, Iterable):
        raise BitlifTypeError(
            f"record must be a tuple with some of {', '.join(known)}, not {quoted(record)}"
        )
    names = tuple(record)
    for name in names:
        if name not in known:
            near = nearest_of(name, known) if isinstance(name, str) else ""
            raise BitlifError(
                f"record must name some of {', '.join(known)}, not {quoted(name)}{near}"
            )
    return names
