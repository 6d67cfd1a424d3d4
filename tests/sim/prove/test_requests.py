"""What the UART's bridge does with requests, and that a fault in it violates a property."""

from __future__ import annotations

from typing import Any

import pytest
from bitwuzla import Kind

from bitlif.hdl.uart import bridge, event_exchange
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.sim.compare.patches import line_replaced
from bitlif.sim.prove import solver
from bitlif.sim.prove.elaborate import elaborated
from bitlif.sim.prove.proofs import proofs, units_of
from bitlif.sim.prove.protocol import BAD, ProtocolUnit
from bitlif.sim.prove.request_invariant import SEEN
from bitlif.sim.prove.terms import Term, as_bit, as_condition, make
from bitlif.sim.prove.transition import Unrolled


def unit_of(config: Config | NetworkConfig) -> ProtocolUnit:
    (unit,) = units_of(config, "uart_requests")
    return unit


def test_registers_of_the_bridge_are_seen() -> None:
    unit = unit_of(Config.load("tiny"))
    machine = elaborated({unit.name: unit.component()})[unit.name]
    widths = {
        given: (machine.sort(machine.node(name))[-1], machine.width(machine.inputs[given]))
        for name, given, _ in unit._seen
        if given in machine.inputs
    }
    assert widths.keys() == {f"seen_{name}" for name in SEEN} - {"seen_item"}
    assert all(one == two for one, two in widths.values()), widths


SIZES = [
    # Items of 2 and 3 bytes in both directions, and targets of more bytes than a word.
    {"layer__inputs": 300, "layer__neurons": 300, "layer__lanes": 3},
    {"layer__inputs": 65536},
    {"layer__neurons": 65536},
    {"layer__neurons": 12, "layer__lanes": 6},
    # All items of one byte.
    {"layer__lanes": 1, "error__target_bits": 7},
]


@pytest.mark.long
@pytest.mark.parametrize("sizes", SIZES)
def test_requests_are_proved_in_other_sizes(sizes: dict[str, Any]) -> None:
    (proof,) = proofs([unit_of(Config.load("tiny").replace(**sizes))], 1200)
    assert proof.result == "proved", proof


def violated(unit: ProtocolUnit, name: str, clocks: int) -> bool:
    """Return whether a property is violated soon after a state that the invariant allows."""
    (machine,) = elaborated({unit.name: unit.component()}).values()
    gates = Unrolled(machine, unit.name)
    shown, _ = unit._clock(gates)
    assumed = [as_condition(shown["assumed"].term)]
    assumed += [
        make(Kind.NOT, as_condition(shown[own].term)) for own in shown if own.startswith(BAD)
    ]
    wrong: list[Term] = []
    for _ in range(clocks):
        shown, _ = unit._clock(gates)
        assumed.append(as_condition(shown["assumed"].term))
        wrong.append(as_condition(shown[f"{BAD}{name}"].term))
    differs = make(Kind.OR, *wrong)
    answer = solver.decide(differs, assumed, {}, as_bit(differs), 600)
    return answer.result == solver.REFUTED


FAULTS = [
    # A word is skipped; an event is sent twice; a repeated request is executed again.
    (bridge, "where + WORD_BITS // 8", "where + WORD_BITS // 4", "access", 7),
    (event_exchange, "given.eq(offered & ready)", "given.eq(offered & ready & slot)", "item", 2),
    (
        bridge, 'with m.If(same):\n                    m.next = "header"',
        'with m.If(same):\n                    m.next = "address"', "access", 9,
    ),
    # Words are swapped in the answer.
    (bridge, "r.read.addr.eq(r.place)", "r.read.addr.eq(r.place ^ 4)", "answer", 3),
]  # fmt: skip
"""Modules, wrong lines, a property that each must violate, and clock cycles until then."""

MORE_FAULTS = [
    # The bytes of a word are swapped; a word is left out; a request goes on after a refused access.
    (bridge, "Cat(r.word[8:], self.byte)", "Cat(self.byte, r.word[:24])", "access", 2),
    (bridge, "with m.If(left == 0):", "with m.If(left == 1):", "status", 8),
    (bridge, "r.finish(m, access.response)", "pass", "access", 9),
    # Bytes are missing in the count; an output event is taken twice, or does not fit; a request
    # waits for ever.
    (event_exchange, "request.amount.eq(self._last_byte + 1)", "request.amount.eq(1)", "answer", 9),
    (event_exchange, "m.d.sync += ready.eq(0)", "pass", "spike", 2),
    (event_exchange, "request.full(self._out_bytes)", "request.full(1 << 9)", "spike", 4),
    (event_exchange, "still.all()", "0", "wait", 9),
]


def _violates(module: Any, line: str, wrong: str, name: str, clocks: int) -> bool:
    with line_replaced(module, line, wrong):
        return violated(unit_of(Config.load("tiny")), name, clocks)


@pytest.mark.parametrize(("module", "line", "wrong", "name", "clocks"), FAULTS)
def test_wrong_line_violates_a_property(
    module: Any, line: str, wrong: str, name: str, clocks: int
) -> None:
    assert _violates(module, line, wrong, name, clocks)


@pytest.mark.long
@pytest.mark.parametrize(("module", "line", "wrong", "name", "clocks"), MORE_FAULTS)
def test_another_wrong_line_violates_a_property(
    module: Any, line: str, wrong: str, name: str, clocks: int
) -> None:
    assert _violates(module, line, wrong, name, clocks)
