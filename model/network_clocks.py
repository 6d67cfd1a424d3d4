"""The exact number of clock cycles of the core of a network, if its streams never stall.

Each layer is timed as `bitlif.model.clocks` says, but its events come from the layer before, one by
one, while that sends them. Event e of a step is transferred at::

    x(e) = max(offer(e), x(e - 1) + R)      no earlier than start(t - 1), if it is the first
    start(t) = max(x(last) + 1, x(E) + R + max(1, 4 - R), ...)

where ``offer`` is the clock cycle in which the emitter of the layer before shows the event: one
after the transfer of the event before it, and one more before each slot with spikes. The emitter
shows its next event only after a transfer, so a slow layer slows those before it. The emitter of
the last layer never waits. The sweeps and updates of a learned window start when all layers have
ended their steps; `sweep_clocks` has their formula. Tests verify the formula cycle-exact against
the simulated core.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .clocks import CLOSE, ERRORS, LEAST, LEAST_LEARNING, SETTLE, SPIKES, SUMS
from .config.network import NetworkConfig
from .engine.compile import compilable, compiled
from .events import Events
from .gate_sizes import UPDATE, gate_sizes
from .network_result import NetworkResult
from .result import Result
from .surrogate import Surrogate

LOOK = 2
"""Clock cycles from the last spikes of a step to the first slot that the emitter looks at."""
ADJOINT, CREDIT = 5, 3
"""Of an adjoint filter, and of the rounding of the credit."""
TREE = 4
"""From the read of a row of weights to the sum of its credit, without the levels of the tree."""
GRADIENT = 3
"""From the read of a row of the gradient to its write."""
SIGN = 2
"""From the read of a row of weights for the signature to its last weights."""
MARK_BITS = 16
"""Most input bits of a word of marks."""
LONG_AGO = -(1 << 40)
"""A clock cycle before all others."""


def network_window_ends(
    config: NetworkConfig,
    events: Events,
    results: Sequence[NetworkResult],
    learns: Sequence[bool] | None,
) -> NDArray[np.int64]:
    """Return the clock cycle in which each layer ends each window: (L, W).

    They count from the transfer of the first event of the first window. Each event of the network
    is offered as soon as the one before it is transferred.

    Parameters
    ----------
    config : NetworkConfig
    events : Events
    results : sequence of NetworkResult
        Of each window. Those that are learned must have recorded ``membrane`` and ``adjoints``.
    learns : sequence of bool or None
        Of each window, whether it is learned; None for a core without learning hardware.
    """
    walked = np.diff(events.pointers).astype(np.int64)
    most = max(own.config.layer.slots for own in config.layers)
    count, last = len(config.layers), len(config.layers) - 1
    counts = np.zeros((count, len(walked), most), np.int64)
    constants = np.zeros((count, 5), np.int64)
    for number, layer in enumerate(config.layers):
        raster = np.concatenate([own.layers[number].raster for own in results])
        sizes = gate_sizes(layer.config)
        counts[number] = _spikes_of_slots(raster, sizes.lanes, most)
        least = LEAST_LEARNING if learns is not None and number == last else LEAST
        constants[number] = (
            sizes.rows, max(1, SUMS + 1 - sizes.rows), max(sizes.slots + 1, least),
            sizes.slots + SPIKES, sizes.slots + (ERRORS if number == last else 0),
        )  # fmt: skip
    swept = np.full(events.windows, -1, np.int64)
    for window, learn in enumerate(learns or ()):
        if learn:
            given = walked[window * events.steps : (window + 1) * events.steps]
            swept[window] = sweep_clocks(config, given, results[window])
    ends = np.zeros((count, events.windows), np.int64)
    work = np.full((5, count), LONG_AGO, np.int64)
    compiled(network_times)(walked, counts, constants, swept, events.steps, work, ends)
    return ends


def window_clocks(
    config: NetworkConfig, events: Events, result: NetworkResult, *, learn: bool,
    learning_core: bool = True,
) -> NDArray[np.int64]:  # fmt: skip
    """Return the clock cycles of each window by itself: (W,).

    They count from the transfer of its first event until all layers are idle.

    Parameters
    ----------
    config : NetworkConfig
    events : Events
    result : NetworkResult
        Of all windows; with ``membrane`` and ``adjoints`` if they are learned.
    learn : bool
    learning_core : bool
        Whether the core has learning hardware.
    """
    clocks = np.zeros(events.windows, np.int64)
    for w in range(events.windows):
        one = slice(w, w + 1)
        layers = tuple(
            Result(own.raster[one], membrane=None if own.membrane is None else own.membrane[one])
            for own in result.layers
        )
        own = NetworkResult(layers, adjoints=tuple(values[one] for values in result.adjoints))
        ends = network_window_ends(
            config, events.select([w]), [own], [learn] if learning_core else None
        )
        clocks[w] = ends.max() + SETTLE + 1
    return clocks


class SweepConstants(NamedTuple):
    """What `sweep_times` needs to know of a layer.

    Attributes
    ----------
    adjoints : int
        Clock cycles of the adjoints of a step, from the first slot to the last adjoints.
    rows : int
        Clock cycles for each neuron of the layer before that has a surrogate derivative.
    slots_before : int
        Slots of the layer before; 0 in the first layer.
    tree : int
        Clock cycles from the read of the last row to its sum of credit.
    words : int
        Words of the input spikes of a step.
    passes, always, each : bool
        Whether the layer hands credit back; walks over the input spikes also of a step without an
        adjoint current; and takes time for each spike also then.
    taken, latency : int
        Clock cycles for each input spike, and from the last one to the end of the walk.
    finish : int
        Clock cycles of what follows the last step: the update, or showing all weights.
    """

    adjoints: int
    rows: int
    slots_before: int
    tree: int
    words: int
    passes: bool
    always: bool
    each: bool
    taken: int
    latency: int
    finish: int


def sweep_constants(config: NetworkConfig, number: int) -> SweepConstants:
    """Return what `sweep_times` needs to know of a layer, by its number."""
    sizes = gate_sizes(config.layers[number].config)
    swept = config.derived_sweep(number).constants
    slots_before = config.layers[number - 1].config.layer.slots if number else 0
    if swept.spike_update:
        update = sizes.slots, UPDATE, sizes.inputs * sizes.slots + SIGN
    else:
        update = sizes.rows, GRADIENT, sizes.update_clocks
    taken, latency, finish = update
    return SweepConstants(
        adjoints=(
            (sizes.slots - 1) * max(1, swept.draws)
            + 1 + (CREDIT if swept.hidden else 0) + 2 * ADJOINT
        ),
        rows=sizes.rows,
        slots_before=slots_before,
        tree=TREE + (sizes.synapses - 1).bit_length(),
        words=slots_before or -(-sizes.inputs // min(sizes.inputs, MARK_BITS)),
        passes=number > config.learned_from,
        always=number == 0 or bool(swept.spike_update),
        each=bool(swept.spike_update),
        taken=taken,
        latency=latency,
        finish=finish,
    )  # fmt: skip


def sweep_clocks(config: NetworkConfig, walked: NDArray[np.int64], result: NetworkResult) -> int:
    """Return the clock cycles from the start of the sweeps of a window to the end of all updates.

    In a step of a layer with K slots, R rows of S weights, and d draws per neuron (at least 1), the
    adjoints take ``(K - 1) d + 11`` clock cycles, 14 in a hidden layer. The credit for the
    layer before takes ``K' + open R + 4 + levels``, with its K' slots, its neurons with a surrogate
    derivative, and the levels of a tree of S terms; the gradient takes ``words + spikes R + 3``.
    Both are skipped if all adjoint currents of the step are zero, but for the words of the first
    layer. Updates by spike take ``words + spikes K + 7`` in every step instead. A layer starts a
    step when the next one has handed back its credit.

    Parameters
    ----------
    config : NetworkConfig
    walked : (T,) int64
        Input events of each step.
    result : NetworkResult
        Of this window, with ``membrane`` and ``adjoints``.
    """
    count, steps = len(config.layers), len(walked)
    activity = np.zeros((count, steps, 3), np.int64)
    constants = np.array([sweep_constants(config, number) for number in range(count)], np.int64)
    spikes = walked
    for number in range(count):
        if number:
            own = result.layers[number - 1]
            threshold = config.derived(number - 1).constants.threshold
            surrogate = config.derived_sweep(number - 1).constants.surrogate
            assert own.membrane is not None
            activity[number, :, 1] = _open(own.membrane[0] - threshold, surrogate).sum(axis=1)
            spikes = own.raster[0].sum(axis=1)
        activity[number, :, 0] = result.adjoints[number][0].any(axis=1)
        activity[number, :, 2] = spikes
    work = np.full((2, count), LONG_AGO, np.int64)
    return int(compiled(sweep_times)(activity, constants, config.learned_from, work))


def _open(distance: NDArray[Any], s: Surrogate) -> NDArray[np.bool_]:
    """Return whether the surrogate derivative at distances from the threshold is not zero."""
    distance = np.abs(distance)
    inside: NDArray[np.bool_] = distance < s.width
    if s.reciprocal:
        bins = np.minimum((distance.astype(object) * s.reciprocal) >> s.shift, len(s.table) - 1)
        inside &= np.asarray(s.table)[bins.astype(np.int64)] != 0
    return inside


def sweep_times(activity: Any, constants: Any, learned_from: int, work: Any) -> int:
    """Return the clock cycles of the sweeps and updates of a window.

    Parameters
    ----------
    activity : (L, T, 3) int64
        Of each step: whether an adjoint current is not zero; neurons of the layer before with a
        surrogate derivative; input spikes.
    constants : (L, 11) int64
        `SweepConstants` of each layer.
    learned_from : int
    work : (2, L) int64
        Scratch; `LONG_AGO`.
    """
    layers, steps = activity.shape[0], activity.shape[1]
    waits, adjoint = work[0], work[1]
    for number in range(layers):
        waits[number] = 1
    for back in range(steps):
        handed = LONG_AGO
        for place in range(layers - learned_from):
            number = layers - 1 - place
            active, opened, spikes = activity[number, steps - 1 - back]
            slots, rows, slots_before, tree, words, passes, always, each = constants[number, :8]
            taken, latency = constants[number, 8:10]
            now = max(waits[number], handed + 1) + 1 + slots
            adjoint[number] = now
            if passes:
                now = max(now, adjoint[number - 1]) + 1
                if active:
                    now += slots_before + opened * rows + tree
                handed = now
            now += 1
            if active or always:
                now += words + spikes * taken * max(active, each) + latency
            waits[number] = now + 2
    last = 0
    for number in range(learned_from, layers):
        last = max(last, waits[number] - 1)
    end = 0
    for number in range(learned_from, layers):
        end = max(end, last + 1 + constants[number, 10])
    return end + 1


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
    walked: Any, counts: Any, constants: Any, swept: Any, steps: int, work: Any, ends: Any
) -> None:
    """Write the clock cycle in which each layer ends each window.

    Parameters
    ----------
    walked : (W T,) int64
        Input events of each step.
    counts : (L, W T, most) int64
        Spikes of each layer, step and slot.
    constants : (L, 5) int64
        Of each layer: rows of an input; clock cycles from the read of a row to its sums that no
        further row hides; least clock cycles of a step; from the start of a step to its spikes, and
        to its errors.
    swept : (W,) int64
        Clock cycles of `sweep_clocks` of each window, or -1 if it is not learned.
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
    for number in range(layers):
        gates[number] = 0
    for step in range(walked.size):
        latest = gates[0] + (walked[step] - 1) * constants[0, 0] if walked[step] > 0 else LONG_AGO
        end = gates[0] + walked[step] * constants[0, 0]
        for number in range(layers):
            rows, late, least, spiking, erring = constants[number]
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
            ready = end
            if swept[step // steps] >= 0:
                ready = max(end, start + erring)
            done[number] = max(ready, done[number]) + 1
            if step % steps == steps - 1:
                ends[number, step // steps] = done[number] + CLOSE - SETTLE
                gates[number] = done[number] + CLOSE + 1
        if step % steps == steps - 1 and swept[step // steps] >= 0:
            ended = done[0]
            for number in range(layers):
                ended = max(ended, done[number])
            closing = ended + 2 + swept[step // steps] + 1
            for number in range(layers):
                ends[number, step // steps] = closing
                gates[number] = closing + CLOSE - 1
