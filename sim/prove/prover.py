"""Proofs of a unit: its gates against the model, and the ranges of its intermediates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bitwuzla import Kind

from . import solver
from .branches import Belief, beliefs
from .finding import RANGE_OF, Finding
from .lift import lifted
from .polynomial import signed_bits, wide_word
from .solver import REFUTED
from .symbol import Integer, fresh, interval_of, value_of
from .terms import Term, as_bit, make, resized, width_of
from .transition import Machine, Unrolled
from .unit import ALWAYS, Claim, Unit
from .words import Word, extended, sliced, summed

LIMIT = 300.0
"""Seconds that the solver may take for a claim."""


@dataclass
class _Proof:
    """A unit, its symbols and its gates."""

    unit: Unit
    gates: Unrolled
    limit: float
    values: dict[str, Integer] = field(default_factory=dict)
    found: dict[str, Integer] = field(default_factory=dict)
    assumed: list[Term] = field(default_factory=list)


def bits_of(unit: Unit) -> int:
    """Return the number of bits of everything that the claims of a unit are about."""
    return sum(reach.bits for reach in unit.given.values() if reach.low != reach.high)


def prove(unit: Unit, machine: Machine, limit: float = LIMIT) -> Iterator[Finding]:
    """Yield the outcome of every claim of a unit: first the cuts, then outputs, then ranges.

    Parameters
    ----------
    unit : Unit
    machine : Machine
        Its gates.
    limit : float
        Seconds that the solver may take for a claim.
    """
    proof = _Proof(unit, Unrolled(machine, unit.name), limit)
    for name, reach in unit.given.items():
        proof.values[name], inside = fresh(f"{unit.name}.{name}", reach)
        proof.assumed.append(inside)
    beliefs()
    proof.found = unit.model(proof.values, lifted)
    branches = beliefs()
    for register, name in unit.registers.items():
        proof.gates.put(register, (proof.values | proof.found)[name])
    proof.assumed += unit.assume(proof.gates, proof.values, proof.found)
    yield from _run(proof)
    yield from _confirmed(proof, branches)
    for name, (value, reach) in unit.ranges(proof.values, lifted).items():
        term = wide_word(value_of(value))
        # The word is wider than any value, so the range fits unless it is wrong by far.
        term = resized(term, max(width_of(term), reach.bits + 2), signed=True)
        differs = solver.outside(term, reach.low, reach.high)
        answer = solver.decide(differs, proof.assumed, proof.values, term, limit)
        value = None if answer.gates is None else _number(answer.gates, term, signed=True)
        text = f"{reach.low} ..= {reach.high}"
        yield Finding(unit.name, f"{RANGE_OF}{name}", answer, None, value, text)


def _confirmed(proof: _Proof, branches: list[Belief]) -> Iterator[Finding]:
    """Decide whether values on branches are in the intervals that the decisions say."""
    wrong = []
    for holds, value, reach in branches:
        term = wide_word(value)
        term = resized(term, max(width_of(term), reach.bits + 2), signed=True)
        wrong.append(make(Kind.AND, holds, solver.outside(term, reach.low, reach.high)))
    if wrong:
        differs = wrong[0] if len(wrong) == 1 else make(Kind.OR, *wrong)
        answer = solver.decide(differs, proof.assumed, proof.values, as_bit(differs), proof.limit)
        text = f"{len(wrong)} intervals that follow from comparisons"
        yield Finding(proof.unit.name, f"{RANGE_OF}values on branches", answer, operation=text)


def _run(proof: _Proof) -> Iterator[Finding]:
    """Unroll the gates, with all claims at their clock cycles."""
    unit, gates = proof.unit, proof.gates
    last = max(claim.cycle for claim in (*unit.cuts, *unit.claims))
    for cycle in range(last + 1):
        for register, (name, at) in unit.freed.items():
            if at == cycle:
                gates.put(register, (proof.values | proof.found)[name])
        for cut in unit.cuts:
            if cut.cycle == cycle:
                finding = _finding(proof, cut, gates.get(cut.signal))
                yield finding
                if finding.answer.result == solver.PROVED:
                    gates.put(cut.signal, proof.found[cut.value])
        known = {**proof.values, **proof.found}
        inputs = {
            port: known[name]
            for port, (name, at) in unit.ports.items()
            if at in (cycle, ALWAYS) and port in gates.machine.inputs
        }
        outputs = gates.clock(inputs)
        for claim in unit.claims:
            if claim.cycle == cycle:
                yield _finding(proof, claim, outputs[claim.signal])


def _finding(proof: _Proof, claim: Claim, word: Word) -> Finding:
    """Decide a claim about a word of the gates."""
    unit = proof.unit
    if claim.bits:
        width = len(claim.bits).bit_length() + 1
        ones = [extended(sliced(word, bit, bit), width, signed=False) for bit in claim.bits]
        word = ones[0]
        for own in ones[1:]:
            word = summed(word, own)
    term, signed = word.term, claim.signed and not claim.bits
    # A word that is a polynomial is extended as one, so equal polynomials need no search.
    width = max(word.width + 1, signed_bits(interval_of(proof.found[claim.value])))
    wide = extended(word, width, signed=signed).term
    differs = solver.unequal(wide, proof.found[claim.value])
    answer = solver.decide(differs, proof.assumed, proof.values, term, proof.limit)
    if answer.result != REFUTED:
        return Finding(unit.name, claim.value, answer)
    assert answer.gates is not None
    gates = _number(answer.gates, term, signed=signed)
    found = concrete(unit, answer.values)
    operation = unit.operation(claim.value, answer.values, found)
    return Finding(unit.name, claim.value, answer, gates, found[claim.value], operation)


def _number(raw: int, term: Term, *, signed: bool) -> int:
    """Return the unsigned value of a term as the number that it stands for."""
    width = width_of(term)
    return raw - ((raw >> (width - 1)) << width) if signed else raw


def concrete(unit: Unit, values: Mapping[str, int]) -> dict[str, int]:
    """Return the values that the model computes from integers."""

    def same(function: Any) -> Any:
        return function

    return {name: int(value) for name, value in unit.model(values, same).items()}
