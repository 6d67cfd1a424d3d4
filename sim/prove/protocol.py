"""Properties of protocols, by induction over clock cycles, or over the first ones after a reset."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from bitwuzla import Kind

from . import solver
from .finding import Finding
from .solver import REFUTED, Answer
from .terms import TM, Term, as_bit, as_condition, constant, make, width_of
from .transition import Machine, Unrolled
from .words import Word, extended

BAD = "bad_"
"""How the outputs of a monitor begin that must never be 1."""

KEPT, ZERO, SOME = "kept", "zero", "some"

DUE = "due_"
"""How the outputs of a monitor begin that a register of the unit must equal."""


class ProtocolUnit:
    """A unit with a monitor, whose outputs say when a property is violated.

    Parameters
    ----------
    name : str
    component : callable
        Returns the monitor, an Amaranth component. Its output ``assumed`` is 1 while whoever drives
        the inputs keeps to the protocol.
    depth : int
        Clock cycles in which the properties hold before the one of the induction step; or those
        after a reset, if `bounded`.
    bounded : bool
        Whether only the clock cycles after a reset are examined.
    same : tuple of (str, str)
        Registers of the unit, and registers or outputs of the monitor that always hold the same
        value: this is proved with the properties, and serves them. A pair whose registers Yosys
        has merged or removed is left out.
    held : tuple of (str, str or int, str)
        What registers of the unit do while an output of the monitor is 1: a register; `KEPT`,
        `ZERO`, `SOME` or a number: it does not change, is 0, is not 0, or is that number; and the
        output. Proved, too, where the configuration needs the register.
    seen : tuple of (str, str, str)
        Registers that the monitor sees: a register of the unit, the input of the monitor that holds
        its present value, and ""; or a memory, the input that holds one of its words, and the
        register of the monitor with the word's address. An input without its register has any
        value.
    only : str
        The only output to decide, where another unit has the other properties; all if empty.
    """

    def __init__(
        self,
        name: str,
        component: Any,
        depth: int = 1,
        *,
        bounded: bool = False,
        same: tuple[tuple[str, str], ...] = (),
        held: tuple[tuple[str, str | int, str], ...] = (),
        seen: tuple[tuple[str, str, str], ...] = (),
        only: str = "",
    ) -> None:
        self.name = name
        self.component = component
        self._depth, self._bounded, self._same, self._held = depth, bounded, same, held
        self._seen, self._only = seen, only
        self.bits = 0

    def findings(self, machine: Machine, limit: float) -> Iterator[Finding]:
        """Yield the outcome of every property: after a reset, and in the induction step."""
        given = machine.inputs.keys() - {name for _, name, _ in self._seen}
        self.bits = sum(machine.width(machine.inputs[name]) for name in given)
        names = [name for name in machine.outputs if name.startswith(BAD)]
        yield from self._after_reset(machine, names, limit)
        if not self._bounded:
            yield from self._step(machine, names, limit)

    def _after_reset(self, machine: Machine, names: list[str], limit: float) -> Iterator[Finding]:
        gates = Unrolled(machine, self.name)
        gates.reset()
        wrong: dict[str, list[Term]] = {name: [] for name in names}
        assumed: list[Term] = []
        for _ in range(self._depth):
            shown, differ = self._clock(gates)
            assumed.append(as_condition(shown["assumed"].term))
            for name in names:
                wrong[name].append(as_condition(shown[name].term))
            wrong.setdefault("same", []).append(differ)
        for name, terms in self._chosen(wrong).items():
            what = f"in {self._depth} clock cycles after a reset"
            yield self._decided(name, what, _any(terms), assumed, limit)

    def _step(self, machine: Machine, names: list[str], limit: float) -> Iterator[Finding]:
        gates = Unrolled(machine, self.name)
        assumed: list[Term] = []
        for _ in range(self._depth):
            shown, differ = self._clock(gates)
            assumed.append(as_condition(shown["assumed"].term))
            assumed += [make(Kind.NOT, as_condition(shown[name].term)) for name in names]
            assumed.append(make(Kind.NOT, differ))
        shown, differ = self._clock(gates)
        assumed.append(as_condition(shown["assumed"].term))
        wrong = {name: as_condition(shown[name].term) for name in names} | {"same": differ}
        for name, term in self._chosen(wrong).items():
            yield self._decided(name, "if so before", term, assumed, limit)

    def _clock(self, gates: Unrolled) -> tuple[dict[str, Any], Term]:
        """Return the outputs of a clock cycle, and whether any registers of `same` differ."""
        registers = {name: gates.get(name) for pair in self._same for name in pair
                     if gates.machine.has(name)}  # fmt: skip
        held = [own for own in self._held if gates.machine.has(own[0])]
        now = {name: gates.get(name).term for name, _, _ in held}
        shown = gates.clock(self._shown(gates))
        known = registers | {name: own for name, own in shown.items() if name.startswith(DUE)}
        pairs = [
            (known[one], known[two]) for one, two in self._same if one in registers and two in known
        ]
        wrong = [_unequal(*pair) for pair in pairs]
        for name, how, output in held:
            own, there = now[name], as_condition(shown[output].term)
            value = how if isinstance(how, int) else 0
            after = gates.get(name).term if how == KEPT else constant(value, width_of(own))
            differs = make(Kind.EQUAL if how == SOME else Kind.DISTINCT, own, after)
            wrong.append(make(Kind.AND, there, differs))
        return shown, _any(wrong)

    def _shown(self, gates: Unrolled) -> dict[str, Word]:
        """Return the inputs of the monitor that show registers, and words of memories."""
        found = {}
        for name, given, address in self._seen:
            if given not in gates.machine.inputs or not gates.machine.has(name):
                continue
            value = gates.get(name)
            if address:
                value = Word.of_term(make(Kind.ARRAY_SELECT, value, gates.get(address).term))
            found[given] = value
        return found

    def _chosen(self, wrong: dict[str, Any]) -> dict[str, Any]:
        """Return the properties to decide."""
        return {self._only: wrong[self._only]} if self._only else wrong

    def _decided(
        self, name: str, when: str, wrong: Term, assumed: list[Term], limit: float
    ) -> Finding:
        words = name.removeprefix(BAD).replace("_", " ")
        start = time.perf_counter()
        answer = solver.decide(wrong, assumed, {}, as_bit(wrong), limit)
        seconds = time.perf_counter() - start
        claim = f"{words}, {when}"
        text = "a sequence of inputs violates it" if answer.result == REFUTED else ""
        return Finding(self.name, claim, Answer(answer.result, seconds, {}), operation=text)


def _unequal(one: Word, two: Word) -> Term:
    width = max(one.width, two.width)
    words = [extended(own, width, signed=False).term for own in (one, two)]
    return make(Kind.DISTINCT, *words)


def _any(terms: list[Term]) -> Term:
    if not terms:
        return TM.mk_false()
    return terms[0] if len(terms) == 1 else make(Kind.OR, *terms)
