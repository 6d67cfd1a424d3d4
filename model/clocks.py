"""The exact number of clock cycles of the layer core, if its streams never stall.

With N inputs and K slots, a step with E input events, S output spikes in Z slots, and A slots with
a non-zero error takes ::

    E K + (2 if E)                    rows of the events, one slot per clock cycle, and the last sum
    + max(K + 21, N + 11)             neurons and errors, in parallel with traces (without learning:
                                      K + 12, in a core with learning hardware: K + 21)
    + max(A N + 4, S + 2 Z + 1)       gradient, in parallel with spikes (only spikes if A = 0)
    + 3                               handover between the parts

clock cycles. A window takes N K + 10 more if it learns, else 3 more; the last 2 of these follow
``window_done``, while the schedule advances. The constants are the depths of the pipelines in
`bitlif.hdl`. Tests verify the formula cycle-exact against the simulated core.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config.config import Config
from .engine.compile import compiled
from .events import Events
from .result import Result

NEURON_DEPTH, ERROR_DEPTH, TRACE_DEPTH = 12, 21, 11
GRADIENT_DEPTH, SPIKE_DEPTH, TURN = 4, 1, 3
UPDATE_DEPTH, CLOSE, SETTLE = 10, 3, 2


def step_clocks(
    config: Config, events: Events, result: Result, *, learn: bool, learning_core: bool = True
) -> NDArray[np.int64]:
    """Return the clock cycles of each step, from the end of the step before: (W, T).

    The clock cycles of a window after its last step, `window_end`, are not included.

    Parameters
    ----------
    config : Config
    events : Events
    result : Result
        Result of the same windows, with ``errors`` recorded if `learn`.
    learn : bool
        Whether the windows are learned.
    learning_core : bool
        Whether the core has learning hardware.

    Raises
    ------
    ValueError
        If `learn` and the errors were not recorded.
    """
    if learn and result.errors is None:
        raise ValueError("the clock cycles of learning need a run that recorded 'errors'")
    walked = np.diff(events.pointers).reshape(events.windows, events.steps)
    wrong = _activity(config, result.errors)[1] if learn and result.errors is not None else None
    active = _activity(config, result.raster)
    return np.asarray(_formula(config, walked, *active, wrong, learning_core=learning_core))


def one_step_clocks(
    config: Config, walked: int, spikes: NDArray[Any], errors: NDArray[Any] | None,
    *, learning_core: bool,
) -> int:  # fmt: skip
    """Return the clock cycles of one step, from the end of the step before.

    Parameters
    ----------
    config : Config
    walked : int
        Number of input events.
    spikes : (M,) uint8
    errors : (M,) or None
        None if the core does not learn.
    learning_core : bool
        Whether the core has learning hardware.
    """
    lanes = config.layer.lanes
    spiked, speaking = (int(counted[0]) for counted in _counts(spikes[None], lanes))
    wrong = None if errors is None else int(_counts(errors[None], lanes)[1][0])
    return int(_formula(config, walked, spiked, speaking, wrong, learning_core=learning_core))


def _formula(
    config: Config, walked: Any, spikes: Any, speaking: Any, wrong: Any, *, learning_core: bool
) -> Any:
    """Return the clock cycles of steps; arguments are integers, or arrays of one shape.

    Parameters
    ----------
    config : Config
    walked, spikes, speaking, wrong : int or array
        Input events, output spikes, slots with output spikes, and slots with a non-zero error
        (None: the core does not learn).
    learning_core : bool
    """
    inputs, slots = config.layer.inputs, config.layer.slots
    clocks = walked * slots + 2 * (walked > 0) + TURN
    sending = spikes + 2 * speaking + SPIKE_DEPTH
    neurons = slots + (ERROR_DEPTH if learning_core else NEURON_DEPTH)
    if wrong is None:
        return clocks + neurons + sending
    adding = (wrong > 0) * (wrong * inputs + GRADIENT_DEPTH)
    return clocks + max(neurons, inputs + TRACE_DEPTH) + np.maximum(adding, sending)


def quiet_step(config: Config, *, learn: bool, learning_core: bool = True) -> int:
    """Return the clock cycles of a step without events, spikes or errors."""
    neurons = config.layer.slots + (ERROR_DEPTH if learning_core else NEURON_DEPTH)
    if learn:
        neurons = max(neurons, config.layer.inputs + TRACE_DEPTH)
    return neurons + SPIKE_DEPTH + TURN


def full_step(config: Config, *, learn: bool, learning_core: bool = True) -> int:
    """Return the clock cycles of a step in which all inputs spike and all neurons spike and err.

    This is the maximum for steps without repeated events.
    """
    sizes = config.layer
    rows = sizes.inputs * sizes.slots
    clocks = quiet_step(config, learn=learn, learning_core=learning_core) - SPIKE_DEPTH + rows + 2
    sending = sizes.neurons + 2 * sizes.slots + SPIKE_DEPTH
    return clocks + (max(rows + GRADIENT_DEPTH, sending) if learn else sending)


def window_end(config: Config, *, learn: bool) -> int:
    """Return the clock cycles of a window after its last step: the update and the schedule."""
    return config.layer.inputs * config.layer.slots + UPDATE_DEPTH if learn else CLOSE


def window_clocks(
    config: Config, events: Events, result: Result, *, learn: bool, learning_core: bool = True
) -> NDArray[np.int64]:
    """Return the clock cycles of each window, from the end of the window before: (W,).

    Parameters are those of `step_clocks`.
    """
    steps = step_clocks(config, events, result, learn=learn, learning_core=learning_core)
    return np.asarray(steps.sum(axis=1) + window_end(config, learn=learn))


def _activity(config: Config, array: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the number of non-zero neurons, and of slots with one, per step: two (W, T) int64."""
    windows, steps, neurons = array.shape
    counts = _counts(array.reshape(-1, neurons), config.layer.lanes)
    return counts[0].reshape(windows, steps), counts[1].reshape(windows, steps)


def _counts(rows: NDArray[Any], lanes: int) -> NDArray[np.int64]:
    """Return the number of non-zero neurons, and of slots with one, per row of (R, M): (2, R)."""
    counts = np.zeros((2, len(rows)), np.int64)
    compiled(count_active)(rows, lanes, *counts)
    return counts


def count_active(array: Any, lanes: int, neurons: Any, slots: Any) -> None:
    """Count non-zero values, and groups of `lanes` values that hold one, per row of (R, M)."""
    for row in range(array.shape[0]):
        values = array[row]
        count = 0
        for i in range(values.size):
            count += values[i] != 0
        neurons[row] = count
        if lanes == 1:
            slots[row] = count
            continue
        groups = 0
        for first in range(0, values.size, lanes):
            active = False
            for i in range(first, min(first + lanes, values.size)):
                active |= values[i] != 0
            groups += active
        slots[row] = groups
