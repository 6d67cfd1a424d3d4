"""Readouts: from the spikes or membranes of a window to its class.

| readout | the class is the neuron | ties go to | a window without spikes |
|---|---|---|---|
| ``count`` | with the most spikes | the higher summed membrane | the highest summed membrane |
| ``first_spike`` | that spikes first | the higher membrane in that step | as for ``count`` |
| ``membrane`` | with the highest summed membrane | the lower neuron | no difference |

The membrane is the recorded one: before the noise of the step and before the reset, summed over the
steps of the window. Remaining ties go to the lower neuron. Netlists and boards record no membranes:
there, ties of ``count`` and ``first_spike``, and windows without spikes, go to the lower neuron.

``membrane`` suits rates that are too low for counts to differ. Note that a neuron which spikes is
reset, which lowers its sum.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, BitlifTypeError, nearest_of
from bitlif.model.result import Result
from bitlif.model.text import quoted, shortened

READOUTS = ("count", "first_spike", "membrane")
"""Names of the readouts."""


class Readout(ABC):
    """How the class of a window is read from a result; see the module's table."""

    name: str

    def records(self, core: Any) -> tuple[str, ...]:
        """Return the names that a run of `core` must record for `classify`.

        Raises
        ------
        BitlifError
            If the readout needs what the core cannot record.
        """
        return ("membrane",) if "membrane" in core.records else ()

    @abstractmethod
    def classify(self, result: Result) -> NDArray[np.int64]:
        """Return the class of each window, the number of a neuron: (W,) int64.

        Ties are decided by membranes if `result` has them.
        """

    def scores(self, result: Result) -> NDArray[np.float64]:
        """Return a score per window and neuron, (W, M): `classify` names the highest.

        Equal values, such as equal spike counts, differ by fractions below 1 in the order in which
        the readout prefers them. This one, for readouts that only classify, is 1 for the class.
        """
        return np.asarray(np.eye(result.raster.shape[2])[self.classify(result)])

    def ties(self, core: Any) -> str:
        """Return where ties go on this core, for reports."""
        return "the higher membrane" if "membrane" in core.records else "the lower class"

    def __repr__(self) -> str:
        return f"<readout {self.name}>"


class CountReadout(Readout):
    """The neuron with the most spikes."""

    name = "count"

    def classify(self, result: Result) -> NDArray[np.int64]:
        """Return the neurons with the most spikes: (W,) int64."""
        return _best(_checked(result).counts, _potential(result))

    def scores(self, result: Result) -> NDArray[np.float64]:
        """Return the number of spikes of each neuron, with fractions for ties: (W, M).

        >>> raster = np.uint8([[[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]]])
        >>> CountReadout().scores(Result(raster)).round(2).tolist()
        [[2.67, 2.33, 0.0]]
        """
        return _ranked(result.counts, _potential(result))


class FirstSpikeReadout(Readout):
    """The neuron that spikes first."""

    name = "first_spike"

    def classify(self, result: Result) -> NDArray[np.int64]:
        """Return the neurons that spike first: (W,) int64."""
        first, potential = self._compared(result)
        return _best(-first, potential)

    def scores(self, result: Result) -> NDArray[np.float64]:
        """Return minus the step of the first spike of each neuron, fractions for ties: (W, M)."""
        first, potential = self._compared(result)
        return _ranked(-first, potential)

    @staticmethod
    def _compared(result: Result) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
        """Return the step of each neuron's first spike, and what decides ties."""
        steps = _checked(result).raster.shape[1]
        spiked = result.raster.any(axis=1)
        first = np.where(spiked, result.raster.argmax(axis=1), steps)
        earliest = first.min(axis=1)
        potential = _potential(result)
        if potential is not None and result.membrane is not None:
            windows = np.arange(len(first))
            at = result.membrane[windows, np.minimum(earliest, steps - 1)].astype(np.float64)
            potential = np.where((earliest < steps)[:, None], at, potential)
        return first, potential


class MembraneReadout(Readout):
    """The neuron with the highest membrane, summed over the window."""

    name = "membrane"

    def records(self, core: Any) -> tuple[str, ...]:
        """Return ``("membrane",)``, or raise if the core cannot record it."""
        if "membrane" not in core.records:
            raise BitlifError(
                f"readout 'membrane' needs a backend that records membranes, not {core.backend}; "
                f"use 'count' or 'first_spike' there"
            )
        return ("membrane",)

    def classify(self, result: Result) -> NDArray[np.int64]:
        """Return the neurons with the highest summed membrane: (W,) int64."""
        potential = _potential(_checked(result))
        if potential is None:
            raise BitlifError("readout 'membrane' needs a run that recorded 'membrane'")
        return np.asarray(potential.argmax(axis=1), np.int64)

    def scores(self, result: Result) -> NDArray[np.float64]:
        """Return the summed membranes: (W, M)."""
        potential = _potential(_checked(result))
        if potential is None:
            raise BitlifError("readout 'membrane' needs a run that recorded 'membrane'")
        return potential

    def ties(self, core: Any) -> str:
        """Return that ties go to the lower class on every core."""
        return "the lower class"


_READOUTS: dict[str, Readout] = {
    own.name: own for own in (CountReadout(), FirstSpikeReadout(), MembraneReadout())
}


def readout(name: str | Readout) -> Readout:
    """Return a readout by its name; a `Readout` is returned unchanged.

    Raises
    ------
    BitlifError
        If it is neither a `Readout` nor one of `READOUTS`.

    Examples
    --------
    >>> raster = np.zeros((1, 4, 2), np.uint8)
    >>> raster[0, 2:, 0] = raster[0, 1, 1] = 1
    >>> [int(readout(name).classify(Result(raster))[0]) for name in ("count", "first_spike")]
    [0, 1]
    """
    if isinstance(name, Readout):
        return name
    if not isinstance(name, str):
        raise BitlifTypeError(f"readout must be one of {', '.join(READOUTS)}, not {quoted(name)}")
    if name not in _READOUTS:
        raise BitlifError(
            f"readout must be one of {', '.join(READOUTS)}, "
            f"not {quoted(name)}{nearest_of(shortened(name), READOUTS)}"
        )
    return _READOUTS[name]


def classify(result: Result, *, by_spikes: bool = False) -> NDArray[np.int64]:
    """Return the class of each window: the neuron with most spikes.

    Ties go to the neuron with the higher summed membrane, which must have been recorded; or, with
    `by_spikes`, to the lower class.
    """
    if not by_spikes and result.membrane is None:
        raise BitlifError("classify needs a run that recorded 'membrane'")
    return _best(result.counts, None if by_spikes else _potential(result))


def _checked(result: Result) -> Result:
    """Return a result, or raise unless it is one."""
    if not isinstance(result, Result):
        raise BitlifTypeError(f"result must be a Result of a run, not {quoted(result)}")
    return result


def _potential(result: Result) -> NDArray[np.float64] | None:
    """Return the summed membranes, (W, M), or None if they were not recorded."""
    if result.membrane is None:
        return None
    return np.asarray(result.membrane.sum(axis=1), np.float64)


def _best(values: NDArray[np.int64], potential: NDArray[np.float64] | None) -> NDArray[np.int64]:
    """Return the neuron of the highest value in each row; ties: higher potential, lower index."""
    if potential is None:
        return np.asarray(values.argmax(axis=1), np.int64)
    tied = values == values.max(axis=1, keepdims=True)
    return np.asarray(np.where(tied, potential, -np.inf).argmax(axis=1), np.int64)


def _ranked(
    values: NDArray[np.int64], potential: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return values plus fractions that order equal ones as `_best` does."""
    compared = np.zeros(values.shape) if potential is None else potential
    # The lower of two neurons wins a tie: it comes last in the ascending order of reversed columns.
    order = np.argsort(compared[:, ::-1], axis=1, kind="stable")
    rank = np.argsort(order, axis=1)[:, ::-1]
    return np.asarray(values + rank / values.shape[1], np.float64)
