"""Units of the gates in Amaranth's simulator, one clock cycle at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator


def simulate(unit: Any, bench: Callable[[Any], Awaitable[None]]) -> None:
    """Run a bench, which advances the clock itself, on a new unit."""
    top = Module()
    # A unit may have no registers.
    top.domains.sync = ClockDomain("sync")
    top.submodules.unit = unit
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def drive(unit: Any, rows: list[dict[str, Any]], *shown: str) -> list[tuple[Any, ...]]:
    """Set the inputs of each row for one clock cycle; return outputs in each, before its edge.

    Inputs that a row does not name keep their values.
    """
    seen = []

    async def bench(ctx: Any) -> None:
        for row in rows:
            for name, value in row.items():
                ctx.set(getattr(unit, name), value)
            seen.append(tuple(ctx.get(getattr(unit, name)) for name in shown))
            await ctx.tick()

    simulate(unit, bench)
    return seen
