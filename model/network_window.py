"""Windows of a network: forward through all layers, then the sweep back and the updates.

A window runs forward layer by layer: the output spikes of a layer in a step are the input events of
the next layer in the same step. Then the layers are swept from the last to the first; see
`bitlif.model.sweep`. Then, with ``update = "window"``, the weights of all learned layers are
updated, as in a single layer. With ``update = "spike"`` the sweep has updated them.

The functions run interpreted, or compiled by `bitlif.model.engine.compile`. For the compiler, the
records of all layers have the same types.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .digest import digest_weights
from .engine.compile import compilable
from .engine.loops import copy_into, not_negative
from .lfsr import restart_streams
from .sweep import WEIGHT_SATURATIONS, drive_by_errors, sweep_layer
from .update import update_inputs
from .window import INFER, run_windows


class LayerParts(NamedTuple):
    """Everything that the windows of one layer read and write; M neurons, N inputs, T steps."""

    weights: Any
    """(N + 1, M) int"""
    state: Any
    table: Any
    noise: Any
    streams: Any
    update_streams: Any
    sweep_streams: Any
    scratch: Any
    records: Any
    """Records of one window, with its membranes"""
    sweep: Any
    pointers: Any
    """(T + 1,) int64: input events of one window of a hidden or last layer"""
    addresses: Any
    """(T N,) int32"""
    counters: Any
    sweep_counters: Any
    constants: Any
    """Constants"""
    sweep_constants: Any
    """SweepConstants"""
    lanes: int
    update_block: int
    """Slots, or spikes if they update the weights, whose draws the update's streams can hold"""
    sweep_bits: int
    """Random bits of a rounding in the sweep"""
    learned: int
    """1 if the layer is learned, and with it swept"""
    teacher: int
    """1 if the targets reset its neurons"""


class WindowRecords(NamedTuple):
    """Records of all windows of one layer; all but the raster may have size zero."""

    raster: Any
    """(W, T, M) uint8"""
    current: Any
    membrane: Any
    draws: Any
    errors: Any
    """Of the last layer only"""
    adjoints: Any
    """(W, T, M) int64 each"""
    gradients: Any
    """(W, N, M) int64"""
    step_digests: Any
    """(W, T, lanes) int64; see `bitlif.model.digest`"""
    update_digests: Any
    """(W, lanes) int64, of layers that are learned"""


@compilable
def copy_window(records, w, window):  # type: ignore[no-untyped-def]
    """Copy the values of one window, (rows, columns), to the records of all, if they are wanted."""
    if records.size > 0:
        for a in range(window.shape[0]):
            copy_into(records[w, a], window[a])


@compilable
def list_events(raster, begin, end, pointers, addresses):  # type: ignore[no-untyped-def]
    """Write the spikes of steps ``begin ..< end`` of a window, (T, M), as events."""
    count = 0 if begin == 0 else pointers[begin]
    for t in range(begin, end):
        row = raster[t]
        for i in range(row.size):
            # Without a branch, which would often be mispredicted. The last one stays unused.
            addresses[not_negative(count)] = i
            count += int(row[i])
        pointers[t + 1] = count


@compilable
def forward_window(  # type: ignore[no-untyped-def]
    own, begin, end, pointers, addresses, targets, clear, phase
):  # fmt: skip
    """Run steps ``begin ..< end`` of one window of one layer."""
    run_windows(
        0, 1, begin, end, INFER, 0, own.weights, pointers, addresses, targets, own.state, own.table,
        own.noise, own.streams, own.update_streams, own.scratch, own.records, own.counters,
        own.lanes, clear, phase, own.constants,
    )  # fmt: skip


@compilable
def update_layer(own, phase):  # type: ignore[no-untyped-def]
    """Update the weights of a layer by the gradient of its sweep."""
    sweep = own.sweep
    own.sweep_counters[WEIGHT_SATURATIONS] += update_inputs(
        own.weights, sweep.gradient, sweep.counts, sweep.touched, own.update_streams, own.lanes,
        own.update_block, sweep.updates, sweep.update_words, phase, own.constants,
    )  # fmt: skip


def run_network(  # type: ignore[no-untyped-def]
    first, last, begin, end, learn, count, pointers, addresses, targets, none, layers, phases,
    sweep_phases, records, clear,
):  # fmt: skip
    """Run steps ``begin ..< end`` of windows through all layers, and learn from them.

    A part of a window continues from what the part before it left in `layers`. The part with the
    last step ends the window: the weights are then updated.

    Parameters
    ----------
    first, last : int
        The windows ``first ..< last``.
    begin, end : int
        0 and T for whole windows.
    learn : int
        1 to learn, else 0.
    count : int
        Number of layers. The tuples may be longer: code is compiled for each length of them.
    pointers, addresses : arrays of int
        Input events of the first layer; see `bitlif.model.events.Events`.
    targets : (windows or 0, T or 1, M) unsigned
        Raw targets of the last layer.
    none : (0, 1, M) unsigned
        No targets.
    layers : tuple of LayerParts
    phases, sweep_phases : tuples of PhaseConstants
        Of each layer; the latter have the rate of the sweep.
    records : tuple of WindowRecords
    clear : (state, trace, lfsr) of int
        Whether each is cleared at the start of a window.
    """
    steps = records[0].raster.shape[1]
    for w in range(first, last):
        goals = targets[w : w + 1] if targets.size > 0 else none
        if clear[2] and begin == 0:
            for number in range(count):
                restart_streams(layers[number].sweep_streams)
        for number in range(count):
            own = layers[number]
            given = goals if own.teacher else none
            if number == 0:
                start = pointers[w * steps : (w + 1) * steps + 1]
                forward_window(own, begin, end, start, addresses, given, clear, phases[number])
            else:
                forward_window(
                    own, begin, end, own.pointers, own.addresses, given, clear, phases[number]
                )
            shown = records[number]
            for t in range(begin, end):
                copy_into(shown.raster[w, t], own.records.raster[0, t])
            if number + 1 < count:
                after = layers[number + 1]
                list_events(own.records.raster[0], begin, end, after.pointers, after.addresses)
            copy_window(shown.membrane, w, own.records.membrane[0])
            if shown.current.size > 0:
                copy_window(shown.current, w, own.records.current[0])
            if shown.draws.size > 0:
                copy_window(shown.draws, w, own.records.draws[0])
            if shown.step_digests.size > 0:
                copy_window(shown.step_digests, w, own.records.step_digests[0])
        if learn:
            own = layers[count - 1]
            drive_by_errors(
                own.records.membrane[0], goals, begin, end, own.table, own.sweep,
                own.sweep_counters, phases[count - 1], own.constants,
            )  # fmt: skip
            if own.sweep.words:
                copy_window(records[count - 1].errors, w, own.sweep.drive)
            else:
                copy_window(records[count - 1].errors, w, own.sweep.wide_drive)
        if learn and end == steps:
            for back in range(count):
                number = count - 1 - back
                own = layers[number]
                if own.learned:
                    # The first layer of all hands no credit back: a copy of it stands for none.
                    passes = number > 0 and layers[max(number - 1, 0)].learned
                    before = layers[max(number - 1, 0)]
                    start, listed = own.pointers, own.addresses
                    if number == 0:
                        start = pointers[w * steps : (w + 1) * steps + 1]
                        listed = addresses
                    sweep_layer(
                        start, listed, own.records.raster[0], own.weights, own.sweep,
                        before.sweep, int(passes), before.records.membrane[0],
                        before.constants.threshold, before.sweep_constants, own.sweep_streams,
                        own.update_streams, own.update_block, own.lanes, own.sweep_bits,
                        own.sweep_counters, sweep_phases[number], own.constants,
                        own.sweep_constants,
                    )  # fmt: skip
                    copy_window(records[number].adjoints, w, own.sweep.adjoints[:steps])
                    copy_window(records[number].gradients, w, own.sweep.gradient)
            for number in range(count):
                own = layers[number]
                if own.learned and not own.sweep_constants.spike_update:
                    update_layer(own, sweep_phases[number])
                if own.learned and records[number].update_digests.size > 0:
                    digest = records[number].update_digests[w]
                    digest_weights(own.weights, own.weights.shape[0] - 1, own.lanes, digest)
