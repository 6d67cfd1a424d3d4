"""A core with a UART: registers and events over two pins (docs/uart.md)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from bitlif.hdl.bus.register_mapped_layer import RegisterMappedLayer, takes_targets
from bitlif.hdl.network import any_core
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer

from .bridge import Bridge
from .event_exchange import event_bytes
from .framing import FrameReceiver, FrameSender, share_crc
from .serial import SerialReceiver, SerialSender


class UartTop(wiring.Component):
    """A layer or a network with the registers of `register_map` and a serial bridge.

    Parameters
    ----------
    config : bitlif.Config or bitlif.NetworkConfig
    divisor : int
        Clock cycles per bit of the line (checked by the caller).
    learning : bool
        False: inference only.
    core : component with the members of `any_core`, or None
        None: made from `config`.
    weights : (N, M) int, sequence of them, or None
        As for the core; used only if `core` is None.

    Members
    -------
    rx : In(1)
    tx : Out(1)

    Latency: that of the line. Throughput: one byte per 10 bits of the line. Handshake: requests and
    answers, see docs/uart.md. Reset: resets everything.
    """

    def __init__(
        self,
        config: Config | NetworkConfig,
        *,
        divisor: int,
        learning: bool = True,
        core: Any = None,
        weights: Any = None,
    ) -> None:
        self._config, self._divisor, self._learning = config, divisor, learning
        self._core = any_core(config, learning=learning, weights=weights) if core is None else core
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        """Connect line, frames, bridge and layer."""
        m = Module()
        config, learning = self._config, self._learning
        m.submodules.line_in = line_in = SerialReceiver(self._divisor)
        m.submodules.line_out = line_out = SerialSender(self._divisor)
        m.submodules.receiver = receiver = FrameReceiver()
        m.submodules.sender = sender = FrameSender()
        m.submodules.bridge = bridge = Bridge(config, learning=learning)
        bits = 8 * event_bytes(outer(config).layer.inputs)
        m.submodules.layer = layer = RegisterMappedLayer(
            config, self._core, learning=learning, event_bits=bits, back_to_back=False
        )
        share_crc(m, receiver, sender)
        connect(m, bridge.o, sender.i)
        connect(m, bridge.access, layer.access)
        connect(m, layer.o_events, bridge.spikes)
        m.d.comb += [
            line_in.rx.eq(self.rx),
            self.tx.eq(line_out.tx),
            line_out.data.eq(sender.data),
            line_out.valid.eq(sender.valid),
            sender.ready.eq(line_out.ready),
            bridge.done.eq(sender.done),
            receiver.listen.eq(bridge.listen),
            receiver.address.eq(bridge.address),
            bridge.takes_targets.eq(layer.takes_targets),
            bridge.restart.eq(layer.restart),
            layer.event_waiting.eq(layer.o_events.valid),
            *(getattr(receiver, name).eq(getattr(line_in, name))
              for name in ("data", "valid", "broken")),
            *(getattr(bridge, name).eq(getattr(receiver, name))
              for name in ("arrived", "good", "length", "byte")),
        ]  # fmt: skip
        streams = ["events_tdata", "events_tlast", "events_tvalid"]
        m.d.comb += bridge.events_tready.eq(layer.events_tready)
        if takes_targets(outer(config), learning=learning):
            streams += ["targets_tdata", "targets_tvalid"]
            m.d.comb += bridge.targets_tready.eq(layer.targets_tready)
        m.d.comb += [getattr(layer, name).eq(getattr(bridge, name)) for name in streams]
        return m
