"""The weight update of one lane, pipelined (model twin: `bitlif.model.update`)."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config import Config
from bitlif.model.derive import derive

from .fixed import round_shift, saturate, shape_for, shape_of
from .pipe import Pipe


def rate_shifts(config: Config) -> tuple[tuple[int, int, int], ...]:
    """Return the distinct (left, bias, right) of the schedule: the shifts that gates must have."""
    phases = derive(config).phases
    return tuple(dict.fromkeys((p.rate_left, p.rate_bias, p.rate_right) for p in phases))


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

    latency = 4

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
        """Build product, shift with nearest rounding, stochastic rounding, saturating sum."""
        m = Module()
        pipe = Pipe(m)
        bits = self._config.learning.random_bits
        product = pipe.register(self.gradient * self.rate, "product")
        rounded = [round_shift(product << left, bias, right) for left, bias, right in self._shifts]
        widest = max((value.shape() for value in rounded), key=lambda shape: shape.width)
        fine = Signal(widest)
        with m.Switch(self.shift):
            for number, value in enumerate(rounded):
                with m.Case(number):
                    m.d.sync += fine.eq(value)
        random = pipe.delay(self.random, 2, "random")
        change = pipe.register((fine + random) >> bits, "change")
        weight = pipe.delay(self.weight, 3, "weight")
        value, flag = saturate(weight + change, shape_of(self._config.synapse.weight))
        m.d.sync += [self.weight_next.eq(value), self.saturated.eq(flag)]
        return m
