"""The adjoints of one step of a layer, slot by slot (model twin: `bitlif.model.sweep`)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.config.network import NetworkConfig
from bitlif.model.interval import Interval
from bitlif.model.sweep_sections import SweepRounding

from .adjoint import AdjointPipe
from .credit import CreditPipe
from .fixed import shape_for, shape_of
from .lfsr import lane_words
from .pipeline import NO_READ_WRITE_COLLISION, Pipe, pulse


def sweep_streams(config: NetworkConfig, number: int) -> int:
    """Return the number of distinct LFSRs of a layer's sweep: 0 if its rounding draws no bits."""
    own = config.layers[number]
    if own.sweep.rounding is not SweepRounding.STOCHASTIC:
        return 0
    return len(dict.fromkeys(own.sweep.lfsr.streams(own.config.layer.lanes)))


def credit_total(config: NetworkConfig, number: int) -> Shape:
    """Return the shape of the exact sum of credit of a hidden layer."""
    after = config.layers[number + 1]
    factor = Interval.of(after.config.synapse.weight)
    if config.layers[number].sweep.feedback == "sign":
        factor = Interval(-1, 1)
    product = factor * Interval.of(after.sweep.current)
    return shape_for(product.times(after.config.layer.neurons))


class AdjointPass(wiring.Component):
    """Computes credit, adjoint membranes and adjoint currents of one step, slot by slot.

    Parameters
    ----------
    config : bitlif.NetworkConfig
    number : int
        Of the layer.

    Members
    -------
    start : In(1)
        Pulse: the pass issues its first slot in the next clock cycle.
    fresh : In(1)
        The adjoints read as zero: this is the last step of the window; stable during the pass.
    restart : In(1)
        Pulse: set the LFSRs to their seeds.
    slot : Out
        Slot that is issued. What belongs to it is wanted one clock cycle later:
    errors : In(array of P errors)
        Only in the last layer.
    totals, derivatives, spikes, none : In
        Only in hidden layers: P exact sums of credit, P surrogate derivatives, P spikes; whether
        all sums are zero, whatever ``totals`` shows (stable during the pass).
    valid, currents : Out
        P new adjoint currents of the next slot in order.
    saturated : Out(3 P)
        Saturation flags of credit, membrane and current, each with its own valid bit included.
    done : Out(1)
        Pulse, with the ``valid`` of the last slot.
    lfsr : Out(array of states)
        Only with stochastic rounding.

    Latency: `latency` clock cycles from the issue of a slot to its adjoint currents. Throughput: a
    slot per clock cycle, or per two or three with stochastic rounding, which draws once per clock
    cycle and lane. Handshake: pulses. Reset: idle.
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        self._own = own = config.layers[number]
        self._swept = swept = config.derived_sweep(number).constants
        self._hidden, self.pace = bool(swept.hidden), max(1, swept.draws)
        lanes = own.config.layer.lanes
        current = shape_of(own.sweep.current)
        self._membrane_in = 1 + (CreditPipe.latency if self._hidden else 0)
        self._current_in = self._membrane_in + AdjointPipe.latency
        self.latency = self._current_in + AdjointPipe.latency
        members: dict[str, Any] = {
            "start": In(1),
            "fresh": In(1),
            "restart": In(1),
            "slot": Out(range(own.config.layer.slots)),
            "valid": Out(1),
            "currents": Out(data.ArrayLayout(current, lanes)),
            "saturated": Out(3 * lanes),
            "done": Out(1),
        }
        if self._hidden:
            members |= {
                "totals": In(data.ArrayLayout(credit_total(config, number), lanes)),
                "derivatives": In(data.ArrayLayout(own.sweep.surrogate.bits, lanes)),
                "spikes": In(lanes),
                "none": In(1),
            }
        else:
            members["errors"] = In(data.ArrayLayout(shape_of(own.config.error.format), lanes))
        streams = sweep_streams(config, number)
        if streams:
            members["lfsr"] = Out(data.ArrayLayout(own.sweep.lfsr.width, streams))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Build the walk over the slots, the state, and the pipelines of the lanes."""
        m = Module()
        pipe = Pipe(m)
        lanes, slots = self._own.config.layer.lanes, self._own.config.layer.slots
        running, kind = Signal(name="running"), Signal(range(self.pace), name="kind")
        issue, final = Signal(name="issue"), Signal(name="final")
        m.d.comb += [issue.eq(running & (kind == 0)), final.eq(self.slot == slots - 1)]
        with m.If(self.start):
            m.d.sync += [running.eq(1), kind.eq(0), self.slot.eq(0)]
        with m.Elif(running):
            m.d.sync += kind.eq(kind + 1)
            with m.If(kind == self.pace - 1):
                m.d.sync += [kind.eq(0), self.slot.eq(self.slot + 1)]
                with m.If(final):
                    m.d.sync += running.eq(0)
        valids = [issue]
        for stage in range(self.latency):
            valids.append(pulse(m, valids[-1], 1, f"valid_{stage}"))
        m.d.comb += [
            self.valid.eq(valids[self.latency]),
            self.done.eq(pulse(m, issue & final, self.latency, "final")),
        ]
        words: list[Any] = []
        sweep = self._own.sweep
        if hasattr(self, "lfsr"):
            words, states = lane_words(
                m, "sweep", sweep.lfsr.streams(lanes), sweep.leap, sweep.random_bits, running,
                self.restart,
            )  # fmt: skip
            m.d.comb += [own.eq(state) for own, state in zip(self.lfsr, states, strict=True)]
        self._state(m, pipe, valids)
        fresh = pipe.register(self.fresh, "fresh")
        flags: list[list[Value]] = [[], [], []]
        for lane in range(lanes):
            randoms = self._randoms(pipe, words[lane] if words else None, lane)
            found = self._lane(m, pipe, lane, fresh, randoms)
            for kept, flag in zip(flags, found, strict=True):
                kept.append(flag)
        arrives = (self._membrane_in, self._current_in, self.latency)
        m.d.comb += self.saturated.eq(
            Cat(flag & valids[at] for at, own in zip(arrives, flags, strict=True) for flag in own)
        )
        return m

    def _randoms(self, pipe: Pipe, word: Any, lane: int) -> list[Value]:
        """Return the random words of credit, membrane and current, each when it is wanted."""
        credit = 1 + CreditPipe.random_delay
        wanted = [self._membrane_in, self._current_in]
        places = [at + AdjointPipe.random_delay for at in wanted]
        if self._hidden:
            places = [credit, *places]
        if word is None:
            return [Const(0, 1) for _ in places]
        return [
            pipe.delay(word, at - kind, f"random_{lane}_{kind}") for kind, at in enumerate(places)
        ]

    def _state(self, m: Module, pipe: Pipe, valids: list[Any]) -> None:
        """Add the memories of both adjoints, each read when its filter needs it."""
        lanes, slots = self._own.config.layer.lanes, self._own.config.layer.slots

        def place(at: int, name: str) -> Signal:
            """Return the slot that is valid `at` clock cycles after its issue."""
            here = Signal(range(slots), name=f"slot_{name}")
            with m.If(valids[at]):
                m.d.sync += here.eq(Mux(here == slots - 1, 0, here + 1))
            return here

        sweep, self._kept = self._own.sweep, []
        times = (
            ("membrane", sweep.membrane, self._membrane_in, self._current_in),
            ("current", sweep.current, self._current_in, self.latency),
        )
        for name, fmt, enters, leaves in times:
            layout = data.ArrayLayout(shape_of(fmt), lanes)
            memory = Memory(shape=layout, depth=slots, init=[], attrs=NO_READ_WRITE_COLLISION)
            m.submodules[f"{name}s"] = memory
            read = memory.read_port()
            write = memory.write_port()
            m.d.comb += [
                read.addr.eq(place(enters - 1, f"{name}_read")),
                write.addr.eq(place(leaves, f"{name}_write")),
                write.en.eq(valids[leaves]),
            ]
            self._kept.append((read.data, write.data))

    def _lane(
        self, m: Module, pipe: Pipe, lane: int, fresh: Value, randoms: list[Value]
    ) -> tuple[Value, Value, Value]:
        """Build the pipelines of a lane; return the flags of credit, membrane and current."""
        sweep, swept = self._own.sweep, self._swept
        randoms = list(randoms)
        flag: Value = Const(0, 1)
        cut: Value = fresh
        if self._hidden:
            total = self.totals[lane].shape()
            credit = CreditPipe(swept.credit, sweep.credit, total, sweep.surrogate.bits)
            m.submodules[f"credit_{lane}"] = credit
            m.d.comb += [
                credit.total.eq(Mux(self.none, 0, self.totals[lane])),
                credit.derivative.eq(self.derivatives[lane]),
                credit.random.eq(randoms.pop(0)),
            ]
            taken, flag = credit.credit, credit.saturated
            cut = fresh | pipe.delay(self.spikes[lane], CreditPipe.latency, f"spike_{lane}")
        else:
            taken = self.errors[lane]
        (old_membrane, new_membrane), (old_current, new_current) = self._kept
        membrane = AdjointPipe(swept.membrane, sweep.membrane, taken.shape())
        current = AdjointPipe(swept.current, sweep.current, shape_of(sweep.membrane))
        m.submodules[f"membrane_{lane}"] = membrane
        m.submodules[f"current_{lane}"] = current
        m.d.comb += [
            membrane.taken.eq(taken),
            membrane.state.eq(Mux(cut, 0, old_membrane[lane])),
            membrane.random.eq(randoms[0]),
            new_membrane[lane].eq(membrane.state_next),
            current.taken.eq(membrane.state_next),
            current.state.eq(Mux(fresh, 0, old_current[lane])),
            current.random.eq(randoms[1]),
            new_current[lane].eq(current.state_next),
            self.currents[lane].eq(current.state_next),
        ]
        return flag, membrane.saturated, current.saturated
