"""The port through which a host reads and loads a layer of a network that learns."""

from __future__ import annotations

from typing import Any

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.network import NetworkConfig
from bitlif.model.gate_sizes import gate_sizes

from .adjoint_pass import sweep_streams
from .core_signals import lfsr_counts
from .host_port import entry_layout, phase_layout, row_layout, state_layout
from .loadable import swept_update


def swept_phase_layout(config: NetworkConfig, number: int) -> data.StructLayout:
    """Return a phase of the schedule of a layer whose updates have the rate of the sweep."""
    shifts = swept_update(config.derived_sweep(number)).shifts
    return phase_layout(config.layers[number].config, len(shifts))


class SweptHostSignature(wiring.Signature):
    """Host access to the memories of a layer of a network that learns, from the side of the host.

    Members are those of `bitlif.hdl.host_port.HostSignature`, but for the traces, which a sweep
    does not have. ``entry`` is a bin of the error table, only in the last layer.

    Members
    -------
    sweep_lfsr, update_lfsr : In(array of states)
        Only in layers that are learned, with stochastic rounding.
    """

    def __init__(self, network: NetworkConfig, number: int) -> None:
        config = network.layers[number].config
        sizes, last = config.layer, number == len(network.layers) - 1
        depth = max(2, gate_sizes(config).weight_addresses, sizes.slots, len(config.schedule))
        if last:
            depth = max(depth, config.error.entries)
        noise, updates = lfsr_counts(config)
        phase, entry = swept_phase_layout(network, number), entry_layout(config)
        members: dict[str, Any] = {
            "idle": In(1),
            "address": Out(range(depth)),
            "weights": In(row_layout(config)),
            "weights_enable": Out(sizes.lanes),
            "weights_data": Out(row_layout(config)),
            "state": In(state_layout(config)),
            "state_blank": In(1),
            "schedule": In(phase),
            "schedule_enable": Out(1),
            "schedule_data": Out(phase),
        }
        if noise:
            members["noise_lfsr"] = In(data.ArrayLayout(config.noise.lfsr.width, noise))
        if last:
            members |= {"entry": In(entry), "entry_enable": Out(1), "entry_data": Out(entry)}
        if number >= network.learned_from:
            sweeps, own = sweep_streams(network, number), network.layers[number].sweep
            if updates:
                members["update_lfsr"] = In(data.ArrayLayout(config.learning.lfsr.width, updates))
            if sweeps:
                members["sweep_lfsr"] = In(data.ArrayLayout(own.lfsr.width, sweeps))
        super().__init__(members)
