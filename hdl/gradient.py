"""One product of the exact gradient (model twin: `bitlif.model.gradient`)."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive

from .fixed import shape_for, shape_of
from .pipeline import Pipe


class GradientPipe(wiring.Component):
    """Adds error times trace to a gradient that arrives a clock after them.

    Members
    -------
    error : In(signed)
    trace : In(unsigned)
    gradient : In(signed)
        The sum so far; one clock later than error and trace.
    gradient_next : Out(signed)
        One clock after ``gradient``: block RAM is slow to answer.

    Latency: `latency` clocks from error and trace. Throughput: one product a clock. Handshake:
    none. Reset: none needed.
    """

    latency = 2

    def __init__(self, config: Config) -> None:
        gradient = shape_for(derive(config).ranges["gradient"])
        super().__init__(
            {
                "error": In(shape_of(config.error.format)),
                "trace": In(shape_of(config.trace.format)),
                "gradient": In(gradient),
                "gradient_next": Out(gradient),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build registers before the product and behind it, one for the sum so far, and the sum."""
        m = Module()
        pipe = Pipe(m)
        # A multiplier is far from everything: its operands get a clock for their way.
        error, trace = pipe.register(self.error, "error_near"), pipe.register(self.trace, "near")
        product = pipe.register(error * trace, "product")
        before = pipe.register(self.gradient, "before")
        m.d.comb += self.gradient_next.eq(before + product)
        return m
