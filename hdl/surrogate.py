"""Surrogate derivative of one lane (model twin: `bitlif.model.surrogate`)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.surrogate import Surrogate

from .fixed import TIMES_LATENCY, times
from .pipeline import NO_READ_WRITE_COLLISION, Pipe


class SurrogatePipe(wiring.Component):
    """Computes the surrogate derivative of a neuron from its membrane potential.

    Parameters
    ----------
    constants : bitlif.model.surrogate.Surrogate
    threshold : int
    membrane : Shape
    bits : int
        Of the derivative.

    Members
    -------
    membrane : In(signed)
        Membrane potential before the noise.
    derivative : Out(bits)

    Latency: `latency` clock cycles. Throughput: one neuron per clock cycle. Handshake: none.
    Reset: not needed.
    """

    latency = 2 + TIMES_LATENCY + 3  # difference, magnitude; product; bin, entry, its register

    def __init__(self, constants: Surrogate, threshold: int, membrane: Shape, bits: int) -> None:
        self._constants, self._threshold, self._bits = constants, threshold, bits
        super().__init__({"membrane": In(membrane), "derivative": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        """Build the distance, the window, and the table if there is one."""
        m = Module()
        pipe, s = Pipe(m), self._constants
        difference = pipe.register(self.membrane - self._threshold, "difference")
        negative = difference < 0
        size = len(difference)
        magnitude = Mux(negative, -difference, difference)[:size]
        distance = pipe.register(magnitude, "distance", unsigned(size))
        inside = pipe.register(distance < s.width, "inside")
        if not s.reciprocal:
            waits = self.latency - 3
            m.d.comb += self.derivative.eq(pipe.delay(inside, waits, "inside"))
            return m
        product = times(pipe, distance, s.reciprocal, 0, "product")
        bins = len(s.table)
        index = product >> s.shift
        held = Mux(index < bins, index, bins - 1)
        place = pipe.register(held, "bin", unsigned((bins - 1).bit_length()))
        m.submodules.table = table = Memory(
            shape=self._bits, depth=bins, init=[int(own) for own in s.table],
            attrs=NO_READ_WRITE_COLLISION,
        )  # fmt: skip
        read = table.read_port()
        m.d.comb += read.addr.eq(place)
        shown = pipe.delay(inside, self.latency - 4, "inside")
        m.d.sync += self.derivative.eq(Mux(shown, read.data, 0))
        return m
