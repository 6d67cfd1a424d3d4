"""A monitor of the register bank: accesses are answered once, and refused ones change nothing."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from bitlif.hdl.bus import register_mapped_layer
from bitlif.hdl.bus.registers import REGISTERS, Response, elements
from bitlif.hdl.host_port import HostSignature
from bitlif.model.config.config import Config

from .monitors import before
from .protocol import KEPT, SOME, ZERO, ProtocolUnit
from .unit import used

ANSWER, SEEK = 4, 5
"""Clock cycles of an access before its answer; and the state while an element is sought."""

DEPTH = ANSWER + 3
"""Clock cycles that an induction over accesses looks back."""

EFFECTS = ("effect_control", "effect_load", "choose", "seek", "store", "advance")
"""Pulses by which an access changes something."""

LASTING = (
    "run", "learn", "flush", "load", "port.memory", "port.index", "port.row", "port.lane",
    "port.neuron", "port.place", "port.slot", "port.high",
)  # fmt: skip
"""Registers that an access can change; the counters count what the core reports."""


class RegisterMonitor(Component):
    """Watches the register bank, whose bus and core do anything.

    Parameters
    ----------
    config : Config
    longest : int
        Clock cycles of the longest access, its request included; 0: not watched.

    Members
    -------
    the inputs of `bitlif.hdl.bus.register_bank.RegisterBank`, and its host port
    assumed : Out(1)
        A request and what belongs to it are stable until the access is done; the next clock cycle
        has no request.
    bad_answer : Out(1)
        An access is done before its time, without a request, or twice.
    bad_wait : Out(1)
        An access takes longer, other than to seek an element.
    bad_response : Out(1)
        The response is none of the three; or is not ``DECODE_ERROR`` exactly where no register is;
        or ``OKAY`` for an address that is not aligned, for a part of a word, or for a write to a
        register that can only be read.
    bad_result : Out(1)
        A refused access returns a word other than 0.
    bad_host : Out(1)
        Something is written into the core, or the core is reset, without a write that was allowed.
    bad_late : Out(1)
        Only with `longest`: an access is not done after as many clock cycles.
    refused, early, still, seeking : Out(1)
        What registers of the bank must do: see `register_unit`.
    """

    def __init__(self, config: Config, longest: int = 0) -> None:
        self._longest = longest
        self._bank = used(register_mapped_layer, "RegisterBank")(config)
        members: dict[str, Any] = {
            name: member
            for name, member in self._bank.signature.members.items()
            if name not in ("access", "host") and member.flow == In
        }
        kinds = ["answer", "wait", "response", "result", "host", *(["late"] if longest else [])]
        access = self._bank.access
        super().__init__(
            {
                **members,
                "host": Out(HostSignature(config, learning=True)),
                "request": In(1), "write": In(1), "address": In(access.address.shape()),
                "data": In(access.data.shape()), "strobe": In(access.strobe.shape()),
                "assumed": Out(1), "due_state": Out(range(SEEK + 1)),
                **dict.fromkeys(("refused", "early", "still", "seeking"), Out(1)),
                **{f"bad_{kind}": Out(1) for kind in kinds},
            }
        )  # fmt: skip
        self._forwarded = tuple(members)

    def elaborate(self, platform: object) -> Module:
        """Build the bank, and the age of an access."""
        m = Module()
        m.submodules.bank = bank = self._bank
        connect(m, bank.host, flipped(self.host))
        m.d.comb += [getattr(bank, name).eq(getattr(self, name)) for name in self._forwarded]
        access, offered = bank.access, ("request", "write", "address", "data", "strobe")
        m.d.comb += [getattr(access, name).eq(getattr(self, name)) for name in offered]
        whole = Cat(self.write, self.address, self.data, self.strobe)
        waited = before(m, self.request & ~access.done, "waited")
        ended = before(m, access.done, "ended")
        same = whole == before(m, whole, "whole_before")
        m.d.comb += self.assumed.eq((~waited | (self.request & same)) & ~(ended & self.request))
        age = Signal(range(SEEK + 1), name="age")
        with m.If(access.done):
            m.d.sync += age.eq(0)
        with m.Elif((age != 0) | self.request):
            m.d.sync += age.eq(Mux(age == SEEK, SEEK, age + 1))
        okay, write = access.response == Response.OKAY, self.write
        places = {name: own.offset >> 2 for name, own in REGISTERS.items()}
        place, aligned = self.address[2:], self.address[:2] == 0
        mapped = reduce(or_, (place == own for own in places.values()))
        writable = reduce(
            or_, (place == places[name] for name, own in REGISTERS.items() if own.access == "rw")
        )
        legal = aligned & (~write | (self.strobe.all() & writable))
        known = reduce(or_, (access.response == own for own in Response))
        allowed = (age >= ANSWER) & okay
        enables = bank.host.weights_enable.any() | bank.host.entry_enable
        enables = enables | bank.host.schedule_enable
        data, control = place == places["DATA"], place == places["CONTROL"]
        reset = before(m, allowed & write & control, "reset")
        m.d.comb += [
            self.due_state.eq(age),
            self.bad_answer.eq(
                (access.done & ((age < ANSWER) | ~self.request))
                | (waited != (age != 0))
                | (age > SEEK)
                | (waited & ended)
            ),
            self.bad_wait.eq((age == SEEK) & ~(okay & write & (place == places["ADDRESS"]))),
            self.bad_response.eq(
                (age >= ANSWER)
                & (
                    ~known
                    | ((access.response == Response.DECODE_ERROR) == mapped)
                    | (okay & ~(legal & mapped))
                )
            ),
            self.bad_result.eq((age == ANSWER) & ~okay & (access.result != 0)),
            self.bad_host.eq(
                (bank.restart & ~reset)
                | (enables & ~(allowed & write & data))
                | (
                    bank.restart
                    & ~before(m, allowed & write & (place == places["CONTROL"]), "reset")
                )
            ),
            self.refused.eq(~allowed),
            self.early.eq(~(allowed & (age == ANSWER))),
            self.still.eq(age != SEEK),
            self.seeking.eq(age == SEEK),
        ]
        if self._longest:
            waiting = Signal(range(self._longest + 2), name="waiting")
            with m.If(access.done):
                m.d.sync += waiting.eq(0)
            with m.Elif(self.request):
                m.d.sync += waiting.eq(waiting + 1)
            late = waiting >= self._longest
            m.d.comb += self.bad_late.eq(late | (~waited & (waiting != 0)))
        return m


SAME = (("bank.access_state", "due_state"),)
HELD = (
    *((f"bank.{name}", ZERO, "early") for name in EFFECTS),
    *((f"bank.{name}", KEPT, "refused") for name in LASTING),
    ("bank.port.seek_state", ZERO, "still"),
    ("bank.port.seek_state", SOME, "seeking"),
)


def register_unit(config: Config) -> ProtocolUnit:
    """Return the register bank of a configuration."""
    return ProtocolUnit(
        "register_bank", lambda: RegisterMonitor(config), DEPTH, same=SAME, held=HELD
    )


def longest_access(config: Config) -> int:
    """Return the clock cycles of the longest access: of a seek to the farthest element."""
    most = max(own.count for own in elements(config, learning=True).values())
    seeks = [sum(divmod(own, config.layer.neurons)) + 2 for own in range(most)]
    return ANSWER + 1 + 2 * max(seeks)


def seek_unit() -> ProtocolUnit:
    """Return the register bank of `tiny`, whose seeks are short enough to follow to their end."""
    config = Config.load("tiny")
    longest = longest_access(config)
    return ProtocolUnit(
        "register_seek", lambda: RegisterMonitor(config, longest), longest + 1, same=SAME,
        held=HELD, only="bad_late",
    )  # fmt: skip
