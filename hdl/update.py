"""Weight update of one lane (model twin: `bitlif.model.update`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive

from .fixed import saturate, shape_for, shape_of
from .loadable import SweptUpdate, rate_shifts
from .pipeline import Pipe

NARROW, WIDE = 16, 18
"""Operand widths of the multipliers of all supported FPGAs, and of the larger ones."""


def dropped_half(shift: int) -> int:
    """Return half of the place value that a right shift drops; adding it rounds to nearest."""
    return 1 << shift >> 1


class UpdatePipe(wiring.Component):
    """Adds the stochastically rounded change to a weight of one lane.

    Parameters
    ----------
    config : bitlif.Config
    swept : bitlif.hdl.loadable.SweptUpdate or None
        Gradient and rates of a layer that a sweep teaches; None for those of a single layer.

    Members
    -------
    weight, gradient : In(signed)
    random : In(random_bits)
    rate : In(rate_bits)
        Rate mantissa of the phase; must be stable while a synapse is in the pipeline.
    shift : In
        Index in `rate_shifts` of the shift of the phase.
    weight_next : Out(signed)
    saturated : Out(1)

    Latency: `latency` clock cycles. Throughput: one synapse per clock cycle. Handshake: none.
    Reset: not needed.
    """

    gradient_latency = 1  # register near the multipliers
    product_latency = gradient_latency + 2  # product; sum of partial products, or a register
    latency = product_latency + 2  # rounded change; saturated weight

    def __init__(self, config: Config, swept: SweptUpdate | None = None) -> None:
        self._config = config
        self._shifts = swept.shifts if swept else rate_shifts(config)
        gradient = swept.gradient if swept else derive(config).ranges["gradient"]
        weight = shape_of(config.synapse.weight)
        super().__init__(
            {
                "weight": In(weight),
                "gradient": In(shape_for(gradient)),
                "random": In(config.learning.random_bits),
                "rate": In(config.learning.rate_bits),
                "shift": In(range(len(self._shifts))),
                "weight_next": Out(weight),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the product, one sum for both roundings, and the saturated sum.

        The shift of a phase is applied to the rate, so that all phases drop the same bits: those of
        the largest right shift. The half that rounds to nearest lies below the random word; both
        are added as one number.
        """
        m = Module()
        pipe = Pipe(m)
        most = max(right for _, _, right in self._shifts)
        lifts = [left + most - right for left, _, right in self._shifts]
        scale = Signal(self.rate.shape().width + max(lifts), reset_less=True)
        with m.Switch(self.shift):
            for number, lift in enumerate(lifts):
                with m.Case(number):
                    m.d.sync += scale.eq(self.rate << lift)
        gradient = pipe.delay(self.gradient, self.gradient_latency, "gradient")
        # A gradient wider than any multiplier takes two partial products and their sum.
        if len(gradient) > WIDE:
            low = pipe.register(gradient[:NARROW] * scale, "low")
            high = pipe.register(gradient[NARROW:].as_signed() * scale, "high")
            product = pipe.register((high << NARROW) + low, "product")
        else:
            whole = pipe.register(gradient * scale, "whole", keep=True)
            product = pipe.register(whole, "product")
        half = Const(dropped_half(most), most)
        rounding = Cat(half, pipe.delay(self.random, self.product_latency, "random"))
        change = pipe.register((product + rounding) >> len(rounding), "change")
        weight = pipe.delay(self.weight, self.latency - 1, "weight")
        value, flag = saturate(weight + change, shape_of(self._config.synapse.weight))
        m.d.sync += [self.weight_next.eq(value), self.saturated.eq(flag)]
        return m
