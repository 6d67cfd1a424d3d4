"""Properties of protocols, and that a fault violates them."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Module

from bitlif.hdl import turns, update_pass
from bitlif.hdl.bus import axi_lite, axi_stream, register_bank
from bitlif.hdl.uart import bridge, framing, serial
from bitlif.model.config.config import Config
from bitlif.sim.compare.patches import line_replaced, rewired
from bitlif.sim.prove import register_monitor, turn_monitor
from bitlif.sim.prove.elaborate import elaborated
from bitlif.sim.prove.pass_monitor import update_pass_unit
from bitlif.sim.prove.proofs import UnitProof, proofs, units_of
from bitlif.sim.prove.turn_monitor import turn_unit


def proof_of(unit: str) -> UnitProof:
    (proof,) = proofs(units_of(Config.load("tiny"), unit), 1200)
    return proof


@pytest.mark.parametrize(
    ("unit", "bits"), [("axi_lite", 107), ("uart_line", 10), ("uart_bridge", 66)]
)
def test_protocol_is_proved(unit: str, bits: int) -> None:
    proof = proof_of(unit)
    assert proof.result == "proved", proof
    assert proof.bits == bits


def _hasty(m: Module, own: Any, true: Any) -> None:
    m.d.comb += true.bready.eq(1)


def _deaf(m: Module, own: Any, true: Any) -> None:
    m.d.comb += own.wready.eq(1)


def _idle(m: Module, own: Any, true: Any) -> None:
    m.d.comb += own.access.request.eq(true.access.request & own.bready)


@pytest.mark.parametrize(
    ("change", "violated"),
    [(_hasty, "hold"), (_deaf, "answers"), (_idle, "request"), (_idle, "wait")],
)
def test_fault_of_the_bus_violates_a_property(
    change: Any, violated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(axi_lite, "AxiLiteSlave", rewired(axi_lite.AxiLiteSlave, change))
    proof = proof_of("axi_lite")
    wrong = [found.claim for found in proof.findings if found.answer.result == "refuted"]
    assert any(claim.startswith(f"{violated}, ") for claim in wrong), wrong


def _last_bit(m: Module, own: Any, true: Any) -> None:
    m.d.comb += true.data.eq(own.data | 0x80)


def test_fault_of_the_line_violates_a_property(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial, "SerialSender", rewired(serial.SerialSender, _last_bit))
    proof = proof_of("uart_line")
    (found,) = [own for own in proof.findings if own.answer.result == "refuted"]
    assert found.describe() == (
        "uart_line, byte, in 88 clock cycles after a reset: a sequence of inputs violates it"
    )


def _gone(m: Module, own: Any, true: Any) -> None:
    m.d.comb += own.tready.eq(1)


def _other(m: Module, own: Any, true: Any) -> None:
    m.d.comb += true.tdata.eq(own.tdata ^ 1)


def _silent(m: Module, own: Any, true: Any) -> None:
    m.d.comb += own.held.eq(0)


def _blocked(m: Module, own: Any, true: Any) -> None:
    m.d.comb += true.i.valid.eq(own.i.valid & own.tready)


@pytest.mark.parametrize(
    ("name", "change", "violated"),
    [
        ("EventInput", _gone, "lost"),
        ("EventInput", _other, "event"),
        ("TargetInput", _other, "target"),
        ("TargetInput", _silent, "flag"),
        ("EventOutput", _blocked, "wait"),
    ],
)
def test_fault_of_a_stream_violates_a_property(
    name: str, change: Any, violated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(axi_stream, name, rewired(getattr(axi_stream, name), change))
    assert violated in violations("axi_stream")


def violations(kind: str, name: str = "") -> set[str]:
    """Return the properties that do not hold of the units of a kind, or of one of them."""
    units = [own for own in units_of(Config.load("tiny"), kind) if name in ("", own.name)]
    return {
        found.claim.split(",")[0]
        for proof in proofs(units, 1200)
        for found in proof.findings
        if found.answer.result == "refuted"
    }


FAULTS = [
    # A refused write changes a register; a refused access returns a word.
    (
        "register_bank", register_bank, 'with m.If(effects["LOAD"]):',
        'with m.If(access.request & self._at["LOAD"]):', "same",
    ),
    (
        "register_bank", register_bank, "with m.If(~permitted):",
        "with m.If(~permitted & self.access.write):", "result",
    ),
    # An access is done too early, or is forgotten; a part of a word is taken.
    (
        "register_bank", register_bank, 'access.done.eq(~effects["ADDRESS"])',
        'access.done.eq(~effects["ADDRESS"] & ~access.write)', "wait",
    ),
    (
        "register_bank", register_bank, "~self.access.write | self.access.strobe.all()", "1",
        "response",
    ),
    # A step starts too early; the steps of a window that is not learned wait for ever.
    ("turns", turns, " & ~untaught)", ")", "start"),
    ("turns", turns, "ready & (learned | ~self.learn)", "ready & learned", "step"),
    ("turns", turns, "self.accept.eq(~full)", "self.accept.eq(1)", "accept"),
    ("turns", turns, 'm.next = "settle"', 'm.next = "window"', "same"),
    # The last slots are not updated; a slot is written into the row of another input.
    (
        "update_pass", update_pass, "ends = row_ends & (slot == slots - 1)",
        "ends = row_ends & (slot == 0)", "time",
    ),
    (
        "update_pass", update_pass, "weight.eq(weight + sizes.rows)", "weight.eq(weight + 1)",
        "write",
    ),
    # A byte without its escape; a CRC that is too short; frames that are too short, or broken.
    (
        "uart_sender", framing, "special = (byte == FLAG) | (byte == ESCAPE)",
        "special = byte == FLAG", "escape",
    ),
    ("uart_sender", framing, "left.eq(3)", "left.eq(2)", "same"),
    ("uart_receiver", framing, "self.length >= SHORTEST", "self.length > 3", "good"),
    ("uart_receiver", framing, "& ~spoilt & ~escaped", "& ~escaped", "good"),
    # A request is heard before the last one is answered; an access is left before it is done; a
    # frame that is not good is carried out.
    ("uart_bridge", bridge, 'm.State("end"), m.If(self.done)', 'm.State("end")', "answer"),
    ("uart_bridge", bridge, "with m.Elif(access.done):", "with m.Else():", "access"),
    ("uart_bridge", bridge, "with m.If(~self.good):", "with m.If(self.good):", "same"),
]  # fmt: skip
"""Units, wrong lines of their modules, and a property that each must violate."""


@pytest.mark.parametrize(("unit", "module", "line", "wrong", "violated"), FAULTS)
def test_wrong_line_violates_a_property(
    unit: str, module: Any, line: str, wrong: str, violated: str
) -> None:
    kind = "uart_frames" if unit in ("uart_sender", "uart_receiver") else unit
    with line_replaced(module, line, wrong):
        assert violated in violations(kind, unit)


@pytest.mark.parametrize("steps", [1, 2, 64])
def test_turns_are_proved_for_any_number_of_steps(steps: int) -> None:
    config = Config.load("tiny").replace(window__steps=steps)
    units = [turn_unit(config, learning=learning) for learning in (True, False)]
    for proof in proofs(units, 1200):
        assert proof.result == "proved", proof


@pytest.mark.parametrize(("inputs", "neurons", "lanes"), [(3, 5, 2), (8, 4, 2), (2, 3, 1)])
def test_update_takes_its_clock_cycles_in_other_sizes(
    inputs: int, neurons: int, lanes: int
) -> None:
    sizes = {"layer__inputs": inputs, "layer__neurons": neurons, "layer__lanes": lanes}
    (proof,) = proofs([update_pass_unit(Config.load("tiny").replace(**sizes))], 1200)
    assert proof.result == "proved", proof


def test_turns_never_wait_longer_than_after_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_monitor, "LONGEST_WAIT", turn_monitor.LONGEST_WAIT - 1)
    assert violations("turns", "turns") == {"wait"}


def test_longest_access_takes_as_long_as_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = register_monitor.longest_access(Config.load("tiny"))
    monkeypatch.setattr(register_monitor, "longest_access", lambda config: longest - 1)
    assert violations("register_seek") == {"late"}


def test_register_that_an_access_could_change_is_watched() -> None:
    (unit,) = units_of(Config.load("tiny"), "register_bank")
    machine = elaborated({unit.name: unit.component()})[unit.name]
    watched = {name.removeprefix("bank.") for name, *_ in unit._held if machine.has(name)}
    assert watched >= {
        "run", "learn", "flush", "load", "port.memory", "port.index", "port.row", "port.lane",
        "port.neuron", "port.high", "effect_control", "effect_load", "choose", "seek", "store",
        "advance", "port.seek_state",
    }  # fmt: skip
