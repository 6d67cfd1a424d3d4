"""Credit for the layer before: sums and rounding (model twin: `bitlif.model.credit`)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.credit import SIGN, Credit
from bitlif.model.fixed import Format

from .adjoint import NARROW_LATENCY, narrow
from .fixed import shape_of
from .pipeline import Pipe


class CreditTree(wiring.Component):
    """Adds S products of feedback weight and adjoint current, row by row.

    Parameters
    ----------
    weight, adjoint, total : Shape
        Of a weight, of an adjoint current, and of the exact sum of all rows.
    synapses : int
        S.
    feedback : int
        TRANSPOSE or SIGN.

    Members
    -------
    weights, adjoints : In(arrays of S)
    first : In(1)
        With the first row of a sum, `latency` - 1 clock cycles after it.
    total : Out(signed)
        The sum of the rows since ``first``.

    Latency: `latency` clock cycles. Throughput: one row per clock cycle. Handshake: none.
    Reset: not needed.
    """

    def __init__(
        self, weight: Shape, adjoint: Shape, total: Shape, synapses: int, feedback: int
    ) -> None:
        self._synapses, self._feedback, self._total = synapses, feedback, total
        self.latency = 2 + (synapses - 1).bit_length()  # products; levels of the tree; the sum
        super().__init__(
            {
                "weights": In(data.ArrayLayout(weight, synapses)),
                "adjoints": In(data.ArrayLayout(adjoint, synapses)),
                "first": In(1),
                "total": Out(total),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the products, the tree of their sums, and the sum of the rows."""
        m = Module()
        pipe = Pipe(m)
        level: list[Value] = []
        for number in range(self._synapses):
            weight, adjoint = self.weights[number], self.adjoints[number]
            product = weight * adjoint
            if self._feedback == SIGN:
                product = Mux(weight < 0, -adjoint, Mux(weight > 0, adjoint, 0))
            level.append(pipe.register(product, f"product_{number}"))
        depth = 0
        while len(level) > 1:
            depth += 1
            pairs = list(zip(level[::2], level[1::2], strict=False))
            following: list[Value] = [
                pipe.register(one + two, f"sum_{depth}_{number}")
                for number, (one, two) in enumerate(pairs)
            ]
            if len(level) % 2:
                following.append(pipe.register(level[-1], f"sum_{depth}_{len(pairs)}"))
            level = following
        before = Mux(self.first, 0, self.total)
        m.d.sync += self.total.eq(before + level[0])
        return m


class CreditPipe(wiring.Component):
    """Multiplies an exact sum of credit by the surrogate derivative, and narrows the product.

    Parameters
    ----------
    constants : bitlif.model.credit.Credit
    fmt : bitlif.model.fixed.Format
        Of the credit.
    total : Shape
        Of the sum.
    bits : int
        Of the derivative.

    Members
    -------
    total : In(signed)
    derivative : In(bits)
    random : In(random bits of the rounding)
        `random_delay` clock cycles after the other operands.
    credit : Out(signed)
    saturated : Out(1)

    Latency: `latency` clock cycles. Throughput: one neuron per clock cycle. Handshake: none.
    Reset: not needed.
    """

    random_delay = 1
    latency = random_delay + NARROW_LATENCY

    def __init__(self, constants: Credit, fmt: Format, total: Shape, bits: int) -> None:
        self._constants, self._format = constants, fmt
        super().__init__(
            {
                "total": In(total),
                "derivative": In(bits),
                "random": In(max(1, constants.shift.random_bits)),
                "credit": Out(shape_of(fmt)),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the product and its narrowing."""
        m = Module()
        pipe, c = Pipe(m), self._constants
        if len(self.derivative) == 1:
            given: Value = Mux(self.derivative, self.total, 0)
        else:
            given = self.total * self.derivative
        lifted = given << (c.take.bit_length() - 1)
        product = pipe.register(lifted, "product")
        value, flag = narrow(pipe, product, self.random, c.shift, self._format, "credit")
        m.d.comb += [self.credit.eq(value), self.saturated.eq(flag)]
        return m
