"""Names and numbers of the signals that a core shows, and of its memories.

This module does not need Amaranth: golden vectors and models use the same names.
"""

from __future__ import annotations

from bitlif.model import counters
from bitlif.model.config.config import Config

COUNTER_BITS = 32
COUNTERS = tuple(name for name in counters.COUNTERS if name != "synaptic_events")
"""The counters of the core, a part of `bitlif.model.counters.COUNTERS`; they saturate."""

FORWARD_COUNTERS = ("current_saturations", "membrane_saturations")
"""Counters of each layer of a network that only runs."""

SWEPT_COUNTERS = (
    "current_saturations",
    "membrane_saturations",
    "error_saturations",
    "active_errors",
    "credit_saturations",
    "adjoint_membrane_saturations",
    "adjoint_current_saturations",
    "active_adjoints",
    "weight_saturations",
)
"""Counters of each layer of a network that learns; see `bitlif.model.sweep.SWEEP_COUNTERS`."""

SINGLE_PORT = "single_port"
"""Name of memories with one port (`bitlif.hdl.single_port`) in RTLIL and Verilog. They have an
attribute of this name: the number of parts of a row with a write enable each."""

READ_CLOCKS = 2
"""Clock cycles from the host's address to a row of weights; other rows take one."""

WATCHED = ("drawn", "slot", "error", "trace", "gradient", "update", "step", "window")
"""Bits of the internal signal ``watch``, lowest first: events of a clock cycle, for benches."""


def lfsr_counts(config: Config) -> tuple[int, int]:
    """Return the numbers of distinct LFSRs for the noise and for the updates.

    Lanes can share an LFSR. Without noise there are none.
    """
    lanes, learning = config.layer.lanes, config.learning
    noise = len(dict.fromkeys(config.noise.streams(lanes)))
    update = len(dict.fromkeys(learning.lfsr.streams(lanes))) if learning.random_bits else 0
    return noise, update
