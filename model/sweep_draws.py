"""Random draws of the sweep: step by step, in a step slot by slot, all lanes at once.

A neuron takes K successive draws of its lane in each step: credit (hidden layers only), adjoint
membrane, adjoint current. Empty slots draw too. The draws of steps whose adjoints stay 0 are
skipped, not read.
"""

from __future__ import annotations

from .engine.compile import inlined
from .lfsr import advance_offset, advance_stream, fill_stream, read_bits


@inlined
def in_one_word(kinds, leap, bits):  # type: ignore[no-untyped-def]
    """Return whether the successive draws of a neuron are kept in one word of 31 bits."""
    return (kinds - 1) * leap + bits <= 31


@inlined
def draw_place(kind, kinds, leap, bits):  # type: ignore[no-untyped-def]
    """Return the row of one kind of draws, and the right shift of its words."""
    return (0, kind * leap) if in_one_word(kinds, leap, bits) else (kind, 0)


@inlined
def open_draws(streams, draws):  # type: ignore[no-untyped-def]
    """Generate the next `draws` draws of all lanes; return the bit position of the first ones."""
    position = 0
    for stream in range(streams.buffer.shape[0]):
        position = fill_stream(streams, stream, draws)
    return position


@inlined
def close_draws(streams, draws):  # type: ignore[no-untyped-def]
    """Advance the streams past what `open_draws` generated."""
    for stream in range(streams.buffer.shape[0]):
        advance_stream(streams, stream, draws)
    advance_offset(streams, draws)


@inlined
def read_draws(streams, position, lanes, bits, randoms):  # type: ignore[no-untyped-def]
    """Read the draws of a step, which begin at a bit position: to (K, M) int32."""
    kinds, neurons = randoms.shape
    leap = streams.leap
    rows, mask = kinds, (1 << bits) - 1
    if in_one_word(kinds, leap, bits):
        rows, mask = 1, (1 << (kinds - 1) * leap + bits) - 1
    for lane in range(lanes):
        words = streams.buffer[lane if streams.buffer.shape[0] > 1 else 0]
        for kind in range(rows):
            row = randoms[kind, lane:neurons:lanes]
            own = position + kind * leap
            for k in range(row.size):
                row[k] = read_bits(words, own, mask)
                own += kinds * leap
