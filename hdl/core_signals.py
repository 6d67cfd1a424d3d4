"""What a core shows of itself: names, and how many there are.

Nothing here needs Amaranth: golden vectors and models are compared by these names too.
"""

from __future__ import annotations

from bitlif.model import window
from bitlif.model.config.config import Config

COUNTER_BITS = 32
COUNTERS = tuple(name for name in window.COUNTERS if name != "synaptic_events")
"""Of `bitlif.model.window.COUNTERS`, those that the core counts; they stop at their last value."""

WATCHED = ("drawn", "slot", "error", "trace", "gradient", "update", "step", "window")
"""Bits of the core's inner signal ``watch``, lowest first: what happens in a clock, for benches."""


def lfsr_counts(config: Config) -> tuple[int, int]:
    """Return how many LFSRs make the noise and the updates' draws (lanes may share one)."""
    lanes, learning = config.layer.lanes, config.learning
    noise = len(dict.fromkeys(config.noise.lfsr.streams(lanes)))
    update = len(dict.fromkeys(learning.lfsr.streams(lanes))) if learning.random_bits else 0
    return noise, update
