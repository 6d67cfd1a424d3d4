"""The PSP trace of one input, pipelined (model twin: `bitlif.model.trace`)."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive

from .fixed import shape_of
from .neuron import leaky_sum
from .pipeline import Pipe


class TracePipe(wiring.Component):
    """One step of an input's two trace stages.

    Members
    -------
    spiked : In(1)
    current, trace : In(unsigned)
        The two stages before the step.
    current_next, trace_next : Out(unsigned)
    saturated : Out(2)
        Whether the synaptic trace and the PSP trace saturated.

    Latency: `latency` clocks. Throughput: one input a clock. Handshake: none. Reset: none needed.
    """

    latency = 9

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
        """Build the two leaky sums one behind the other, after a register for the memories."""
        m = Module()
        pipe = Pipe(m)
        c, formats = derive(self._config).constants, self._config.trace
        spiked, old = pipe.register(self.spiked, "spiked"), pipe.register(self.current, "old")
        current, current_flag = leaky_sum(
            pipe, old, spiked, c.trace_current, "current", formats.current
        )
        waiting = pipe.delay(self.trace, 5, "trace")
        trace, trace_flag = leaky_sum(pipe, waiting, current, c.trace, "trace", formats.format)
        m.d.comb += [
            self.current_next.eq(pipe.delay(current, 4, "current")),
            self.trace_next.eq(trace),
            self.saturated[0].eq(pipe.delay(current_flag, 4, "current_saturated")),
            self.saturated[1].eq(trace_flag),
        ]
        return m
