"""The layer core with AXI4-Lite registers and AXI4-Stream events and targets."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect
from numpy.typing import NDArray

from bitlif.hdl.layer import LayerCore
from bitlif.model.config.config import Config

from .axi_lite import AXI_LITE, AxiLiteSlave
from .axi_stream import EventOutput, event_members, target_members
from .register_mapped_layer import RegisterMappedLayer, takes_targets


class AxiTop(wiring.Component):
    """A `LayerCore` with AXI buses and the registers of `bitlif.hdl.bus.registers`.

    Parameters
    ----------
    config : bitlif.Config
    learning : bool
        False: inference only; the learning hardware is omitted.
    weights : (N, M) int or None
        As for `LayerCore`.

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

    Latency: that of `LayerCore`, plus 1 clock cycle per stream. Throughput: that of `LayerCore`.
    Handshake: AXI; a window begins with its first event if CONTROL.run is 1 and no access is in
    progress. Reset: resets everything, in one clock cycle or more. CONTROL.reset keeps the bus, the
    other bits of CONTROL, LOAD, MEMORY, ADDRESS and a waiting output event.
    """

    def __init__(
        self, config: Config, *, learning: bool = True, weights: NDArray[Any] | None = None
    ) -> None:
        self._config = config
        self._learning = learning
        self._weights = weights
        self._buses = {
            "s_axil": AXI_LITE,
            "s_axis_events": event_members(config.layer.inputs),
            "m_axis_events": event_members(config.layer.neurons, into=False),
        }
        if takes_targets(config, learning=learning):
            self._buses["s_axis_targets"] = target_members(config)
        super().__init__(
            {
                f"{bus}_{name}": member
                for bus, members in self._buses.items()
                for name, member in members.items()
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the buses and the layer."""
        m = Module()
        config, learning = self._config, self._learning
        core = LayerCore(config, learning=learning, weights=self._weights)
        m.submodules.bus = bus = AxiLiteSlave()
        m.submodules.layer = layer = RegisterMappedLayer(config, core, learning=learning)
        m.submodules.spikes = spikes = EventOutput(config.layer.neurons)
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
