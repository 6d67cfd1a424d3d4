"""Replay of a counterexample in the simulator of Amaranth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from amaranth.hdl import Fragment, Signal, Value
from amaranth.sim import Simulator

from .unit import ALWAYS, Unit


def replay(unit: Unit, values: Mapping[str, int], found: Mapping[str, int]) -> str:
    """Run the gates of a unit on a counterexample; return the first output that differs, as text.

    Parameters
    ----------
    unit : Unit
    values, found : mapping of str to int
        What is given, and the values of the model.
    """
    shown = simulated(unit, values, found)
    for claim in unit.claims:
        if shown[claim.signal, claim.cycle] != found[claim.value] and not claim.bits:
            value = shown[claim.signal, claim.cycle]
            return f"in simulation, {claim.signal} is {value} and not {found[claim.value]}"
        if claim.bits:
            ones = sum(shown[claim.signal, claim.cycle] >> bit & 1 for bit in claim.bits)
            if ones != found[claim.value]:
                return f"in simulation, {claim.signal} has {ones} and not {found[claim.value]}"
    return "in simulation, no output differs"


def simulated(
    unit: Unit, values: Mapping[str, int], found: Mapping[str, int]
) -> dict[tuple[str, int], int]:
    """Return the outputs that claims are about, by signal and clock cycle, from a simulation."""
    known = {**values, **found}
    dut: Any = unit.component()
    shown: dict[tuple[str, int], int] = {}

    def drive(ctx: Any, inputs: Mapping[str, int]) -> None:
        for port, value in inputs.items():
            ctx.set(Value.cast(getattr(dut, port)), value)

    def read(ctx: Any, cycle: int) -> None:
        for claim in unit.claims:
            if claim.cycle == cycle:
                shown[claim.signal, cycle] = ctx.get(Value.cast(getattr(dut, claim.signal)))

    def inputs(cycle: int) -> dict[str, int]:
        return {
            port: known[name]
            for port, (name, at) in unit.ports.items()
            if at in (cycle, ALWAYS) and len(Value.cast(getattr(dut, port)))
        }

    last = max(claim.cycle for claim in unit.claims)

    async def bench(ctx: Any) -> None:
        for row in unit.prepare(values, found):
            drive(ctx, row)
            await ctx.tick()
        for cycle in range(last + 1):
            for register, (name, at) in begun.items():
                if at == cycle:
                    ctx.set(signal_of(fragment, register), known[name])
            drive(ctx, inputs(cycle))
            read(ctx, cycle)
            await ctx.tick()

    async def combinational(ctx: Any) -> None:
        drive(ctx, inputs(0))
        read(ctx, 0)

    fragment = Fragment.get(dut, None)
    begun = {own: (name, 0) for own, name in unit.registers.items()} | dict(unit.freed)
    simulator = Simulator(fragment)
    if last:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench if last else combinational)
    simulator.run()
    return shown


def signal_of(fragment: Fragment, name: str) -> Signal:
    """Return the register of a name within a unit; dots separate it from names of submodules.

    Raises
    ------
    ValueError
        If no register, or more than one, has this name.
    """
    found = [own for path, own in _registers(fragment) if f".{path}".endswith(f".{name}")]
    if len(found) != 1:
        raise ValueError(f"the name {name} must be that of one register, not of {len(found)}")
    return found[0]


def _registers(fragment: Fragment, path: str = "") -> Iterator[tuple[str, Signal]]:
    """Yield all registers of a unit and its submodules by their names."""
    seen: dict[int, Signal] = {}
    for domain, statements in fragment.statements.items():
        if domain != "comb":
            for own in statements:
                seen |= {id(signal): signal for signal in own._lhs_signals()}
    yield from ((f"{path}{signal.name}", signal) for signal in seen.values())
    for inner, name, _ in fragment.subfragments:
        yield from _registers(inner, f"{path}{name}.")
