"""The layer core behind standard buses: AXI4-Lite registers, AXI4-Stream events and targets."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect
from numpy.typing import NDArray

from bitlif.model.config import Config

from .axi import AXI_LITE, AxiLiteSlave
from .axis import EventInput, EventOutput, TargetInput, event_members, target_members
from .bank import RegisterBank
from .layer import LayerCore
from .witness import COUNTERS


class LayerFront(wiring.Component):
    """A `LayerCore` with the registers of `bitlif.hdl.registers` in front of it.

    Parameters
    ----------
    config : bitlif.model.config.Config
    learning : bool
        False: inference only; nothing of the learning hardware is there.
    weights : (N, M) int or None
        As of `LayerCore`.

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

    Latency and throughput: each stream passes one register, which adds a clock and stalls nothing.
    Handshake: as the buses' own; a window begins with its first event when CONTROL.run is 1 and no
    access is being answered. Reset: of everything; CONTROL.reset resets all but the bus, CONTROL's
    other bits, MEMORY, ADDRESS and an output event that waits to be taken.
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
        if learning or config.membrane.reset == "teacher":
            self._buses["s_axis_targets"] = target_members(config)
        super().__init__(
            {
                f"{bus}_{name}": member
                for bus, members in self._buses.items()
                for name, member in members.items()
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect bus, registers, streams and core."""
        m = Module()
        config, sizes = self._config, self._config.layer
        m.submodules.bus = bus = AxiLiteSlave()
        m.submodules.bank = bank = RegisterBank(config, learning=self._learning)
        core = LayerCore(config, learning=self._learning, weights=self._weights)
        events = EventInput(sizes.inputs)
        m.submodules.core = ResetInserter(bank.restart)(core)
        m.submodules.events = ResetInserter(bank.restart)(events)
        m.submodules.spikes = spikes = EventOutput(sizes.neurons)
        connect(m, bus.access, bank.access)
        connect(m, bank.host, core.host)
        connect(m, events.o, core.i_events)
        connect(m, core.o_events, spikes.i)
        self._connect_ports(m, "s_axil", bus)
        self._connect_ports(m, "s_axis_events", events)
        self._connect_ports(m, "m_axis_events", spikes)
        discard = bank.flush & ~bank.window
        m.d.comb += [
            events.discard.eq(discard),
            events.pass_on.eq(bank.window | (bank.run & ~bank.flush & ~bus.access.request)),
            bank.dropped_events.eq(events.dropped),
            bank.event_waiting.eq(spikes.tvalid),
            bank.windows.eq(core.window_done),
            bank.phase.eq(core.phase),
            bank.digest.eq(core.digest),
            *(getattr(bank, name).eq(getattr(core, name)) for name in COUNTERS),
        ]
        if self._learning:
            m.d.comb += core.learn.eq(bank.learn)
        if "s_axis_targets" in self._buses:
            targets = TargetInput(config)
            m.submodules.targets = ResetInserter(bank.restart)(targets)
            connect(m, targets.o, core.i_targets)
            self._connect_ports(m, "s_axis_targets", targets)
            m.d.comb += [targets.discard.eq(discard), bank.held_targets.eq(targets.held)]
        return m

    def _connect_ports(self, m: Module, bus: str, inner: wiring.Component) -> None:
        """Connect this component's ports of a bus to those of an inner one."""
        for name, member in self._buses[bus].items():
            port, own = getattr(self, f"{bus}_{name}"), getattr(inner, name)
            m.d.comb += own.eq(port) if member.flow == In else port.eq(own)
