"""The exact number of clock cycles of the core of a network, if its streams never stall.

Each layer is timed as `bitlif.model.clocks` says, but its events come from the layer before, one by
one, while that sends them. Event e of a step is transferred at::

    x(e) = max(offer(e), x(e - 1) + R)      no earlier than start(t - 1), if it is the first
    start(t) = max(x(last) + 1, x(E) + R + max(1, 4 - R), ...)

where ``offer`` is the clock cycle in which the emitter of the layer before shows the event: one
after the transfer of the event before it, and one more before each slot with spikes. The emitter
shows its next event only after a transfer, so a slow layer slows those before it. The emitter of
the last layer never waits. Tests verify the formula cycle-exact against the simulated core.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clocks import CLOSE, LEAST, SETTLE, SPIKES, SUMS
from .config.network import NetworkConfig
from .engine.compile import compilable, compiled
from .events import Events
from .gate_sizes import gate_sizes
from .network_result import NetworkResult

LOOK = 2
"""Clock cycles from the last spikes of a step to the first slot that the emitter looks at."""
LONG_AGO = -(1 << 40)
"""A clock cycle before all others."""


def network_window_ends(
    config: NetworkConfig, events: Events, result: NetworkResult
) -> NDArray[np.int64]:
    """Return the clock cycle in which each layer ends each window: (L, W).

    They count from the transfer of the first event of the first window. Each event of the network
    is offered as soon as the one before it is transferred.

    Parameters
    ----------
    config : NetworkConfig
    events : Events
    result : NetworkResult
        Result of the same windows, which were not learned.
    """
    walked = np.diff(events.pointers).astype(np.int64)
    most = max(own.config.layer.slots for own in config.layers)
    counts = np.zeros((len(config.layers), len(walked), most), np.int64)
    constants = np.zeros((len(config.layers), 4), np.int64)
    for number, (own, layer) in enumerate(zip(result.layers, config.layers, strict=True)):
        counts[number] = _spikes_of_slots(own.raster, layer.config.layer.lanes, most)
        sizes = gate_sizes(layer.config)
        constants[number] = (
            sizes.rows, max(1, SUMS + 1 - sizes.rows), max(sizes.slots + 1, LEAST),
            sizes.slots + SPIKES,
        )  # fmt: skip
    ends = np.zeros((len(config.layers), events.windows), np.int64)
    work = np.full((5, len(config.layers)), LONG_AGO, np.int64)
    compiled(network_times)(walked, counts, constants, events.steps, work, ends)
    return ends


def _spikes_of_slots(raster: NDArray[Any], lanes: int, most: int) -> NDArray[np.int64]:
    """Return the spikes of each slot, (W T, most), from those of neurons, (W, T, M)."""
    windows, steps, neurons = raster.shape
    padded = np.zeros((windows * steps, most * lanes), np.int64)
    padded[:, :neurons] = raster.reshape(windows * steps, neurons)
    return np.asarray(padded.reshape(windows * steps, most, lanes).sum(axis=2))


@compilable
def pass_step(slots, begin, gate, rows):  # type: ignore[no-untyped-def]
    """Return the transfers of a step from an emitter to the next layer.

    Parameters
    ----------
    slots : (most,) int64
        Spikes of each slot.
    begin : int
        Clock cycle in which the emitter looks at the first slot.
    gate : int
        First clock cycle in which the next layer accepts an event.
    rows : int
        Clock cycles that an event takes there.

    Returns
    -------
    tuple of int
        Clock cycles of the last spike (`LONG_AGO` if there is none) and of the end of the step.
    """
    cursor, free, latest = begin, gate, LONG_AGO
    for slot in range(slots.size):
        if slots[slot] > 0:
            cursor += 1
            for _ in range(slots[slot]):
                latest = max(cursor, free)
                cursor = latest + 1
                free = latest + rows
    return latest, max(cursor + 1, free)


def network_times(
    walked: Any, counts: Any, constants: Any, steps: int, work: Any, ends: Any
) -> None:
    """Write the clock cycle in which each layer ends each window.

    Parameters
    ----------
    walked : (W T,) int64
        Input events of each step.
    counts : (L, W T, most) int64
        Spikes of each layer, step and slot.
    constants : (L, 4) int64
        Of each layer: rows of an input; clock cycles from the read of a row to its sums that no
        further row hides; least clock cycles of a step; from the start of a step to its spikes.
    steps : int
        Of a window.
    work : (5, L) int64
        Scratch; `LONG_AGO`.
    ends : (L, W) int64
        Output.
    """
    layers = counts.shape[0]
    # Of each layer: when the next step may come, started, was sent, and the last two steps ended.
    gates, starts, sent, done, before = work[0], work[1], work[2], work[3], work[4]
    gates[:] = 0
    for step in range(walked.size):
        latest = gates[0] + (walked[step] - 1) * constants[0, 0] if walked[step] > 0 else LONG_AGO
        end = gates[0] + walked[step] * constants[0, 0]
        for number in range(layers):
            rows, late, least, spiking = constants[number]
            start = max(end + 1, latest + rows + late, starts[number] + least, before[number] + 1)
            starts[number] = start
            gates[number] = start
            begin = max(start + spiking, sent[number]) + LOOK
            gate, taken = LONG_AGO, 1
            if number + 1 < layers:
                gate, taken = gates[number + 1], constants[number + 1, 0]
            latest, end = pass_step(counts[number, step], begin, gate, taken)
            sent[number] = end
            before[number] = done[number]
            done[number] = max(end, done[number]) + 1
            if step % steps == steps - 1:
                ends[number, step // steps] = done[number] + CLOSE - SETTLE
                gates[number] = done[number] + CLOSE + 1
