"""The weight update of one lane, pipelined (model twin: `bitlif.model.update`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive

from .fixed import saturate, shape_for, shape_of
from .loadable import rate_shifts
from .pipeline import Pipe

NARROW, WIDE = 16, 18
"""Bits that the multiplier of every FPGA takes, and that one of a larger FPGA takes."""


def dropped_half(shift: int) -> int:
    """Return half of what a right shift drops: added before it, it rounds to nearest."""
    return 1 << shift >> 1


class UpdatePipe(wiring.Component):
    """Adds the stochastically rounded change to one lane's weight.

    Members
    -------
    weight, gradient : In(signed)
    random : In(random_bits)
    rate : In(rate_bits)
        Mantissa of the phase; must hold while anything is in the pipe.
    shift : In
        Index of the phase's shift among `rate_shifts`.
    weight_next : Out(signed)
    saturated : Out(1)

    Latency: `latency` clocks. Throughput: one synapse a clock. Handshake: none. Reset: none needed.
    """

    latency = 6

    def __init__(self, config: Config) -> None:
        self._config = config
        self._shifts = rate_shifts(config)
        weight = shape_of(config.synapse.weight)
        super().__init__(
            {
                "weight": In(weight),
                "gradient": In(shape_for(derive(config).ranges["gradient"])),
                "random": In(config.learning.random_bits),
                "rate": In(config.learning.rate_bits),
                "shift": In(range(len(self._shifts))),
                "weight_next": Out(weight),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build product, both roundings in one sum, and the saturating sum.

        A phase's shift is made on the rate: all phases then drop the same bits, those of the
        largest right shift. The half that rounds to them lies below the random word, and both are
        added as one number.
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
        # Two registers: one near the memory, one near the multipliers.
        gradient = pipe.delay(self.gradient, 2, "gradient")
        # What is wider than any multiplier is two products, and their sum a clock later.
        if len(gradient) > WIDE:
            low = pipe.register(gradient[:NARROW] * scale, "low")
            high = pipe.register(gradient[NARROW:].as_signed() * scale, "high")
            product = pipe.register((high << NARROW) + low, "product")
        else:
            whole = pipe.register(gradient * scale, "whole", keep=True)
            product = pipe.register(whole, "product")
        half = Const(dropped_half(most), most)
        rounding = Cat(half, pipe.delay(self.random, 4, "random"))
        change = pipe.register((product + rounding) >> len(rounding), "change")
        weight = pipe.delay(self.weight, 5, "weight")
        value, flag = saturate(weight + change, shape_of(self._config.synapse.weight))
        m.d.sync += [self.weight_next.eq(value), self.saturated.eq(flag)]
        return m
