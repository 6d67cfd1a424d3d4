"""What the gates of a network consist of; `bitlif.fpga.gate_count` is the same for one layer.

The sweep is in `bitlif.fpga.gate_count_sweep`.
"""

from __future__ import annotations

from dataclasses import replace

from bitlif.hdl.core_signals import SWEPT_COUNTERS
from bitlif.hdl.loadable import swept_update
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig

from .gate_count import (
    COUNTER_BITS,
    count_core,
    count_elements,
    count_emitter,
    count_forward,
    count_observers,
    count_schedule,
    count_streams,
    count_top,
)
from .gate_count_sweep import count_sweep, sweep_draws
from .gate_tally import GateTally

SHOWN = 6
"""Registers of a layer that a host reads, besides its counters: pointers, phase, signature."""


def any_gates(config: Config | NetworkConfig, *, learning: bool) -> GateTally:
    """Return the gates of the core of a layer or of a network."""
    if isinstance(config, NetworkConfig):
        return count_network(config, learning=learning)
    return count_core(config, learning=learning)


def any_surroundings(config: Config | NetworkConfig, *, learning: bool) -> GateTally:
    """Return the gates around a core that depend on its configuration: registers and UART."""
    if isinstance(config, NetworkConfig):
        return count_network_top(config, learning=learning)
    return count_top(config, learning=learning)


def count_network(config: NetworkConfig, *, learning: bool) -> GateTally:
    """Return the gates of the core of a network.

    Parameters
    ----------
    config : NetworkConfig
    learning : bool
        Whether the core has learning hardware.
    """
    tally = GateTally()
    for number, own in enumerate(config.layers):
        layer = _swept_layer(config, number) if learning else count_core(own.config, learning=False)
        named = [replace(one, name=f"layer.{number} {one.name}") for one in layer.memories]
        tally.bits += layer.bits
        tally.memories += named
        tally.products += layer.products
    return tally


def _swept_layer(config: NetworkConfig, number: int) -> GateTally:
    """Return the gates of a layer of a network that learns."""
    tally = GateTally()
    own = config.layers[number].config
    last, learned = number == len(config.layers) - 1, number >= config.learned_from
    lanes = own.layer.lanes
    count_forward(tally, own, last)
    count_emitter(tally, own)
    shifts = swept_update(config.derived_sweep(number)).shifts
    count_schedule(tally, own, True, len(shifts))
    flags = [lanes, 2 * lanes] + [lanes, lanes] * last + [lanes] * 5 * learned
    count_observers(tally, own, flags, learning=learned)
    if learned:
        before = len(tally.products)
        count_sweep(tally, config, number)
        tally.products[before:] = [replace(one, swept=True) for one in tally.products[before:]]
    return tally


def count_network_top(config: NetworkConfig, *, learning: bool) -> GateTally:
    """Return the gates around the core of a network: registers and UART.

    Each layer has a pointer to its elements, and a host sees the registers of one at a time.
    """
    tally = GateTally()
    count_streams(tally, config.outer, learning)
    for number, own in enumerate(config.layers):
        shifts = swept_update(config.derived_sweep(number)).shifts
        last = number == len(config.layers) - 1
        count_elements(tally, own.config, learning, len(shifts), errors=last)
        if learning:
            tally.count("choose", sweep_draws(config, number) * own.sweep.lfsr.width)
        if learning and number:
            tally.count("choose", (len(SWEPT_COUNTERS) + SHOWN) * COUNTER_BITS)
            tally.count("compare", COUNTER_BITS)
    return tally
