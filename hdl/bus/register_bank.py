"""The registers of `bitlif.hdl.bus.registers`, between a bus and a layer core."""

from __future__ import annotations

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
"""Registers, in lower case, that count the pulses of the members of the same names."""


class RegisterBank(wiring.Component):
    """Answers accesses; refuses those that are not lawful, and then changes nothing.

    Members
    -------
    access : In(AccessSignature)
    host : Out(HostSignature)
        Of the core.
    phase, digest, current_saturations ... : In
        The core's.
    windows, dropped_events, held_targets : In(1)
        One more of these, with this clock.
    event_waiting : In(1)
        An output event waits to be taken.
    run, learn, flush : Out(1)
        The bits of CONTROL; ``learn`` is always 0 without learning hardware, ``run`` while LOAD
        is 1.
    window : Out(1)
        A window is under way.
    restart : Out(1)
        The core starts anew.

    Latency: an access takes 3 clocks, writing ADDRESS `ElementPort.seek_clocks` more. Handshake:
    no window may begin while ``access.request`` is high, so that one access sees one state. Reset:
    all registers 0.
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
        """Build the elements' port, what reads show, what is lawful, and the effects."""
        m = Module()
        access = self.access
        m.submodules.port = port = ElementPort(self._config, learning=self._learning)
        connect(m, port.host, flipped(self.host))
        ready, was_idle = Signal(), Signal()
        m.d.sync += [was_idle.eq(self.host.idle), self.restart.eq(0)]
        with m.If(self.restart):
            m.d.sync += ready.eq(0)
        with m.Elif(self.host.idle):
            m.d.sync += ready.eq(1)
        m.d.comb += [self.window.eq(ready & ~self.host.idle), port.word.eq(access.data)]
        high, run, load = Signal(WORD_BITS), Signal(), Signal()
        m.d.comb += self.run.eq(run & ~load)
        shown = self._show(m, port, ready, high, run, load)
        mapped, lawful = self._judge_form(m)
        with m.FSM(name="access"):
            with m.State("wait"), m.If(access.request):
                m.next = "judge"
            with m.State("judge"):
                with m.If(~mapped):
                    m.d.sync += access.response.eq(Response.DECODE_ERROR)
                with m.Elif(lawful & self._judge_content(port, was_idle, load)):
                    m.d.sync += access.response.eq(Response.OKAY)
                with m.Else():
                    m.d.sync += access.response.eq(Response.SLAVE_ERROR)
                m.next = "answer"
            with m.State("answer"):
                m.d.comb += access.done.eq(1)
                m.next = "wait"
                with m.If(access.response == Response.OKAY):
                    m.d.comb += access.result.eq(Mux(self._at("DATA"), port.value, shown))
                    with m.If(self._at("DATA")):
                        m.d.comb += [port.store.eq(access.write), port.advance.eq(1)]
                        with m.If(~access.write):
                            m.d.sync += high.eq(port.value[WORD_BITS:])
                    with m.If(access.write & self._at("CONTROL")):
                        self._control(m, run)
                    with m.If(access.write & self._at("LOAD")):
                        m.d.sync += load.eq(access.data[0])
                    with m.If(access.write & self._at("MEMORY")):
                        m.d.comb += port.choose.eq(1)
                    with m.If(access.write & self._at("ADDRESS")):
                        m.d.comb += [port.seek.eq(1), access.done.eq(0)]
                        m.next = "seek"
            with m.State("seek"), m.If(port.sought):
                m.d.comb += access.done.eq(1)
                m.next = "wait"
        return m

    def _at(self, name: str) -> Value:
        """Return whether the access is to this register."""
        return self.access.address == REGISTERS[name].offset

    def _show(
        self, m: Module, port: ElementPort, ready: Signal, high: Signal, run: Signal, load: Signal
    ) -> Signal:
        """Return what reading shows, but for DATA, a clock after the address."""
        fields = {
            "CONTROL": {"run": run, "learn": self.learn, "flush": self.flush},
            "STATUS": {
                "idle": self.host.idle,
                "ready": ready,
                "event_waiting": self.event_waiting,
            },
            "LOAD": {"load": load},
        }
        values: dict[str, Value | int] = {
            **constants(self._config, learning=self._learning),
            "PHASE": self.phase,
            "SIGNATURE": self.digest,
            **{name.upper(): getattr(self, name) for name in COUNTERS},
            **{name.upper(): self._count(m, name) for name in EVENT_COUNTERS},
            "MEMORY": port.memory,
            "ADDRESS": port.index,
            "DATA_HIGH": high,
            "ELEMENTS": port.count,
        }
        shown = Signal(WORD_BITS)
        m.d.sync += shown.eq(0)
        with m.Switch(self.access.address[2:]):
            for name, register in REGISTERS.items():
                with m.Case(register.offset // 4):
                    if name in values:
                        m.d.sync += shown.eq(values[name])
                    for field, value in fields.get(name, {}).items():
                        m.d.sync += shown[register.field(field).low].eq(value)
        return shown

    def _count(self, m: Module, name: str) -> Signal:
        """Count a member's pulses since the core's start, up to the last value."""
        total = Signal(COUNTER_BITS, name=f"{name}_total")
        with m.If(self.restart):
            m.d.sync += total.eq(0)
        with m.Elif(getattr(self, name) & ~total.all()):
            m.d.sync += total.eq(total + 1)
        return total

    def _judge_form(self, m: Module) -> tuple[Signal, Signal]:
        """Return whether there is such a register, and whether it may be accessed like that.

        Both a clock after the access has come.
        """
        access = self.access
        mapped, lawful = Signal(), Signal()
        whole = (access.address[:2] == 0) & (~access.write | access.strobe.all())
        m.d.sync += [mapped.eq(0), lawful.eq(0)]
        with m.Switch(access.address[2:]):
            for register in REGISTERS.values():
                with m.Case(register.offset // 4):
                    writable = Value.cast(0)
                    if register.access == "rw":
                        writable = (access.data & ~self._mask(register) & 0xFFFFFFFF) == 0
                    m.d.sync += [mapped.eq(1), lawful.eq(whole & (~access.write | writable))]
        return mapped, lawful

    def _mask(self, register: Register) -> int:
        """Return the bits that may be 1 in a word that is written."""
        if not register.fields:
            return (1 << WORD_BITS) - 1
        absent = () if self._learning else ("learn",)
        return sum(field.mask for field in register.fields if field.name not in absent)

    def _judge_content(self, port: ElementPort, was_idle: Signal, load: Signal) -> Value:
        """Return whether the core's state and the word allow the access."""
        write, word = self.access.write, self.access.data
        control = REGISTERS["CONTROL"]
        run, learn, reset = (word[control.field(name).low] for name in ("run", "learn", "reset"))
        return (
            ~(self._at("DATA") & ~(was_idle & ~port.ended & (~write | port.fits)))
            & ~(self._at("MEMORY") & write & ~port.known)
            & ~(self._at("ADDRESS") & write & ~port.inside)
            & ~(self._at("CONTROL") & write & self.window & (learn != self.learn) & ~reset)
            & ~(self._at("CONTROL") & write & run & load)
        )

    def _control(self, m: Module, run: Signal) -> None:
        """Take over a word written to CONTROL."""
        register, word = REGISTERS["CONTROL"], self.access.data
        m.d.sync += [
            run.eq(word[register.field("run").low]),
            self.flush.eq(word[register.field("flush").low]),
            self.restart.eq(word[register.field("reset").low]),
        ]
        if self._learning:
            m.d.sync += self.learn.eq(word[register.field("learn").low])
