"""The exact number of clock cycles of the layer core, if its streams never stall.

Up to three steps are in progress at a time: while a step is learned and its spikes are sent, the
neurons of the next one are computed, and the events of a third are gathered. With N inputs, K slots
of P neurons, R rows of S weights per input, and groups of L products, a step has E input events,
S' output spikes in Z slots, and A groups with a non-zero error. Each part of it starts at a clock
cycle that is the maximum of a few others::

    accept(t) = start(t - 1)                                first event of the step
    start(t)  = max(accept(t) + E R + max(1, 4 - R),        all its weights are added (1 if E = 0)
                    start(t - 1) + max(K + 1, least),       neurons of the step before are issued
                    done(t - 2) + 1,
                    taught(t - 1) + 1)
    sent(t)   = max(start(t) + K + 11, sent(t - 1)) + S' + Z + 3
    learn(t)  = max(start(t) + K + 21, issued(t - 1))       its errors are known
    issued(t) = learn(t) + N                                if A is 0 or 1, else
                learn(t) + A N + 9                          all groups are issued
    done(t)   = max(sent(t), issued(t) + 4 + (9 if A < 2)) + 1

where ``taught(t)`` is ``learn(t)`` or, if a few errors are kept in registers
(`GateSizes.keeps_errors`), the clock cycle in which those of the last group are read; ``least`` is
8 in a core without learning hardware and 17 in one with it; and the terms with ``learn`` and
``taught`` are absent from windows that are not learned. `step_times` and `window_end` have the full
formula, which includes layers of few inputs and memories of one port. A window takes N K + 11 more
clock cycles if it learns, else 4 more; the last 2 of these follow ``window_done``, while the
schedule advances. The constants are the depths of the pipelines in `bitlif.hdl`. Tests verify the
formula cycle-exact against the simulated core.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config.config import Config
from .engine.compile import compiled
from .events import Events
from .gate_sizes import UPDATE as UPDATE  # one of the latencies that the gates compare
from .gate_sizes import GateSizes, gate_sizes
from .result import Result

SPIKES, ERRORS = 11, 20
"""From the issue of a slot to its spikes and to its errors."""
LEAST, LEAST_LEARNING = 8, 17
"""Least clock cycles between the starts of two steps, without and with learning hardware."""
SUMS = 3
"""From the address of a row of weights to its sums."""
FUSED, PRODUCT = 9, 4
"""From the issue of an input to the new trace that its products use, and from there to the sum."""
TRACE_GAP, SINGLE_GAP = 11, 3
"""Between two reads of a trace in first passes; and more with a gradient memory of one port."""
SEND = 3
"""From the last spikes of a step to the end of its events, if there are none."""
CLOSE, SETTLE = 4, 2
STEADY = 8
"""Steps after which equal steps take equally long."""


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
    sizes = gate_sizes(config)
    walked = np.diff(events.pointers).reshape(events.windows, events.steps)
    wrong = np.zeros_like(walked)
    if learn and result.errors is not None:
        wrong = _activity(result.errors, sizes.products)[1]
    spikes, speaking = _activity(result.raster, sizes.lanes)
    activity = np.stack([walked, spikes, speaking, wrong], axis=2)
    return _differences(sizes, activity, learn=learn, learning_core=learning_core)


def one_step_clocks(
    config: Config, walked: int, spikes: NDArray[Any], errors: NDArray[Any] | None,
    *, learning_core: bool,
) -> int:  # fmt: skip
    """Return the clock cycles of a step by itself, whose events come after the step before.

    In a run, where the events of the next step are gathered meanwhile, steps take less: see
    `step_clocks`.

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
    sizes = gate_sizes(config)
    spiked, speaking = (int(counted[0]) for counted in _counts(spikes[None], sizes.lanes))
    wrong = 0 if errors is None else int(_counts(errors[None], sizes.products)[1][0])
    activity = np.array([[[walked, spiked, speaking, wrong]]], np.int64)
    learn = errors is not None
    return int(_differences(sizes, activity, learn=learn, learning_core=learning_core)[0, 0])


def _differences(
    sizes: GateSizes, activity: NDArray[np.int64], *, learn: bool, learning_core: bool
) -> NDArray[np.int64]:
    """Return the clock cycles of steps (W, T) from their activity (W, T, 4)."""
    ends = np.zeros(activity.shape[:2], np.int64)
    constants = step_constants(sizes, learn=learn, learning_core=learning_core)
    compiled(step_times)(activity, np.array(constants, np.int64), ends)
    return np.diff(ends, axis=1, prepend=-1)


def step_constants(sizes: GateSizes, *, learn: bool, learning_core: bool) -> tuple[int, ...]:
    """Return what `step_times` needs to know of a core.

    Parameters
    ----------
    sizes : GateSizes
    learn : bool
        Whether the steps are learned.
    learning_core : bool
        Whether the core has learning hardware.

    Returns
    -------
    tuple of int
        Rows of weights of an input; clock cycles from the last of them to the sums; least clock
        cycles between the starts of two steps, from a start to the last spikes, and to the last
        errors; number of inputs; clock cycles for each of them; clock cycles without an input
        between a first pass and another one, and after a last first pass; clock cycles from the
        last input to its sum; whether the steps are learned; whether the errors of a step must be
        read before those of the next one come.
    """
    taken = sizes.pace * (sizes.inputs - 1) + 1
    single = SINGLE_GAP if sizes.single_gradient else 0
    unwritten = max(0, TRACE_GAP - taken)
    least = max(sizes.slots + 1, LEAST_LEARNING if learning_core else LEAST)
    return (
        sizes.rows, max(1, SUMS + 1 - sizes.rows), least, sizes.slots + SPIKES,
        sizes.slots + ERRORS, sizes.inputs, sizes.pace, max(FUSED + single, unwritten),
        max(single, unwritten), PRODUCT + int(sizes.single_gradient), int(learn),
        int(sizes.keeps_errors and sizes.groups > 1),
    )  # fmt: skip


def step_times(activity: Any, constants: Any, ends: Any) -> None:
    """Write the clock cycle in which each step ends, counted from the first event of its window.

    Parameters
    ----------
    activity : (W, T, 4) int64
        Input events, output spikes, slots with spikes, and groups with a non-zero error.
    constants : (12,) int64
        See `step_constants`.
    ends : (W, T) int64
        Output.
    """
    rows, late, least, spiking, erring, inputs = constants[:6]
    pace, between, after, adding, learn, holds = constants[6:]
    for window in range(activity.shape[0]):
        accept, start, learned, issued, taught = 0, -least, -1, -1, -1
        sent, done, done_before = -1, -1, -1
        for step in range(activity.shape[1]):
            walked, spikes, speaking, wrong = activity[window, step]
            ready = accept + walked * rows + (late if walked > 0 else 1)
            start = max(ready, start + least, done_before + 1)
            if learn:
                start = max(start, taught + 1)
            accept = start
            sent = max(start + spiking, sent) + spikes + speaking + SEND
            end = sent
            if learn:
                learned = max(start + erring + 1, issued)
                traced = learned + 1 + pace * (inputs - 1)
                taught = learned
                if holds and wrong == 1:
                    taught = learned + 1 + FUSED
                if holds and wrong > 1:
                    taught = traced + between + 1 + pace * (wrong - 2) * inputs
                if wrong < 2:
                    issued = traced + after
                    added = traced + FUSED + adding
                else:
                    issued = traced + between + 1 + pace * ((wrong - 1) * inputs - 1)
                    added = issued + adding
                end = max(end, added)
            done_before, done = done, max(end, done) + 1
            ends[window, step] = done


def quiet_step(config: Config, *, learn: bool, learning_core: bool = True) -> int:
    """Return the clock cycles of a step without events, spikes or errors, among others like it."""
    return min(_steady(config, (0, 0, 0, 0), learn=learn, learning_core=learning_core))


def full_step(config: Config, *, learn: bool, learning_core: bool = True) -> int:
    """Return the clock cycles of a step in which all inputs spike and all neurons spike and err.

    It is among others like it. This is the maximum for steps without repeated events.
    """
    sizes = gate_sizes(config)
    most = (sizes.inputs, sizes.neurons, sizes.slots, sizes.groups)
    return max(_steady(config, most, learn=learn, learning_core=learning_core))


def _steady(
    config: Config, activity: tuple[int, ...], *, learn: bool, learning_core: bool
) -> list[int]:
    """Return the clock cycles of two steps among equal ones, between which they may alternate."""
    steps = np.tile(np.array(activity, np.int64), (1, STEADY, 1))
    sizes = gate_sizes(config)
    clocks = _differences(sizes, steps, learn=learn, learning_core=learning_core)
    return [int(clocks[0, -2]), int(clocks[0, -1])]


def window_end(config: Config, *, learn: bool) -> int:
    """Return the clock cycles of a window after its last step: the update and the schedule."""
    return CLOSE + (gate_sizes(config).update_clocks if learn else 0)


def window_clocks(
    config: Config, events: Events, result: Result, *, learn: bool, learning_core: bool = True
) -> NDArray[np.int64]:
    """Return the clock cycles of each window, from the end of the window before: (W,).

    Parameters are those of `step_clocks`.
    """
    steps = step_clocks(config, events, result, learn=learn, learning_core=learning_core)
    return np.asarray(steps.sum(axis=1) + window_end(config, learn=learn))


def _activity(array: NDArray[Any], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the number of non-zero neurons, and of groups with one, per step: two (W, T) int64."""
    windows, steps, neurons = array.shape
    counts = _counts(array.reshape(-1, neurons), width)
    return counts[0].reshape(windows, steps), counts[1].reshape(windows, steps)


def _counts(rows: NDArray[Any], width: int) -> NDArray[np.int64]:
    """Return the number of non-zero neurons, and of groups with one, per row of (R, M): (2, R)."""
    counts = np.zeros((2, len(rows)), np.int64)
    compiled(count_active)(rows, width, *counts)
    return counts


def count_active(array: Any, width: int, neurons: Any, groups: Any) -> None:
    """Count non-zero values, and groups of `width` values that hold one, per row of (R, M)."""
    for row in range(array.shape[0]):
        values = array[row]
        count = 0
        for i in range(values.size):
            count += values[i] != 0
        neurons[row] = count
        if width == 1:
            groups[row] = count
            continue
        found = 0
        for first in range(0, values.size, width):
            active = False
            for i in range(first, min(first + width, values.size)):
                active |= values[i] != 0
            found += active
        groups[row] = found
