"""A monitor of the register bank: accesses are answered once, and refused ones change nothing."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from bitlif.hdl.bus import register_mapped_layer
from bitlif.hdl.bus.elements import host_signatures
from bitlif.hdl.bus.register_map import register_map
from bitlif.hdl.bus.registers import Response, elements
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig

from .monitors import before
from .protocol import KEPT, SOME, ZERO, ProtocolUnit
from .unit import used

ANSWER, SEEK = 4, 5
"""Clock cycles of an access before its answer; and the state while an element is sought."""

DEPTH = ANSWER + 3
"""Clock cycles that an induction over accesses looks back."""

EFFECTS = (
    "effect_control", "effect_load", "effect_layer", "effect_memory", "effect_address", "choose",
    "seek",
)  # fmt: skip
PULSES = ("store", "advance")
"""Pulses by which an access changes something: in the bank, and in the element port of a layer."""

LASTING = ("run", "learn", "flush", "load")
POINTER = ("memory", "index", "row", "lane", "neuron", "place", "slot", "high")
"""Registers that an access can change: of the bank, and of the element port of a layer; the
counters count what the core reports."""

WATCHED = ("refused", "early", "still", "seeking")
"""Outputs of the monitor for each layer."""


class RegisterMonitor(Component):
    """Watches the register bank, whose bus and core do anything.

    Parameters
    ----------
    config : Config or NetworkConfig
    longest : int
        Clock cycles of the longest access, its request included; 0: not watched.

    Members
    -------
    the inputs of `bitlif.hdl.bus.register_bank.RegisterBank`, and its host port or ports
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
        Something is written into the core, or the core is reset, without a write that was allowed;
        or into a layer that is not selected.
    bad_late : Out(1)
        Only with `longest`: an access is not done after as many clock cycles.
    refused, early, still : Out(1)
        What registers of the bank must do: see `register_unit`.
    refused_0, early_0, still_0, seeking_0, ... : Out(1)
        Likewise, of the element port of each layer: only an access to a selected layer changes it.
    due_layer, due_selected_0, ... : Out
        Registers of the selection; only of networks.
    """

    def __init__(self, config: Config | NetworkConfig, longest: int = 0) -> None:
        self._longest = longest
        self._map = own = register_map(config)
        self._bank = used(register_mapped_layer, "RegisterBank")(config)
        hosts = host_signatures(config, learning=True)
        self._hosts = {
            f"host{place.suffix}": host for place, host in zip(own.places, hosts, strict=True)
        }
        numbers = range(len(own.places))
        self._selected = [f"due_selected_{k}" for k in numbers] if own.selects else []
        members: dict[str, Any] = {
            name: member
            for name, member in self._bank.signature.members.items()
            if name != "access" and name not in self._hosts and member.flow == In
        }
        kinds = ["answer", "wait", "response", "result", "host", *(["late"] if longest else [])]
        access = self._bank.access
        super().__init__(
            {
                **members,
                **{name: Out(host) for name, host in self._hosts.items()},
                "request": In(1), "write": In(1), "address": In(access.address.shape()),
                "data": In(access.data.shape()), "strobe": In(access.strobe.shape()),
                "assumed": Out(1), "due_state": Out(range(SEEK + 1)),
                **dict.fromkeys(("refused", "early", "still"), Out(1)),
                **{f"{kind}_{k}": Out(1) for kind in WATCHED for k in numbers},
                **dict.fromkeys(self._selected, Out(1)),
                **({"due_layer": Out(range(max(2, len(numbers))))} if own.selects else {}),
                **{f"bad_{kind}": Out(1) for kind in kinds},
            }
        )  # fmt: skip
        self._forwarded = tuple(members)

    def elaborate(self, platform: object) -> Module:
        """Build the bank, and the age of an access."""
        m = Module()
        m.submodules.bank = bank = self._bank
        for name in self._hosts:
            connect(m, getattr(bank, name), flipped(getattr(self, name)))
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
        okay, write, registers = access.response == Response.OKAY, self.write, self._map.registers
        places = {name: own.offset >> 2 for name, own in registers.items()}
        place, aligned = self.address[2:], self.address[:2] == 0
        mapped = reduce(or_, (place == own for own in places.values()))
        writable = reduce(
            or_, (place == places[name] for name, own in registers.items() if own.access == "rw")
        )
        legal = aligned & (~write | (self.strobe.all() & writable))
        known = reduce(or_, (access.response == own for own in Response))
        allowed = (age >= ANSWER) & okay
        data, control = place == places["DATA"], place == places["CONTROL"]
        reset = before(m, allowed & write & control, "reset")
        here, wrong_layer = self._select(m, allowed & write & (age == ANSWER))
        stray = []
        for number, (name, own) in enumerate(zip(self._hosts, here, strict=True)):
            host = getattr(bank, name)
            enables = [getattr(host, part) for part in host.signature.members if "enable" in part]
            writes = reduce(or_, (part.any() for part in enables))
            stray.append(writes & ~(allowed & write & data & own))
            m.d.comb += [
                getattr(self, f"refused_{number}").eq(~(allowed & own)),
                getattr(self, f"early_{number}").eq(~(allowed & own & (age == ANSWER))),
                getattr(self, f"still_{number}").eq((age != SEEK) | ~own),
                getattr(self, f"seeking_{number}").eq((age == SEEK) & own),
            ]
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
                    | wrong_layer
                )
            ),
            self.bad_result.eq((age == ANSWER) & ~okay & (access.result != 0)),
            self.bad_host.eq((bank.restart & ~reset) | reduce(or_, stray)),
            self.refused.eq(~allowed),
            self.early.eq(~(allowed & (age == ANSWER))),
            self.still.eq(age != SEEK),
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

    def _select(self, m: Module, written: Value) -> tuple[list[Value], Value]:
        """Return whether each layer is selected, and whether a layer is taken that is none."""
        if not self._map.selects:
            return [Value.cast(1)], Value.cast(0)
        number = Signal.like(self.due_layer, name="layer_chosen")
        written = written & (self.address[2:] == self._map.registers["LAYER"].offset >> 2)
        with m.If(written):
            m.d.sync += number.eq(self.data)
        m.d.comb += self.due_layer.eq(number)
        here = []
        for own, name in enumerate(self._selected):
            # As the bank: a register behind the number.
            selected = Signal(name=f"chosen_{own}", init=not own)
            m.d.sync += selected.eq(number == own)
            m.d.comb += getattr(self, name).eq(selected)
            here.append(selected)
        return here, written & (self.data >= len(here))


def _same(config: Config | NetworkConfig) -> tuple[tuple[str, str], ...]:
    """Return the registers of the bank that the monitor has, too."""
    pairs = [("bank.access_state", "due_state"), ("bank._layer", "due_layer")]
    places = enumerate(register_map(config).places)
    return (*pairs, *((f"bank.selected{own.suffix}", f"due_selected_{k}") for k, own in places))


def _held(config: Config | NetworkConfig) -> tuple[tuple[str, str, str], ...]:
    """Return what registers of the bank, and of the element port of each layer, must do."""
    found = [(f"bank.{name}", ZERO, "early") for name in EFFECTS]
    found += [(f"bank.{name}", KEPT, "refused") for name in (*LASTING, "_layer")]
    for number, own in enumerate(register_map(config).places):
        port = f"bank.port{own.suffix}"
        pulses = [f"{port}.{name}" if own.suffix else f"bank.{name}" for name in PULSES]
        found += [(name, ZERO, f"early_{number}") for name in pulses]
        found += [(f"{port}.{name}", KEPT, f"refused_{number}") for name in POINTER]
        found += [
            (f"{port}.seek_state", ZERO, f"still_{number}"),
            (f"{port}.seek_state", SOME, f"seeking_{number}"),
        ]
    return tuple(found)


def register_unit(config: Config | NetworkConfig) -> ProtocolUnit:
    """Return the register bank of a configuration."""
    return ProtocolUnit(
        "register_bank", lambda: RegisterMonitor(config), DEPTH, same=_same(config),
        held=_held(config),
    )  # fmt: skip


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
        "register_seek", lambda: RegisterMonitor(config, longest), longest + 1,
        same=_same(config), held=_held(config), only="bad_late",
    )  # fmt: skip
