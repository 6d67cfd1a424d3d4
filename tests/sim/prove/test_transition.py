"""Transition systems: what Yosys writes, unrolled, against a simulation of the same gates."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Value
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from bitwuzla import Kind

from bitlif.model.config.config import Config
from bitlif.sim.prove import solver
from bitlif.sim.prove.elaborate import elaborated
from bitlif.sim.prove.proofs import units_of
from bitlif.sim.prove.terms import constant, make
from bitlif.sim.prove.transition import Unrolled, contents, read_btor

CLOCKS, CHECKED = 30, 6
"""Clock cycles; the last ones are compared, when no register holds what it began with."""


def simulated(dut: Any, rows: list[dict[str, int]]) -> list[dict[str, int]]:
    shown: list[dict[str, int]] = []
    outputs = [name for name, member in dut.signature.members.items() if member.flow == Out]

    async def bench(ctx: Any) -> None:
        for row in rows:
            for name, value in row.items():
                ctx.set(Value.cast(getattr(dut, name)), value)
            shown.append(
                {name: ctx.get(Value.cast(getattr(dut, name)).as_unsigned()) for name in outputs}
            )
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return shown


@pytest.mark.parametrize("name", ["neuron", "noise", "trace", "gradient", "update", "signature"])
@pytest.mark.parametrize("config", ["tiny", "digits"])
def test_unrolled_gates_compute_what_they_do_in_simulation(config: str, name: str) -> None:
    (unit, *_), rng = units_of(Config.load(config), name), random.Random(name)
    dut = unit.component()
    inputs = [name for name, member in dut.signature.members.items() if member.flow == In]
    widths = {name: len(Value.cast(getattr(dut, name))) for name in inputs}
    rows = [
        {port: rng.randrange(1 << bits) for port, bits in widths.items() if bits}
        for _ in range(CLOCKS)
    ]
    machine = elaborated({name: dut})[name]
    gates = Unrolled(machine, name)
    if name == "signature":
        for register in ("lane_0", "lane_1"):
            gates.put(register, 0)
    for number, (row, expected) in enumerate(zip(rows, simulated(dut, rows), strict=True)):
        known = {port: value for port, value in row.items() if port in machine.inputs}
        for port, word in gates.clock(known).items():
            if number < CLOCKS - CHECKED:
                continue
            differs = make(Kind.DISTINCT, word.term, constant(expected[port], word.width))
            assert solver.decide(differs, [], {}, word.term, 20).result == solver.PROVED, port


def test_undriven_and_empty_signals_are_read() -> None:
    machine = read_btor(
        "1 sort bitvec 1\n2 input 1 clk\n3 sort bitvec 4\n4 input 3\n5 sort bitvec 0\n"
        "6 input 5 none\n7 uext 3 -1 4 empty\n8 or 3 7 -4\n9 output 8 y\n"
    )
    assert set(machine.inputs) == {"undefined_4"}
    assert Unrolled(machine, "u").clock({"undefined_4": 5})["y"].known == 10


def test_what_is_not_known_raises() -> None:
    machine = read_btor("1 sort bitvec 4\n2 input 1 x\n3 udiv 1 2 2\n4 output 3 y\n")
    with pytest.raises(ValueError, match="operation udiv of BTOR2"):
        Unrolled(machine, "u").clock({})
    with pytest.raises(ValueError, match="no input is named z"):
        Unrolled(machine, "u").clock({"z": 1})
    with pytest.raises(ValueError, match="the name z must be that of one signal, not of 0"):
        Unrolled(machine, "u").get("z")
    with pytest.raises(ValueError, match="no initial contents"):
        contents(read_btor("1 sort bitvec 4\n2 state 1 x\n"), "x")
