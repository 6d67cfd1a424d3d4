"""Multiply and accumulate for the exact gradient (model twin: `bitlif.model.gradient`)."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive

from .fixed import shape_for, shape_of
from .pipeline import Pipe


class GradientPipe(wiring.Component):
    """Adds error times trace to a gradient.

    Members
    -------
    error : In(signed)
    trace : In(unsigned)
    gradient : In(signed)
        The previous sum, `gradient_delay` clock cycles after ``error`` and ``trace``.
    gradient_next : Out(signed)
        The new sum.

    Latency: `latency` clock cycles. Throughput: one product per clock cycle. Handshake: none.
    Reset: not needed.
    """

    latency = 2  # operands; product
    gradient_delay = latency  # the sum itself takes no clock cycle

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
        """Build registers for the operands and the product, and the adder."""
        m = Module()
        pipe = Pipe(m)
        # The operands get a clock cycle to reach the multiplier, which can be far away.
        error, trace = pipe.register(self.error, "error_near"), pipe.register(self.trace, "near")
        product = pipe.register(error * trace, "product")
        m.d.comb += self.gradient_next.eq(self.gradient + product)
        return m
