"""Synaptic and PSP trace of one input (model twin: `bitlif.model.trace`)."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive

from .fixed import shape_of
from .neuron import LEAKY_SUM_LATENCY, leaky_sum
from .pipeline import Pipe


class TracePipe(wiring.Component):
    """Computes one step of both traces of an input.

    Members
    -------
    spiked : In(1)
    current, trace : In(unsigned)
        Synaptic trace and PSP trace before the step.
    current_next, trace_next : Out(unsigned)
    saturated : Out(2)
        Saturation flags of the synaptic trace and of the PSP trace.

    Latency: `latency` clock cycles. Throughput: one input per clock cycle. Handshake: none.
    Reset: not needed.
    """

    current_latency = 1 + LEAKY_SUM_LATENCY  # register after the block RAM; synaptic trace
    latency = current_latency + LEAKY_SUM_LATENCY

    def __init__(self, config: Config) -> None:
        self._config = config
        current, trace = (shape_of(fmt) for fmt in (config.trace.current, config.trace.format))
        super().__init__(
            {
                "spiked": In(1),
                "current": In(current),
                "trace": In(trace),
                "current_next": Out(current),
                "trace_next": Out(trace),
                "saturated": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the two leaky sums, one after the other."""
        m = Module()
        pipe = Pipe(m)
        c, formats = derive(self._config).constants, self._config.trace
        spiked, old = pipe.register(self.spiked, "spiked"), pipe.register(self.current, "old")
        current, current_flag = leaky_sum(
            pipe, old, spiked, c.trace_current, "current", formats.current
        )
        waiting = pipe.delay(self.trace, self.current_latency, "trace")
        trace, trace_flag = leaky_sum(pipe, waiting, current, c.trace, "trace", formats.format)
        left = self.latency - self.current_latency
        m.d.comb += [
            self.current_next.eq(pipe.delay(current, left, "current")),
            self.trace_next.eq(trace),
            self.saturated[0].eq(pipe.delay(current_flag, left, "current_saturated")),
            self.saturated[1].eq(trace_flag),
        ]
        return m
