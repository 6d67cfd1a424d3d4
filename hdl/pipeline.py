"""Pipeline registers, lane masks and memory attributes that several components share."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Shape, Signal, Value

from bitlif.model.sections import LayerConfig


def present_lanes(sizes: LayerConfig, slot: Value) -> list[Value]:
    """Return per lane whether it has a neuron in `slot`; only the last slot can lack some."""
    last = sizes.neurons - (sizes.slots - 1) * sizes.lanes
    return [Const(1, 1) if lane < last else slot != sizes.slots - 1 for lane in range(sizes.lanes)]


NO_READ_WRITE_COLLISION = {"no_rw_check": 1}
"""Attributes of a memory whose read data is never used when it reads the address being written.

Block RAM returns an undefined word on such a collision. Without the attribute, Yosys adds
comparators and registers that return the previous word. The models of ECP5 cells in
`bitlif.fpga.netlist` deliberately return garbage.
"""


class Pipe:
    """Adds pipeline registers to a module; each adds one clock cycle of latency.

    The registers have no reset and no enable. Use their values only where a valid bit, which has a
    reset, is high.
    """

    def __init__(self, m: Module) -> None:
        self._m = m

    def register(
        self, value: Value, name: str, shape: Shape | None = None, *, keep: bool = False
    ) -> Signal:
        """Return `value` one clock cycle later, in `shape` (default: the shape of `value`).

        Set `keep` on the first of two registers after a multiplier. Without it, Yosys 0.70 moves
        both registers into the multiplier of a UP5K and connects the product to a constant.
        """
        kept = {"keep": 1} if keep else {}
        shape = value.shape() if shape is None else shape
        out = Signal(shape, name=name, reset_less=True, attrs=kept)
        self._m.d.sync += out.eq(value)
        return out

    def delay(self, value: Value, cycles: int, name: str) -> Value:
        """Return `value` the given number of clock cycles later."""
        for stage in range(cycles):
            value = self.register(value, f"{name}_{stage + 1}")
        return value
