"""A core with AXI4-Lite registers and AXI4-Stream events and targets."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect

from bitlif.hdl.network import any_core
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer

from .axi_lite import AXI_LITE, AxiLiteSlave
from .axi_stream import EventOutput, event_members, target_members
from .register_mapped_layer import RegisterMappedLayer, takes_targets


class AxiTop(wiring.Component):
    """A `LayerCore` or `NetworkCore` with AXI buses and the registers of `register_map`.

    Parameters
    ----------
    config : bitlif.Config or bitlif.NetworkConfig
    learning : bool
        False: inference only; the learning hardware is omitted.
    weights : (N, M) int, sequence of them, or None
        As for the core.

    Members
    -------
    s_axil_awaddr ... s_axil_rready
        AXI4-Lite, see `AxiLiteSlave`.
    s_axis_events_tdata, _tlast, _tvalid, _tready
        Input events, see `EventInput`.
    s_axis_targets_tdata, _tvalid, _tready
        Targets, see `TargetInput`; if the core learns or a teacher resets.
    m_axis_events_tdata, _tlast, _tvalid, _tready
        Output events, see `EventOutput`.

    Latency: that of the core, plus 1 clock cycle per stream. Throughput: that of the core.
    Handshake: AXI; a window begins with its first event if CONTROL.run is 1 and no access is in
    progress. Reset: resets everything, in one clock cycle or more. CONTROL.reset keeps the bus, the
    other bits of CONTROL, LOAD, MEMORY, ADDRESS and a waiting output event.
    """

    def __init__(
        self, config: Config | NetworkConfig, *, learning: bool = True, weights: Any = None
    ) -> None:
        self._config = config
        seen = outer(config)
        self._learning = learning
        self._weights = weights
        self._buses = {
            "s_axil": AXI_LITE,
            "s_axis_events": event_members(seen.layer.inputs),
            "m_axis_events": event_members(seen.layer.neurons, into=False),
        }
        if takes_targets(seen, learning=learning):
            self._buses["s_axis_targets"] = target_members(seen)
        super().__init__(
            {
                f"{bus}_{name}": member
                for bus, members in self._buses.items()
                for name, member in members.items()
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the buses and the core."""
        m = Module()
        config, learning = self._config, self._learning
        core = any_core(config, learning=learning, weights=self._weights)
        m.submodules.bus = bus = AxiLiteSlave()
        m.submodules.layer = layer = RegisterMappedLayer(config, core, learning=learning)
        m.submodules.spikes = spikes = EventOutput(outer(config).layer.neurons)
        connect(m, bus.access, layer.access)
        connect(m, layer.o_events, spikes.i)
        m.d.comb += layer.event_waiting.eq(spikes.tvalid)
        inner = {"s_axil": (bus, ""), "s_axis_events": (layer, "events_"),
                 "s_axis_targets": (layer, "targets_"), "m_axis_events": (spikes, "")}  # fmt: skip
        for name, members in self._buses.items():
            component, prefix = inner[name]
            for part, member in members.items():
                port, own = getattr(self, f"{name}_{part}"), getattr(component, prefix + part)
                m.d.comb += own.eq(port) if member.flow == In else port.eq(own)
        return m
