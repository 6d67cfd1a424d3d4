"""The error of one lane, by table (model twin: `bitlif.model.table`)."""

from __future__ import annotations

from amaranth.hdl import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.config import Config
from bitlif.model.derive import derive

from .fixed import round_shift, saturate, shape_of
from .pipe import Pipe


class ErrorPipe(wiring.Component):
    """Looks up and narrows the error of one lane's neuron.

    Members
    -------
    membrane : In(signed)
        Before the noise.
    target : In(target_bits + 1)
        Raw.
    reciprocal : In(reciprocal_bits)
        Of the phase; must hold while anything is in the pipe.
    error : Out(signed)
    saturated : Out(1)

    Latency: `latency` clocks. Throughput: one error a clock. Handshake: none. Reset: none needed.
    """

    latency = 7

    def __init__(self, config: Config) -> None:
        self._config = config
        error = config.error
        super().__init__(
            {
                "membrane": In(shape_of(config.membrane.format)),
                "target": In(error.target_bits + 1),
                "reciprocal": In(error.reciprocal_bits),
                "error": Out(shape_of(error.format)),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build distance, bin, look-up, the two products and their difference, a clock each."""
        m = Module()
        pipe = Pipe(m)
        derived = derive(self._config)
        c, error = derived.constants, self._config.error
        entry = data.StructLayout({"a": error.entry.bits, "b": error.entry.bits})
        rows = [{"a": a, "b": b} for a, b in zip(*derived.table, strict=True)]
        m.submodules.table = table = Memory(shape=entry, depth=error.entries, init=rows)
        read = table.read_port()
        distance = pipe.register(self.membrane - c.threshold, "distance")
        product = pipe.register(distance * self.reciprocal, "product")
        bin_shape = signed(error.index_bits)
        held, _ = saturate(product >> c.bin_shift, bin_shape)
        index = pipe.register(held, "bin", bin_shape)
        # Adding half of the bins to a two's complement number flips its top bit.
        m.d.comb += read.addr.eq(index ^ (1 << (error.index_bits - 1)))
        target = pipe.delay(self.target, 4, "target")
        a = pipe.register(target * read.data.a, "target_a")
        b = pipe.register((c.target_one - target)[: error.target_bits + 1] * read.data.b, "rest_b")
        exact = pipe.register(a - b, "exact")
        value, flag = saturate(
            round_shift(exact, c.error_bias, c.error_shift), shape_of(error.format)
        )
        m.d.sync += [self.error.eq(value), self.saturated.eq(flag)]
        return m
