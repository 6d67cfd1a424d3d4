"""Properties of protocols, by induction over clock cycles, or over the first ones after a reset."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from bitwuzla import Kind

from . import solver
from .finding import Finding
from .solver import REFUTED, Answer
from .terms import TM, Term, as_bit, as_condition, make
from .transition import Machine, Unrolled

BAD = "bad_"
"""How the outputs of a monitor begin that must never be 1."""


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
        Registers of the unit and of the monitor that always hold the same value: this is proved
        with the properties, and serves them. A pair that Yosys has merged or removed is left out.
    """

    def __init__(
        self,
        name: str,
        component: Any,
        depth: int = 1,
        *,
        bounded: bool = False,
        same: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.name = name
        self.component = component
        self._depth, self._bounded, self._same = depth, bounded, same
        self.bits = 0

    def findings(self, machine: Machine, limit: float) -> Iterator[Finding]:
        """Yield the outcome of every property: after a reset, and in the induction step."""
        self.bits = sum(machine.width(node) for node in machine.inputs.values())
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
        for name, terms in wrong.items():
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
        for name, term in wrong.items():
            yield self._decided(name, "if so before", term, assumed, limit)

    def _clock(self, gates: Unrolled) -> tuple[dict[str, Any], Term]:
        """Return the outputs of a clock cycle, and whether any registers of `same` differ."""
        there = [pair for pair in self._same if all(map(gates.machine.has, pair))]
        pairs = [(gates.get(one).term, gates.get(two).term) for one, two in there]
        differ = _any([make(Kind.DISTINCT, one, two) for one, two in pairs])
        return gates.clock({}), differ

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


def _any(terms: list[Term]) -> Term:
    if not terms:
        return TM.mk_false()
    return terms[0] if len(terms) == 1 else make(Kind.OR, *terms)
