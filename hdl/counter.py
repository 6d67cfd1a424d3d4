"""A counter of flags that stops at its last value (model twin: `bitlif.model.window`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class SaturatingCounter(wiring.Component):
    """Adds up how many bits are high, until all bits of its value are.

    Parameters
    ----------
    flags : int
        Bits to count in a clock.
    bits : int
        Of the value; at least three more than the sum of the flags has, and at least nine.

    Members
    -------
    flags : In(flags)
    value : Out(bits)

    Latency: `latency` clocks from flags to value. Throughput: all flags each clock. Handshake:
    none. Reset: to zero, flags on their way included.
    """

    latency = 3

    def __init__(self, flags: int, bits: int) -> None:
        self._bits = bits
        super().__init__({"flags": In(flags), "value": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        """Build a sum, a short adder, and a long counter of its carries.

        Only the short part must be able to jump to its last value. Between two carries there are
        at least three clocks, so that a register may say whether the long part is at its last.
        """
        m = Module()
        # No `Pipe`: nothing beside them says whether these registers hold anything, so that what
        # they hold must not outlive a reset, of one clock cycle either.
        flags = Signal(len(self.flags), name="flags_now")
        added = Signal(unsigned(len(flags).bit_length()))
        m.d.sync += [
            flags.eq(self.flags),
            added.eq(sum(flags[bit] for bit in range(len(flags)))),
        ]
        short = max(8, len(added) + 2)
        low, high, full = Signal(short), Signal(self._bits - short), Signal()
        total = low + added
        carry = total[short]
        m.d.sync += [low.eq(Mux(carry & full, ~0, total)), full.eq(high.all())]
        with m.If(carry & ~full):
            m.d.sync += high.eq(high + 1)
        m.d.comb += self.value.eq(Cat(low, high))
        return m
