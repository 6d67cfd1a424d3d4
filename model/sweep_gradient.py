"""What the sweep of a layer does with its adjoint currents: the gradient, or updates at once."""

from __future__ import annotations

from .engine.compile import compilable, inlined
from .engine.loops import not_negative, sum_rows
from .update import draw_rows, update_row


@inlined
def list_step(sweep, t, addresses, first, last):  # type: ignore[no-untyped-def]
    """Add a step to the list of each input that spiked in it."""
    counts, times = sweep.counts, sweep.times
    for k in range(first, last):
        j = not_negative(addresses[k])
        count = not_negative(counts[j])
        times[j, count] = t
        counts[j] = count + 1


@compilable
def sum_window(sweep):  # type: ignore[no-untyped-def]
    """Write the gradient: for every input, the sum of the adjoint currents over its spikes."""
    for j in range(sweep.gradient.shape[0]):
        sum_rows(
            sweep.adjoints, sweep.times[j], 0, sweep.counts[j], sweep.rows, sweep.sum,
            sweep.gradient[j],
        )  # fmt: skip


@inlined
def update_step(  # type: ignore[no-untyped-def]
    sweep, addresses, first, last, done, total, weights, streams, lanes, block, phase, c
):  # fmt: skip
    """Add each input spike's share to the weights of its input, spike by spike.

    Of the `total` spikes of the window, `done` came before this step in the order of the sweep.
    Return the number of saturations.
    """
    updates, count = sweep.updates, 0
    for k in range(first, last):
        number = done + k - first
        place = number % block
        if place == 0 and c.random_bits > 0:
            draw_rows(streams, lanes, c.random_bits, min(block, total - number), updates)
        row, random = weights[addresses[k]], updates[place]
        count += update_row(row, sweep.current, random, sweep.update_words, phase, c)
    return count
