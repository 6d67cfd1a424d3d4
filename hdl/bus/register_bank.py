"""The registers of `bitlif.hdl.bus.registers`, between a bus and a layer core."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from bitlif.hdl.core_signals import COUNTER_BITS, COUNTERS
from bitlif.hdl.host_port import HostSignature
from bitlif.model.config.config import Config

from .elements import ElementPort
from .register_port import AccessSignature
from .registers import REGISTERS, WORD_BITS, Register, Response, constants

EVENT_COUNTERS = ("windows", "dropped_events", "held_targets")
"""Registers, in lower case, that count pulses of the members with these names."""


class RegisterBank(wiring.Component):
    """Answers register accesses; an illegal access is refused and changes nothing.

    Members
    -------
    access : In(AccessSignature)
    host : Out(HostSignature)
        Host port of the core.
    phase, digest, current_saturations ... : In
        Outputs of the core.
    windows, dropped_events, held_targets : In(1)
        Pulses that are counted.
    event_waiting : In(1)
        An output event waits.
    run, learn, flush : Out(1)
        Bits of CONTROL; ``learn`` is 0 without learning hardware, ``run`` is 0 while LOAD is 1.
    window : Out(1)
        A window is in progress.
    restart : Out(1)
        Pulse: resets the core.

    Latency: 5 clock cycles per access, plus `ElementPort.seek_clocks` for a write to ADDRESS.
    Throughput: one access at a time. Handshake: no window may begin while ``access.request`` is
    high, so that an access sees one state. Reset: all registers are 0.
    """

    def __init__(self, config: Config, *, learning: bool = True) -> None:
        self._config = config
        self._learning = learning
        super().__init__(
            {
                "access": In(AccessSignature()),
                "host": Out(HostSignature(config, learning=learning)),
                "phase": In(range(len(config.schedule))),
                "digest": In(WORD_BITS),
                **{name: In(COUNTER_BITS) for name in COUNTERS},
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
        """Build the element port, the read data, the checks and the effects of an access."""
        m = Module()
        access = self.access
        m.submodules.port = port = ElementPort(self._config, learning=self._learning)
        connect(m, port.host, flipped(self.host))
        ready = Signal()
        was_idle = Signal()
        m.d.sync += [was_idle.eq(self.host.idle), self.restart.eq(0)]
        with m.If(self.restart):
            m.d.sync += ready.eq(0)
        with m.Elif(self.host.idle):
            m.d.sync += ready.eq(1)
        m.d.comb += [self.window.eq(ready & ~self.host.idle), port.word.eq(access.data)]
        run = Signal()
        load = Signal()
        m.d.comb += self.run.eq(run & ~load)
        self._decode(m)
        permitted = Signal()
        content = self._check_content(port, was_idle, load)
        m.d.sync += permitted.eq(self._check_form(m) & content)
        self._show(m, port, permitted, ready, run, load)
        # Each effect is a register: the paths into the core begin here.
        effects = {
            name: Signal(name=f"effect_{name.lower()}")
            for name in ("CONTROL", "LOAD", "MEMORY", "ADDRESS")
        }
        m.d.sync += [own.eq(0) for own in (*effects.values(), port.store, port.advance)]
        m.d.comb += [port.choose.eq(effects["MEMORY"]), port.seek.eq(effects["ADDRESS"])]
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
                    m.d.sync += [
                        port.store.eq(access.write & self._at["DATA"]),
                        port.advance.eq(self._at["DATA"]),
                    ]
                m.next = "answer"
            with m.State("answer"):
                m.d.comb += access.done.eq(~port.seek)
                m.next = "wait"
                with m.If(port.seek):
                    m.next = "seek"
            with m.State("seek"), m.If(port.sought):
                m.d.comb += access.done.eq(1)
                m.next = "wait"
        with m.If(effects["CONTROL"]):
            self._control(m, run)
        with m.If(effects["LOAD"]):
            m.d.sync += load.eq(access.data[0])
        return m

    def _decode(self, m: Module) -> None:
        """Build registers that tell which register is accessed; of odd addresses, none.

        Registers with constant values share one.
        """
        address, fixed = self.access.address, constants(self._config, learning=self._learning)
        self._mapped = Signal(name="mapped")
        self._whole = Signal(name="whole")
        self._at_constant = Signal(name="at_constant")
        self._at = {
            name: Signal(name=f"at_{name.lower()}") for name in REGISTERS if name not in fixed
        }
        # Registers with equal upper bits of the address share their comparison.
        quads = {
            number: Signal(name=f"quad_{number:x}")
            for number in sorted({own.offset >> 4 for own in REGISTERS.values()})
        }
        m.d.comb += [own.eq(address[4:] == number) for number, own in quads.items()]
        found = {
            name: quads[own.offset >> 4] & (address[2:4] == (own.offset >> 2) % 4)
            for name, own in REGISTERS.items()
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
        port: ElementPort,
        permitted: Signal,
        ready: Signal,
        run: Signal,
        load: Signal,
    ) -> None:
        """Build the read data: valid with ``done``, 0 if no register or element was read."""
        fields = {
            "CONTROL": {"run": run, "learn": self.learn, "flush": self.flush},
            "STATUS": {
                "idle": self.host.idle,
                "ready": ready,
                "event_waiting": self.event_waiting,
            },
            "LOAD": {"load": load},
        }
        values: dict[str, Value] = {
            "PHASE": self.phase,
            "SIGNATURE": self.digest,
            **{name.upper(): getattr(self, name) for name in COUNTERS},
            **{name.upper(): self._count(m, name) for name in EVENT_COUNTERS},
            "MEMORY": port.memory,
            "ADDRESS": port.index,
            "DATA_HIGH": port.high,
            "ELEMENTS": port.count,
        }
        for name, own in fields.items():
            values[name] = word = Signal(WORD_BITS, name=f"{name.lower()}_word")
            m.d.comb += [
                word[REGISTERS[name].field(field).low].eq(value) for field, value in own.items()
            ]
        constant = Signal(WORD_BITS)
        with m.Switch(self.access.address[2:6]):
            for name, number in constants(self._config, learning=self._learning).items():
                with m.Case(REGISTERS[name].offset // 4):
                    m.d.comb += constant.eq(number)
        m.d.comb += port.show.eq(self._at["DATA"])
        terms = [port.value, Mux(self._at_constant, constant, 0)]
        terms += [Mux(self._at[name], value, 0) for name, value in values.items()]
        m.d.sync += self.access.result.eq(reduce(or_, terms))
        with m.If(~permitted):
            m.d.sync += self.access.result.eq(0)

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
        for name, register in REGISTERS.items():
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

    def _check_content(self, port: ElementPort, was_idle: Signal, load: Signal) -> Value:
        """Return whether the state of the core and the word allow the access."""
        write, word = self.access.write, self.access.data
        control = REGISTERS["CONTROL"]
        run, learn, reset = (word[control.field(name).low] for name in ("run", "learn", "reset"))
        return (
            ~(self._at["DATA"] & ~(was_idle & ~port.ended & (~write | port.fits)))
            & ~(self._at["MEMORY"] & write & ~port.known)
            & ~(self._at["ADDRESS"] & write & ~port.inside)
            & ~(self._at["CONTROL"] & write & self.window & (learn != self.learn) & ~reset)
            & ~(self._at["CONTROL"] & write & run & load)
        )

    def _control(self, m: Module, run: Signal) -> None:
        """Store a word written to CONTROL."""
        register, word = REGISTERS["CONTROL"], self.access.data
        m.d.sync += [
            run.eq(word[register.field("run").low]),
            self.flush.eq(word[register.field("flush").low]),
            self.restart.eq(word[register.field("reset").low]),
        ]
        if self._learning:
            m.d.sync += self.learn.eq(word[register.field("learn").low])
