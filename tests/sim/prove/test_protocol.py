"""Properties of protocols, and that a fault violates them."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Module

from bitlif.hdl.bus import axi_lite
from bitlif.hdl.uart import serial
from bitlif.model.config.config import Config
from bitlif.sim.compare.patches import rewired
from bitlif.sim.prove.proofs import UnitProof, proofs, units_of


def proof_of(unit: str) -> UnitProof:
    (proof,) = proofs(units_of(Config.load("tiny"), unit), 1200)
    return proof


@pytest.mark.parametrize(("unit", "bits"), [("axi_lite", 107), ("uart_line", 10)])
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
