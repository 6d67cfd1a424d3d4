"""Registers in a row: what the pipelines are built of."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Shape, Signal, Value

from bitlif.model.sections import LayerConfig


def present_lanes(sizes: LayerConfig, slot: Value) -> list[Value]:
    """Return for each lane whether there is a neuron in `slot`: in all but the last, all lanes."""
    last = sizes.neurons - (sizes.slots - 1) * sizes.lanes
    return [Const(1, 1) if lane < last else slot != sizes.slots - 1 for lane in range(sizes.lanes)]


NO_READ_WRITE_COLLISION = {"no_rw_check": 1}
"""Attributes of memories of which nobody uses what is read at an address that is being written.

Block RAM answers anything there; without this Yosys adds comparators and registers to answer the
word from before. The models of ECP5's cells in `bitlif.fpga.netlist` answer garbage, to be sure.
"""


class Pipe:
    """Adds registers to a module, each clocked every clock, so that latencies are easy to count.

    They have no reset: use what they hold only where a register with a reset says that it is valid.
    """

    def __init__(self, m: Module) -> None:
        self._m = m

    def register(
        self, value: Value, name: str, shape: Shape | None = None, *, keep: bool = False
    ) -> Signal:
        """Return `value` one clock later, in `shape` (default: its own, which loses nothing).

        `keep` is for the first of two registers behind a multiplier: else Yosys 0.70 puts both into
        the UP5K's, and joins the product to a constant.
        """
        kept = {"keep": 1} if keep else {}
        shape = value.shape() if shape is None else shape
        out = Signal(shape, name=name, reset_less=True, attrs=kept)
        self._m.d.sync += out.eq(value)
        return out

    def delay(self, value: Value, clocks: int, name: str) -> Value:
        """Return `value` this many clocks later."""
        for stage in range(clocks):
            value = self.register(value, f"{name}_{stage + 1}")
        return value
