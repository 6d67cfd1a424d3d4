"""Pipeline registers, lane masks and memory attributes that several components share."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value

from bitlif.model.sections import LayerConfig


def present_lanes(sizes: LayerConfig, slot: Value) -> list[Value]:
    """Return per lane whether it has a neuron in `slot`; only the last slot can lack some."""
    last = sizes.neurons - (sizes.slots - 1) * sizes.lanes
    return [Const(1, 1) if lane < last else slot != sizes.slots - 1 for lane in range(sizes.lanes)]


def select_part(values: Sequence[Value], place: Value, width: int) -> list[Value]:
    """Return the `width` values at a place of a row, by a tree of multiplexers."""
    parts = [list(values[first : first + width]) for first in range(0, len(values), width)]
    for bit in range((len(parts) - 1).bit_length()):
        pairs = zip(parts[::2], parts[1::2], strict=False)
        chosen = [
            [Mux(place[bit], high, low) for low, high in zip(*pair, strict=True)] for pair in pairs
        ]
        parts = chosen + parts[2 * len(chosen) :]
    return parts[0]


NO_READ_WRITE_COLLISION = {"no_rw_check": 1}
"""Attributes of a memory whose read data is never used when it reads the address being written.

Block RAM returns an undefined word on such a collision. Without the attribute, Yosys adds
comparators and registers that return the previous word. The models of ECP5 cells in
`bitlif.fpga.netlist` deliberately return garbage.
"""


def pulse(m: Module, flag: Value, cycles: int, name: str) -> Value:
    """Return a flag the given number of clock cycles later; a reset clears it on its way."""
    for stage in range(cycles):
        before, flag = flag, Signal(name=f"{name}_{stage + 1}")
        m.d.sync += flag.eq(before)
    return flag


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
