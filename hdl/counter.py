"""Saturating counter of flags (model twin: `bitlif.model.window`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class SaturatingCounter(wiring.Component):
    """Counts the flags that are high; stops at its largest value.

    Parameters
    ----------
    flags : int
        Number of flags, all counted in one clock cycle.
    bits : int
        Width of the value: at least 9, and at least 3 more than the number of flags needs.

    Members
    -------
    flags : In(flags)
    value : Out(bits)

    Latency: `latency` clock cycles. Throughput: all flags in every clock cycle. Handshake: none.
    Reset: to zero; flags in the pipeline are discarded.
    """

    latency = 3  # flags; their sum; the counter

    def __init__(self, flags: int, bits: int) -> None:
        self._bits = bits
        super().__init__({"flags": In(flags), "value": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        """Build a sum, a short adder, and a long counter of its carries.

        Only the short part can jump to its largest value. Two carries are at least three clock
        cycles apart, so a register can hold whether the long part is at its largest value.
        """
        m = Module()
        # `Pipe` has no reset. These registers have no valid bit, so a reset must clear them, even
        # one of a single clock cycle.
        flags = Signal(len(self.flags), name="flags_now")
        added = Signal(unsigned(len(flags).bit_length()))
        m.d.sync += [
            flags.eq(self.flags),
            added.eq(sum(flags[bit] for bit in range(len(flags)))),
        ]
        short = max(8, len(added) + 2)
        low = Signal(short)
        high = Signal(self._bits - short)
        full = Signal()
        total = low + added
        carry = total[short]
        m.d.sync += [low.eq(Mux(carry & full, ~0, total)), full.eq(high.all())]
        with m.If(carry & ~full):
            m.d.sync += high.eq(high + 1)
        m.d.comb += self.value.eq(Cat(low, high))
        return m
