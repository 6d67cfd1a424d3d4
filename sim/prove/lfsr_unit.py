"""The LFSRs of the lanes: their leap as a linear map, their seeds, and the words that they give."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from bitlif.hdl import adjoint_pass, forward, spike_update, update_pass
from bitlif.model.config.config import Config
from bitlif.model.lfsr import Lfsr, LfsrConfig
from bitlif.model.sweep_sections import SweepConfig

from .finding import Finding
from .linear import Bits, LinearAlgebra, NotLinearError
from .solver import PROVED, REFUTED, UNKNOWN, Answer
from .transition import Machine, Values

NAME = "linear forms"
"""What decides these claims."""


REPLAYED = 100
"""Draws that a replay compares."""


class Bank(Component):
    """The LFSRs of all lanes, as an engine has them.

    Parameters
    ----------
    owner : module
        The module of `bitlif.hdl` whose `lane_words` is used.
    config : LfsrConfig
    lanes, leap, reach : int

    Members
    -------
    advance, restart : In(1)
    words : Out(array of reach bits)
        One per lane.
    states : Out(array of width bits)
        One per distinct LFSR.
    """

    def __init__(self, owner: Any, config: LfsrConfig, lanes: int, leap: int, reach: int) -> None:
        self._owner, self._sources = owner, config.streams(lanes)
        self._leap, self._reach = leap, reach
        super().__init__(
            {
                "advance": In(1),
                "restart": In(1),
                "words": Out(data.ArrayLayout(reach, lanes)),
                "states": Out(data.ArrayLayout(config.width, len(config.registers(lanes)[0]))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the LFSRs."""
        m = Module()
        words, states = self._owner.lane_words(
            m, "bank", self._sources, self._leap, self._reach, self.advance, self.restart
        )
        m.d.comb += [own.eq(word) for own, word in zip(self.words, words, strict=True)]
        m.d.comb += [own.eq(state) for own, state in zip(self.states, states, strict=True)]
        return m


class LfsrUnit:
    """The LFSRs of all lanes: `bitlif.model.lfsr.Lfsr.leap`, and `LfsrConfig.streams`.

    Parameters
    ----------
    config : Config
    use : str
        ``"noise"``, ``"update"`` or ``"sweep"``.
    sweep : SweepConfig or None
        Of a layer that a sweep teaches.
    """

    def __init__(self, config: Config, use: str, sweep: SweepConfig | None = None) -> None:
        self.name = f"{use}_lfsr"
        teaches = update_pass if sweep is None or sweep.update == "window" else spike_update
        self._owner = {"noise": forward, "update": teaches, "sweep": adjoint_pass}[use]
        self._lanes = config.layer.lanes
        if use == "sweep" and sweep is not None:
            section, self._leap, self._reach = sweep.lfsr, sweep.leap, sweep.random_bits
        elif use == "noise":
            noise = config.noise
            section, self._leap, self._reach = noise.lfsr, noise.leap, noise.draw_bits
        else:
            own = config.learning
            section, self._leap, self._reach = own.lfsr, own.leap, own.random_bits
        self._config = section
        self.bits = section.width * len(section.registers(self._lanes)[0])

    def component(self) -> Any:
        """Return the LFSRs of all lanes."""
        return Bank(self._owner, self._config, self._lanes, self._leap, self._reach)

    def findings(self, machine: Machine) -> Iterator[Finding]:
        """Yield the outcome of every claim; one that says that the gates are not linear, if so."""
        try:
            found = list(self._findings(machine))
        except NotLinearError as error:
            found = [
                Finding(self.name, "all claims", Answer(UNKNOWN, 0.0, {}), operation=str(error))
            ]
        yield from found

    def _findings(self, machine: Machine) -> Iterator[Finding]:
        start = time.perf_counter()
        registers, free = {}, 1
        for node in machine.states.values():
            registers[node] = Bits(tuple(1 << (free + k) for k in range(machine.width(node))))
            free += machine.width(node)
        seeded = {
            node: Values(machine, {}, LinearAlgebra()).value(machine.initial[node])
            for node in registers
        }
        now = self._outputs(machine, registers)
        distinct, own = self._config.registers(self._lanes)
        width = self._config.width
        states = [_part(now["states"], number, width) for number in range(len(distinct))]
        words = [states[number].resized(self._reach) for number in own]
        seeds = [Bits.constant(source.state, width) for source in distinct]
        leapt: list[Any] = [
            Lfsr(source.taps, state).leap(self._leap).state  # type: ignore[arg-type]
            for source, state in zip(distinct, states, strict=True)
        ]
        claims: dict[str, tuple[Bits, list[Bits]]] = {
            "state after reset": (self._outputs(machine, seeded)["states"], seeds),
            "word of each lane": (now["words"], words),
            "state after a draw": (self._next(machine, registers, 1, 0), leapt),
            "state without a draw": (self._next(machine, registers, 0, 0), states),
            "state after a restart": (self._next(machine, registers, 1, 1), seeds),
        }
        seconds = time.perf_counter() - start
        for claim, (gates, parts) in claims.items():
            model = Bits(tuple(form for part in parts for form in part.forms))
            yield self._compared(claim, gates, model, seconds / len(claims))

    def _outputs(self, machine: Machine, registers: dict[int, Bits]) -> dict[str, Bits]:
        values = Values(machine, registers, LinearAlgebra())
        return {name: values.value(node) for name, node in machine.outputs.items()}

    def _next(
        self, machine: Machine, registers: dict[int, Bits], advance: int, restart: int
    ) -> Bits:
        """Return all states after a clock cycle."""
        given = {"advance": advance, "restart": restart, "rst": 0}
        inputs = {node: Bits.constant(given[name], 1) for name, node in machine.inputs.items()}
        values = Values(machine, registers | inputs, LinearAlgebra())
        after = {node: values.value(machine.following[node]) for node in registers}
        return self._outputs(machine, after)["states"]

    def _compared(self, claim: str, gates: Bits, model: Bits, seconds: float) -> Finding:
        if gates.forms == model.forms:
            return Finding(self.name, claim, Answer(PROVED, seconds, {}))
        wrong = [one ^ two for one, two in zip(gates.forms, model.forms, strict=True) if one != two]
        # Where they differ by a constant 1 alone, they differ in the state of zeros, too.
        case = next((form & -form for form in wrong if form & -form > 1), 0)
        if any(form & 1 for form in wrong):
            case = 0
        answer = Answer(REFUTED, seconds, {"all registers": case >> 1})
        text = f"{self._leap} positions of the stream a draw, {self._reach} bits a word"
        values = gates.at(case), model.at(case)
        return Finding(self.name, claim, answer, *values, text, self._replayed())

    def _replayed(self) -> str:
        """Simulate the gates from their reset on; return the first draw that differs, as text."""
        bank = self.component()
        sources, own = self._config.registers(self._lanes)
        mask, shown = (1 << self._reach) - 1, "in simulation, no word differs"

        async def bench(ctx: Any) -> None:
            nonlocal shown
            present = list(sources)
            ctx.set(bank.advance, 1)
            for draw in range(REPLAYED):
                for lane, number in enumerate(own):
                    word, due = ctx.get(bank.words[lane]), present[number].state & mask
                    if word != due:
                        shown = f"in simulation, draw {draw} of lane {lane} is {word} and not {due}"
                        return
                await ctx.tick()
                present = [source.leap(self._leap) for source in present]

        simulator = Simulator(bank)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()
        return shown


def _part(word: Bits, number: int, width: int) -> Bits:
    return (word >> (number * width)).resized(width)
