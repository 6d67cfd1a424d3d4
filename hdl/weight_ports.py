"""The weights of a layer: one read port and one write port for host and engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux

from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes

from .pipeline import Pipe, select_part
from .row_memory import weight_memory


def hold_weights(
    m: Module, config: Config, init: Sequence[Any], host: Any, forward: Any, learner: Any
) -> None:
    """Add the memory of the weights; share its read port and its write port.

    Parameters
    ----------
    m : Module
    config : Config
    init : sequence
        Initial rows.
    host : HostSignature
    forward : ForwardEngine
    learner : LearningEngine, SweepEngine or None
        None without learning hardware.
    """
    sizes, lanes = gate_sizes(config), config.layer.lanes
    m.submodules.weights = weights = weight_memory(config, init)
    pipe = Pipe(m)
    # The weights pass a register because the output of block RAM is slow.
    row = pipe.register(weights.row, "weight_row")
    host_row, host_place = host.address >> sizes.place_bits, host.address
    shown = pipe.delay(host_place[: sizes.place_bits], 2, "host_place")
    m.d.comb += [
        weights.read_address.eq(forward.weight_address),
        forward.weight_row.eq(row),
    ]
    pairs = zip(host.weights, select_part(list(row), shown, lanes), strict=True)
    m.d.comb += [weight.eq(value) for weight, value in pairs]
    for part in range(sizes.row_slots):
        place = slice(part * lanes, (part + 1) * lanes)
        there = host_place[: sizes.place_bits] == part
        with m.If(host.idle & there):
            m.d.comb += weights.write[place].eq(host.weights_enable)
        values: Any = host.weights_data
        if learner is not None:
            with m.If(learner.update_enable & (learner.update_place == part)):
                m.d.comb += weights.write[place].eq(~0)
            values = [
                Mux(host.idle, given, new)
                for given, new in zip(host.weights_data, learner.update_data, strict=True)
            ]
        for lane in range(lanes):
            m.d.comb += weights.written[part * lanes + lane].eq(values[lane])
    m.d.comb += weights.write_address.eq(host_row)
    if learner is not None:
        with m.If(~host.idle):
            m.d.comb += weights.write_address.eq(learner.update_address)
        with m.If(learner.weight_reading):
            m.d.comb += weights.read_address.eq(learner.weight_address)
        m.d.comb += learner.weight_row.eq(row)
    with m.If(host.idle):
        m.d.comb += weights.read_address.eq(host_row)
