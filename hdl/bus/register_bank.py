"""The registers of `bitlif.hdl.bus.register_map`, between a bus and a core."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, reduce
from operator import and_, or_
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from bitlif.hdl.core_signals import COUNTER_BITS
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig

from .elements import element_ports, host_signatures
from .register_map import register_map
from .register_port import AccessSignature
from .registers import WORD_BITS, Register, Response

EVENT_COUNTERS = ("windows", "dropped_events", "held_targets")
"""Registers, in lower case, that count pulses of the members with these names."""


class RegisterBank(wiring.Component):
    """Answers register accesses; an illegal access is refused and changes nothing.

    Parameters
    ----------
    config : bitlif.Config or bitlif.NetworkConfig
    learning : bool
        Whether the core has learning hardware.

    Members
    -------
    access : In(AccessSignature)
    host : Out(HostSignature)
        Host port of the core; in a network, ``host_0``, ``host_1``, ... of the layers.
    phase, current_saturations ... : In
        Outputs of the core; in a network likewise.
    digest : In(32)
        Signature of the core; in a network, also ``digest_0`` ... of the layers.
    idle : In(1)
        No layer has a window in progress; only for networks.
    windows, dropped_events, held_targets : In(1)
        Pulses that are counted.
    event_waiting : In(1)
        An output event waits.
    run, learn, flush : Out(1)
        Bits of CONTROL; ``learn`` is 0 without learning hardware, ``run`` is 0 while LOAD is 1.
    window : Out(1)
        A window is in progress.
    entered : Out(1)
        The first layer has a window in progress; only for networks.
    ready : Out(1)
        The core has been idle since the reset; only for networks.
    restart : Out(1)
        Pulse: resets the core.

    Latency: 5 clock cycles per access, plus `ElementPort.seek_clocks` for a write to ADDRESS.
    Throughput: one access at a time. Handshake: no window may begin while ``access.request`` is
    high, so that an access sees one state. Reset: all registers are 0.
    """

    def __init__(self, config: Config | NetworkConfig, *, learning: bool = True) -> None:
        self._map = own = register_map(config, learning=learning)
        self._config, self._learning = config, learning
        members: dict[str, wiring.Member] = {"access": In(AccessSignature())}
        outputs: dict[str, wiring.Member] = {"digest": In(WORD_BITS)}
        hosts = host_signatures(config, learning=learning)
        for place, host in zip(own.places, hosts, strict=True):
            members[f"host{place.suffix}"] = Out(host)
            outputs[f"phase{place.suffix}"] = In(range(len(place.config.schedule)))
            outputs[f"digest{place.suffix}"] = In(WORD_BITS)
            outputs |= {f"{name}{place.suffix}": In(COUNTER_BITS) for name in own.counters}
        if own.selects:
            members |= {"idle": In(1), "entered": Out(1), "ready": Out(1)}
        super().__init__(
            {
                **members,
                **outputs,
                **dict.fromkeys(EVENT_COUNTERS, In(1)),
                "event_waiting": In(1),
                "run": Out(1),
                "learn": Out(1),
                "flush": Out(1),
                "window": Out(1),
                "restart": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the element ports, the read data, the checks and the effects of an access."""
        m = Module()
        access, selects = self.access, self._map.selects
        self._ports = ports = element_ports(self._config, learning=self._learning)
        for place, port in zip(self._map.places, ports, strict=True):
            m.submodules[f"port{place.suffix}"] = port
            connect(m, port.host, flipped(getattr(self, f"host{place.suffix}")))
        idle: Signal = self.idle if selects else self.host.idle
        ready = self.ready if selects else Signal(name="ready")
        was_idle = Signal()
        m.d.sync += [was_idle.eq(idle), self.restart.eq(0)]
        with m.If(self.restart):
            m.d.sync += ready.eq(0)
        with m.Elif(idle):
            m.d.sync += ready.eq(1)
        m.d.comb += self.window.eq(ready & ~idle)
        m.d.comb += [port.word.eq(access.data) for port in ports]
        run = Signal()
        load = Signal()
        m.d.comb += self.run.eq(run & ~load)
        self._select(m)
        if selects:
            m.d.comb += self.entered.eq(ready & ~self.host_0.idle)
        self._decode(m)
        permitted = Signal()
        content = self._check_content(was_idle, load)
        m.d.sync += permitted.eq(self._check_form(m) & content)
        self._show(m, permitted, ready, run, load)
        # Each effect is a register: the paths into the core begin here.
        written = ("CONTROL", "LOAD", "MEMORY", "ADDRESS", *(("LAYER",) if selects else ()))
        effects = {name: Signal(name=f"effect_{name.lower()}") for name in written}
        pulses = [port.store for port in ports] + [port.advance for port in ports]
        m.d.sync += [own.eq(0) for own in (*effects.values(), *pulses)]
        for port, here in zip(ports, self._here, strict=True):
            m.d.comb += [
                port.choose.eq(here(effects["MEMORY"])),
                port.seek.eq(here(effects["ADDRESS"])),
            ]
        with m.FSM(name="access"):
            with m.State("wait"), m.If(access.request):
                m.next = "fetch"
            with m.State("fetch"):
                # The element after the last access may take one clock cycle more than a register.
                m.next = "check"
            with m.State("check"):
                m.next = "judge"
            with m.State("judge"):
                m.d.sync += access.response.eq(Response.SLAVE_ERROR)
                with m.If(~self._mapped):
                    m.d.sync += access.response.eq(Response.DECODE_ERROR)
                with m.If(permitted):
                    m.d.sync += access.response.eq(Response.OKAY)
                    m.d.sync += [
                        own.eq(access.write & self._at[name]) for name, own in effects.items()
                    ]
                    for port, here in zip(ports, self._here, strict=True):
                        m.d.sync += [
                            port.store.eq(here(access.write & self._at["DATA"])),
                            port.advance.eq(here(self._at["DATA"])),
                        ]
                m.next = "answer"
            with m.State("answer"):
                m.d.comb += access.done.eq(~effects["ADDRESS"])
                m.next = "wait"
                with m.If(effects["ADDRESS"]):
                    m.next = "seek"
            with m.State("seek"), m.If(reduce(or_, (port.sought for port in ports))):
                m.d.comb += access.done.eq(1)
                m.next = "wait"
        with m.If(effects["CONTROL"]):
            self._control(m, run)
        with m.If(effects["LOAD"]):
            m.d.sync += load.eq(access.data[0])
        if selects:
            with m.If(effects["LAYER"]):
                m.d.sync += self._layer.eq(access.data)
        return m

    def _select(self, m: Module) -> None:
        """Build the number of the selected layer, and what limits an effect to that layer."""
        self._here: list[Callable[[Value], Value]] = [lambda value: value]
        if not self._map.selects:
            return
        self._layer = layer = Signal(range(max(2, len(self._map.places))))
        self._here = []
        for place in self._map.places:
            # A register, because much depends on it.
            selected = Signal(name=f"selected{place.suffix}", init=not self._here)
            m.d.sync += selected.eq(layer == len(self._here))
            self._here.append(partial(and_, selected))

    def _of_layer(self, values: Iterable[Any]) -> Value:
        """Return the value of the selected layer."""
        given = [Value.cast(value) for value in values]
        if not self._map.selects:
            return given[0]
        terms = [
            Mux(here(Value.cast(1)), value, 0)
            for here, value in zip(self._here, given, strict=True)
        ]
        return reduce(or_, terms)

    def _decode(self, m: Module) -> None:
        """Build registers that tell which register is accessed; of odd addresses, none.

        Registers with constant values share one.
        """
        address, fixed, registers = self.access.address, self._map.fixed, self._map.registers
        self._mapped = Signal(name="mapped")
        self._whole = Signal(name="whole")
        self._at_constant = Signal(name="at_constant")
        self._at = {
            name: Signal(name=f"at_{name.lower()}") for name in registers if name not in fixed
        }
        # Registers with equal upper bits of the address share their comparison.
        quads = {
            number: Signal(name=f"quad_{number:x}")
            for number in sorted({own.offset >> 4 for own in registers.values()})
        }
        m.d.comb += [own.eq(address[4:] == number) for number, own in quads.items()]
        found = {
            name: quads[own.offset >> 4] & (address[2:4] == (own.offset >> 2) % 4)
            for name, own in registers.items()
        }
        aligned = address[:2] == 0
        m.d.sync += [
            self._mapped.eq(reduce(or_, found.values())),
            self._whole.eq(aligned & (~self.access.write | self.access.strobe.all())),
            self._at_constant.eq(aligned & reduce(or_, (found[name] for name in fixed))),
            *(own.eq(aligned & found[name]) for name, own in self._at.items()),
        ]

    def _show(
        self,
        m: Module,
        permitted: Signal,
        ready: Signal,
        run: Signal,
        load: Signal,
    ) -> None:
        """Build the read data: valid with ``done``, 0 if no register or element was read."""
        registers, ports = self._map.registers, self._ports
        idle = self.idle if self._map.selects else self.host.idle
        fields = {
            "CONTROL": {"run": run, "learn": self.learn, "flush": self.flush},
            "STATUS": {
                "idle": idle,
                "ready": ready,
                "event_waiting": self.event_waiting,
            },
            "LOAD": {"load": load},
        }
        values: dict[str, Value] = {
            "PHASE": self._of_layer(self._outputs("phase")),
            "SIGNATURE": self.digest,
            **{name.upper(): self._of_layer(self._outputs(name)) for name in self._map.counters},
            **{name.upper(): self._count(m, name) for name in EVENT_COUNTERS},
            "MEMORY": self._of_layer(port.memory for port in ports),
            "ADDRESS": self._of_layer(port.index for port in ports),
            "DATA_HIGH": self._of_layer(port.high for port in ports),
            "ELEMENTS": self._of_layer(port.count for port in ports),
        }
        if self._map.selects:
            values["LAYER"] = self._layer
            values["LAYER_SIGNATURE"] = self._of_layer(self._outputs("digest"))
        for name, own in fields.items():
            values[name] = word = Signal(WORD_BITS, name=f"{name.lower()}_word")
            m.d.comb += [
                word[registers[name].field(field).low].eq(value) for field, value in own.items()
            ]
        constant = Signal(WORD_BITS)
        with m.Switch(self.access.address[2:6]):
            for name in self._map.fixed:
                with m.Case(registers[name].offset // 4):
                    m.d.comb += constant.eq(self._constant(name))
        for port, here in zip(ports, self._here, strict=True):
            m.d.comb += port.show.eq(here(self._at["DATA"]))
        terms = [*(port.value for port in ports), Mux(self._at_constant, constant, 0)]
        terms += [Mux(self._at[name], value, 0) for name, value in values.items()]
        m.d.sync += self.access.result.eq(reduce(or_, terms))
        with m.If(~permitted):
            m.d.sync += self.access.result.eq(0)

    def _outputs(self, name: str) -> list[Value]:
        """Return an output of each layer."""
        return [getattr(self, f"{name}{place.suffix}") for place in self._map.places]

    def _constant(self, name: str) -> Value:
        """Return the value of a register that never changes, or only with the layer."""
        if name in self._map.constants:
            return Value.cast(self._map.constants[name])
        return self._of_layer(place.constants[name] for place in self._map.places)

    def _count(self, m: Module, name: str) -> Signal:
        """Count the pulses of a member since the reset of the core; the counter saturates."""
        total = Signal(COUNTER_BITS, name=f"{name}_total")
        following = Signal(COUNTER_BITS + 1, name=f"{name}_following")
        m.d.comb += following.eq(total + 1)
        with m.If(self.restart):
            m.d.sync += total.eq(0)
        with m.Elif(getattr(self, name) & ~following[-1]):
            m.d.sync += total.eq(following)
        return total

    def _check_form(self, m: Module) -> Value:
        """Return whether the register exists, and whether the form of the access is legal.

        Valid as soon as the registers of `_decode`.
        """
        access = self.access
        writable: list[Value] = []
        for name, register in self._map.registers.items():
            if register.access == "rw":
                reserved = Signal(name=f"{name.lower()}_reserved")
                others = ~self._mask(register) & ((1 << WORD_BITS) - 1)
                m.d.sync += reserved.eq((access.data & others).any())
                writable.append(self._at[name] & ~reserved)
        return self._mapped & self._whole & (~access.write | reduce(or_, writable))

    def _mask(self, register: Register) -> int:
        """Return the bits that can be 1 in a word written to a register."""
        if not register.fields:
            return (1 << WORD_BITS) - 1
        absent = () if self._learning else ("learn",)
        return sum(field.mask for field in register.fields if field.name not in absent)

    def _check_content(self, was_idle: Signal, load: Signal) -> Value:
        """Return whether the state of the core and the word allow the access."""
        write, word = self.access.write, self.access.data
        control, ports = self._map.registers["CONTROL"], self._ports
        run, learn, reset = (word[control.field(name).low] for name in ("run", "learn", "reset"))
        ended, fits, known, inside = (
            self._of_layer(getattr(port, name) for port in ports)
            for name in ("ended", "fits", "known", "inside")
        )
        legal = (
            ~(self._at["DATA"] & ~(was_idle & ~ended & (~write | fits)))
            & ~(self._at["MEMORY"] & write & ~known)
            & ~(self._at["ADDRESS"] & write & ~inside)
            & ~(self._at["CONTROL"] & write & self.window & (learn != self.learn) & ~reset)
            & ~(self._at["CONTROL"] & write & run & load)
        )
        if self._map.selects:
            field, layers = self._map.registers["LAYER"].field("layer"), len(self._map.places)
            legal = legal & ~(self._at["LAYER"] & write & (word[: field.bits] >= layers))
        return legal

    def _control(self, m: Module, run: Signal) -> None:
        """Store a word written to CONTROL."""
        register, word = self._map.registers["CONTROL"], self.access.data
        m.d.sync += [
            run.eq(word[register.field("run").low]),
            self.flush.eq(word[register.field("flush").low]),
            self.restart.eq(word[register.field("reset").low]),
        ]
        if self._learning:
            m.d.sync += self.learn.eq(word[register.field("learn").low])
