"""Adjoint filter of one lane (model twin: `bitlif.model.adjoint`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.adjoint import AdjointFilter, SweepShift
from bitlif.model.fixed import Format

from .fixed import TIMES_LATENCY, saturate, shape_of, times
from .pipeline import Pipe

NARROW_LATENCY = 2
"""Clock cycles of `narrow`: the rounded value; its saturation."""


def shift_sweep(value: Value, random: Value, s: SweepShift) -> Value:
    """Return `value` shifted right, in the rounding mode of the sweep.

    The half that rounds to nearest lies below the random word; both are added as one number.
    """
    if s.toward_zero:
        up = (1 << s.right) - 1
        return (value + Mux(value < 0, up, 0)) >> s.right
    if not s.right + s.random_bits:
        return value << s.left
    rounding = Cat(Const(s.bias, s.right), random[: s.random_bits])
    return ((value << s.left) + rounding) >> (s.right + s.random_bits)


def narrow(
    pipe: Pipe, value: Value, random: Value, s: SweepShift, fmt: Format, name: str
) -> tuple[Value, Value]:
    """Return `value` rounded and saturated, and the saturation flag.

    Both come `NARROW_LATENCY` clock cycles after the operands.
    """
    rounded = pipe.register(shift_sweep(value, random, s), f"{name}_rounded")
    kept, flag = saturate(rounded, shape_of(fmt))
    return (
        pipe.register(kept, f"{name}_value", shape_of(fmt)),
        pipe.register(flag, f"{name}_saturated"),
    )


class AdjointPipe(wiring.Component):
    """Computes one step of an adjoint filter: ``keep * state + take * taken``, narrowed.

    Parameters
    ----------
    constants : bitlif.model.adjoint.AdjointFilter
    fmt : bitlif.model.fixed.Format
        Of the state.
    taken : Shape
        Of what the filter takes.

    Members
    -------
    state, taken : In(signed)
    random : In(random bits of the rounding)
        `random_delay` clock cycles after the other operands.
    state_next : Out(signed)
    saturated : Out(1)

    Latency: `latency` clock cycles. Throughput: one neuron per clock cycle. Handshake: none.
    Reset: not needed.
    """

    random_delay = TIMES_LATENCY + 1
    latency = random_delay + NARROW_LATENCY

    def __init__(self, constants: AdjointFilter, fmt: Format, taken: Shape) -> None:
        self._constants, self._format = constants, fmt
        super().__init__(
            {
                "state": In(shape_of(fmt)),
                "taken": In(taken),
                "random": In(max(1, constants.shift.random_bits)),
                "state_next": Out(shape_of(fmt)),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build both products, their sum, and its narrowing."""
        m = Module()
        pipe, f = Pipe(m), self._constants
        kept = times(pipe, self.state, f.keep, 0, "kept") if f.keep else Const(0)
        came = times(pipe, self.taken, f.take, 0, "came")
        total = pipe.register(kept + came, "sum")
        value, flag = narrow(pipe, total, self.random, f.shift, self._format, "adjoint")
        m.d.comb += [self.state_next.eq(value), self.saturated.eq(flag)]
        return m
