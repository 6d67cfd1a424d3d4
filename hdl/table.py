"""Error look-up of one lane (model twin: `bitlif.model.table`)."""

from __future__ import annotations

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.derive import derive

from .fixed import saturate, shape_of
from .host_port import entry_layout
from .pipeline import NO_READ_WRITE_COLLISION, Pipe


class ErrorPipe(wiring.Component):
    """Computes the error of a neuron of one lane from a table.

    Members
    -------
    membrane : In(signed)
        Membrane potential before the noise.
    target : In(target_bits + 1)
        Raw target, `target_delay` clock cycles after ``membrane``.
    reciprocal : In(reciprocal_bits)
        Reciprocal of the phase; must be stable while a neuron is in the pipeline.
    error : Out(signed)
    saturated : Out(1)
    host, host_address : In
        While ``host`` is high, the table is read at ``host_address``. The pipeline must be empty.
    host_enable, host_data : In
        Write ``host_data`` to the table at ``host_address``.
    host_entry : Out
        The bin at ``host_address``, one clock cycle later.

    Latency: `latency` clock cycles. Throughput: one error per clock cycle. Handshake: none.
    Reset: not needed; the table keeps its contents.
    """

    entry_latency = 3 + 2  # distance, product, bin; table look-up, register after the block RAM
    target_delay = entry_latency + 1  # a + b
    latency = target_delay + 3  # target * (a + b); minus b; saturation

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
                "host": In(1),
                "host_address": In(error.index_bits),
                "host_enable": In(1),
                "host_data": In(entry_layout(config)),
                "host_entry": Out(entry_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the distance, its bin, the look-up, and the error ``target * (a + b) - b``."""
        m = Module()
        pipe = Pipe(m)
        derived = derive(self._config)
        c, error = derived.constants, self._config.error
        rows = [{"a": a, "b": b} for a, b in zip(*derived.table, strict=True)]
        m.submodules.table = table = Memory(
            shape=entry_layout(self._config),
            depth=error.entries,
            init=rows,
            attrs=NO_READ_WRITE_COLLISION,
        )
        read = table.read_port()
        write = table.write_port()
        distance = pipe.register(self.membrane - c.threshold, "distance")
        reciprocal = pipe.register(self.reciprocal, "reciprocal")
        product = pipe.register(distance * reciprocal, "product")
        bin_shape = signed(error.index_bits)
        held, _ = saturate(product >> c.bin_shift, bin_shape)
        index = pipe.register(held, "bin", bin_shape)
        # Adding half the number of bins to a two's complement number inverts its top bit.
        m.d.comb += [
            read.addr.eq(index ^ (1 << (error.index_bits - 1))),
            write.addr.eq(self.host_address),
            write.data.eq(self.host_data),
            write.en.eq(self.host_enable),
            self.host_entry.eq(read.data),
        ]
        with m.If(self.host):
            m.d.comb += read.addr.eq(self.host_address)
        entry = pipe.register(read.data, "entry")
        both, b = pipe.register(entry.a + entry.b, "both"), pipe.register(entry.b, "b")
        toward = pipe.register(self.target * both, "target_both")
        away = pipe.register(b * c.target_one - c.error_bias, "away")
        exact = pipe.register(toward - away, "exact")
        value, flag = saturate(exact >> c.error_shift, shape_of(error.format))
        m.d.sync += [self.error.eq(value), self.saturated.eq(flag)]
        return m
