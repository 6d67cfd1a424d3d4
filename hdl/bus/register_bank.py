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

    Latency: 4 clock cycles per access, plus `ElementPort.seek_clocks` for a write to ADDRESS.
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
        high = Signal(WORD_BITS)
        run = Signal()
        load = Signal()
        m.d.comb += self.run.eq(run & ~load)
        read = self._read_data(m, port, ready, high, run, load)
        mapped, legal = self._check_form(m)
        with m.FSM(name="access"):
            with m.State("wait"), m.If(access.request):
                m.next = "fetch"
            with m.State("fetch"):
                # The element after the last access may take one clock cycle more than a register.
                m.next = "judge"
            with m.State("judge"):
                with m.If(~mapped):
                    m.d.sync += access.response.eq(Response.DECODE_ERROR)
                with m.Elif(legal & self._check_content(port, was_idle, load)):
                    m.d.sync += access.response.eq(Response.OKAY)
                with m.Else():
                    m.d.sync += access.response.eq(Response.SLAVE_ERROR)
                m.next = "answer"
            with m.State("answer"):
                m.d.comb += access.done.eq(1)
                m.next = "wait"
                with m.If(access.response == Response.OKAY):
                    m.d.comb += access.result.eq(Mux(self._at("DATA"), port.value, read))
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

    def _read_data(
        self, m: Module, port: ElementPort, ready: Signal, high: Signal, run: Signal, load: Signal
    ) -> Signal:
        """Return the read data of all registers but DATA, one clock cycle after the address."""
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
        """Count the pulses of a member since the reset of the core; the counter saturates."""
        total = Signal(COUNTER_BITS, name=f"{name}_total")
        with m.If(self.restart):
            m.d.sync += total.eq(0)
        with m.Elif(getattr(self, name) & ~total.all()):
            m.d.sync += total.eq(total + 1)
        return total

    def _check_form(self, m: Module) -> tuple[Signal, Signal]:
        """Return whether the register exists, and whether the form of the access is legal.

        Both are valid one clock cycle after the request.
        """
        access = self.access
        mapped = Signal()
        lawful = Signal()
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
            ~(self._at("DATA") & ~(was_idle & ~port.ended & (~write | port.fits)))
            & ~(self._at("MEMORY") & write & ~port.known)
            & ~(self._at("ADDRESS") & write & ~port.inside)
            & ~(self._at("CONTROL") & write & self.window & (learn != self.learn) & ~reset)
            & ~(self._at("CONTROL") & write & run & load)
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
