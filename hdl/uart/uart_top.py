"""The layer core with a UART: registers and events over two pins (docs/uart.md)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect
from numpy.typing import NDArray

from bitlif.hdl.bus.register_mapped_layer import RegisterMappedLayer, takes_targets
from bitlif.hdl.layer import LayerCore
from bitlif.model.config.config import Config

from .bridge import Bridge
from .event_exchange import event_bytes
from .framing import FrameReceiver, FrameSender, share_crc
from .serial import SerialReceiver, SerialSender


class UartTop(wiring.Component):
    """A layer core with the registers of `bitlif.hdl.bus.registers` and a serial bridge.

    Parameters
    ----------
    config : bitlif.Config
    divisor : int
        Clock cycles per bit of the line (checked by the caller).
    learning : bool
        False: inference only.
    core : component with the members of `LayerCore`, or None
        None: a `LayerCore`.
    weights : (N, M) int or None
        As for `LayerCore`; used only if `core` is None.

    Members
    -------
    rx : In(1)
    tx : Out(1)

    Latency: that of the line. Throughput: one byte per 10 bits of the line. Handshake: requests and
    answers, see docs/uart.md. Reset: resets everything.
    """

    def __init__(
        self,
        config: Config,
        *,
        divisor: int,
        learning: bool = True,
        core: Any = None,
        weights: NDArray[Any] | None = None,
    ) -> None:
        self._config, self._divisor, self._learning = config, divisor, learning
        self._core = LayerCore(config, learning=learning, weights=weights) if core is None else core
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
        bits = 8 * event_bytes(config.layer.inputs)
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
        if takes_targets(config, learning=learning):
            streams += ["targets_tdata", "targets_tvalid"]
            m.d.comb += bridge.targets_tready.eq(layer.targets_tready)
        m.d.comb += [getattr(layer, name).eq(getattr(bridge, name)) for name in streams]
        return m
