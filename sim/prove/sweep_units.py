# amaranth: UnusedElaboratable=no
"""The units of the sweep of a layer of a network: adjoints with credit, and the surrogate."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out

from bitlif.hdl import adjoint_pass, derivative_memory
from bitlif.hdl.adjoint import AdjointPipe
from bitlif.hdl.adjoint_pass import credit_total
from bitlif.hdl.credit import CreditPipe
from bitlif.hdl.fixed import shape_of
from bitlif.hdl.pipeline import Pipe
from bitlif.hdl.surrogate import SurrogatePipe
from bitlif.model import surrogate, sweep
from bitlif.model.config.network import NetworkConfig
from bitlif.model.credit import SIGN
from bitlif.model.engine.words import wide
from bitlif.model.interval import Interval
from bitlif.model.sweep_draws import draw_place

from .branches import follow
from .forward_units import Column
from .symbol import Integer, merged, settled
from .unit import ALWAYS, Claim, PlainUnit, Run, array, bit, unsigned, used

KINDS = ("credit", "adjoint membrane", "adjoint current")
"""What a neuron draws random bits for, in this order."""


class AdjointLane(Component):
    """A lane of the pass over the adjoints, without its memories and its LFSR.

    Parameters
    ----------
    config : NetworkConfig
    number : int
        Of the layer.

    Members
    -------
    taken : In
        The error of a neuron, or in a hidden layer the exact sum of its credit.
    derivative, spike, none : In
        In hidden layers.
    fresh : In(1)
    random_0, random_1, random_2 : In
        Random words, one clock cycle after the other; only with stochastic rounding.
    membrane, membrane_next, current, current_next : In, Out
        Ports of the memories.
    saturated : Out(3)
        Flags of credit, membrane and current, each in the clock cycle of its value.

    Latency: that of `AdjointPass`, from the issue of the neuron.
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        own = config.layers[number]
        swept = config.derived_sweep(number).constants
        self._owner = used(adjoint_pass, "AdjointPass")(config, number)
        self._hidden, self._draws = bool(swept.hidden), swept.draws
        error = shape_of(own.config.error.format)
        membrane, current = shape_of(own.sweep.membrane), shape_of(own.sweep.current)
        members: dict[str, Any] = {
            "taken": In(credit_total(config, number) if self._hidden else error),
            "fresh": In(1),
            "membrane": In(membrane), "membrane_next": Out(membrane),
            "current": In(current), "current_next": Out(current),
            "saturated": Out(3),
        }  # fmt: skip
        if self._hidden:
            members |= {"derivative": In(own.sweep.surrogate.bits), "spike": In(1), "none": In(1)}
        for kind in range(self._draws):
            members[f"random_{kind}"] = In(own.sweep.random_bits)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Build the lane as the pass builds its first one."""
        m = Module()
        pipe, owner = Pipe(m), self._owner
        owner._kept = [
            ([self.membrane], [self.membrane_next]), ([self.current], [self.current_next])
        ]  # fmt: skip
        if self._hidden:
            m.d.comb += [
                owner.totals[0].eq(self.taken),
                owner.derivatives[0].eq(self.derivative),
                owner.spikes[0].eq(self.spike),
                owner.none.eq(self.none),
            ]
        else:
            m.d.comb += owner.errors[0].eq(self.taken)
        randoms = owner._randoms(pipe, None, 0)
        for kind in range(self._draws):
            randoms[kind] = owner._randoms(pipe, getattr(self, f"random_{kind}"), 0)[kind]
        flags = owner._lane(m, pipe, 0, pipe.register(self.fresh, "fresh"), randoms)
        m.d.comb += [own.eq(flag) for own, flag in zip(self.saturated, flags, strict=True)]
        return m


class AdjointUnit(PlainUnit):
    """One neuron and step of the sweep: `bitlif.model.sweep.adjoint_step` of one neuron.

    Parameters
    ----------
    config : NetworkConfig
    number : int
        Of the layer.
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        self._config, self._number = config, number
        own, derived = config.layers[number], config.derived_sweep(number)
        self._sweep, self._derived = own.sweep, derived
        self._hidden, self._draws = bool(derived.constants.hidden), derived.constants.draws
        self.name = f"layer_{number}_adjoint"
        self._taken = "sum of credit" if self._hidden else "error"
        self._kinds = KINDS if self._hidden else KINDS[1:]
        enters = 1 + (CreditPipe.latency if self._hidden else 0)
        crosses = enters + AdjointPipe.latency
        leaves = crosses + AdjointPipe.latency
        reach = Interval.of(own.config.error.format)
        self.given = {
            self._taken: sum_range(config, number) if self._hidden else reach,
            "adjoint membrane before": Interval.of(own.sweep.membrane),
            "adjoint current before": Interval.of(own.sweep.current),
            "last step": bit(),
        }
        self.ports = {
            "taken": (self._taken, 1),
            "membrane": ("adjoint membrane before", enters),
            "current": ("adjoint current before", crosses),
            "fresh": ("last step", ALWAYS),
        }
        self.claims: tuple[Claim, ...] = (
            Claim("adjoint membrane", "membrane_next", crosses),
            Claim("adjoint current", "current_next", leaves),
            Claim("saturations of the adjoint membrane", "saturated", crosses, bits=(1,)),
            Claim("saturations of the adjoint current", "saturated", leaves, bits=(2,)),
        )
        self.cuts: tuple[Claim, ...] = (
            Claim("adjoint membrane", "membrane_0.adjoint_value", crosses),
        )
        if self._hidden:
            self.given |= {
                "derivative": unsigned(own.sweep.surrogate.bits),
                "spike": bit(), "no credit in this step": bit(),
            }  # fmt: skip
            self.ports |= {
                "derivative": ("derivative", 1), "spike": ("spike", 1),
                "none": ("no credit in this step", ALWAYS),
            }  # fmt: skip
            self.cuts = (Claim("credit", "credit_0.credit_value", enters), *self.cuts)
            self.claims = (
                Claim("saturations of the credit", "saturated", enters, bits=(0,)), *self.claims
            )  # fmt: skip
        for kind in range(self._draws):
            name = f"random bits of the {self._kinds[kind]}"
            self.given[name] = unsigned(own.sweep.random_bits)
            self.ports[f"random_{kind}"] = (name, kind)

    def component(self) -> Any:
        """Return a lane of the pass."""
        return AdjointLane(self._config, self._number)

    def _randoms(self, values: Mapping[str, Integer], run: Run) -> Any:
        """Return the random words of a neuron as the model keeps them."""
        own, kinds, place_of = self._sweep, len(self._kinds), run(draw_place)
        kept = [array(0) for _ in range(kinds)]
        for kind in range(self._draws):
            row, places = place_of(kind, kinds, own.leap, own.random_bits)
            word = values[f"random bits of the {self._kinds[kind]}"]
            kept[row][0] = kept[row][0] + (word << places)
        return Rows(kept)

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Sweep one step of one neuron."""
        own, s, last = self._sweep, self._derived.constants, values["last step"]

        def begun(value: Integer) -> Integer:
            return 0 if last else value

        # Merged here, and not with all that follows: the gates choose before they multiply, too.
        before = [
            follow(begun, settled, merged, values[f"adjoint {name} before"])
            for name in ("membrane", "current")
        ]

        def step() -> tuple[Integer, ...]:
            drive, adjoints = array(values[self._taken]), array(0)
            state = SimpleNamespace(
                membrane=array(before[0]), current=array(before[1]), touched=array(0),
                randoms=self._randoms(values, run),
            )  # fmt: skip
            counts = array(*[0] * len(sweep.SWEEP_COUNTERS))
            driven = 1 if not self._hidden else 1 - values["no credit in this step"]
            derivative = array(values["derivative"] if self._hidden else 0)
            spikes = array(values["spike"] if self._hidden else 0)
            run(sweep.adjoint_step)(
                state, drive, derivative, driven, adjoints, own.leap, own.random_bits, spikes,
                counts, s, wide,
            )  # fmt: skip
            return (
                drive[0], state.membrane[0], adjoints[0], counts[sweep.CREDIT_SATURATIONS],
                counts[sweep.ADJOINT_MEMBRANE_SATURATIONS],
                counts[sweep.ADJOINT_CURRENT_SATURATIONS],
            )  # fmt: skip

        names = (
            "credit", "adjoint membrane", "adjoint current", "saturations of the credit",
            "saturations of the adjoint membrane", "saturations of the adjoint current",
        )  # fmt: skip
        return dict(zip(names, follow(step, settled, merged), strict=True))

    def ranges(
        self, values: Mapping[str, Integer], run: Run
    ) -> dict[str, tuple[Integer, Interval]]:
        """Return the sums of both filters and of the credit before their rounding."""
        s, found = self._derived.constants, self.model(values, run)
        drive = found["credit"] if self._hidden else values["error"]
        sums: dict[str, tuple[Any, Integer]] = {
            "adjoint membrane sum": (
                s.membrane,
                s.membrane.keep * values["adjoint membrane before"] + s.membrane.take * drive,
            ),
            "adjoint current sum": (
                s.current,
                s.current.keep * values["adjoint current before"]
                + s.current.take * found["adjoint membrane"],
            ),
        }
        if self._hidden:
            product = values["derivative"] * values[self._taken] * s.credit.take
            sums["credit sum"] = (s.credit, product)
        return {
            name: ((exact << f.shift.left) + f.shift.bias, self._derived.ranges[name])
            for name, (f, exact) in sums.items()
        }

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the operation by which the model computes a value."""
        s = self._derived.constants
        if signal.endswith("credit"):
            product = f"{values.get('derivative')} x {values[self._taken]} x {s.credit.take}"
            return f"{product} >> {places_text(s.credit)}"
        drive = found["credit"] if self._hidden else values["error"]
        if signal.endswith("membrane"):
            f, kept = s.membrane, values["adjoint membrane before"]
            cut = f", the state 0 if spike {values.get('spike', 0)} or last step"
        else:
            f, kept, drive = s.current, values["adjoint current before"], found["adjoint membrane"]
            cut = ", the state 0 if last step"
        return (
            f"({f.keep} x {kept} + {f.take} x {drive}) >> {places_text(f)}{cut} "
            f"{values['last step']}"
        )


class Rows:
    """Rows of an array of symbols.

    Parameters
    ----------
    rows : list of arrays
    """

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows
        self.shape = (len(rows), len(rows[0]))

    def __getitem__(self, row: int) -> Any:
        return self._rows[row]


def places_text(f: Any) -> str:
    """Return a rounding of the sweep and the saturation after it as text."""
    how = "toward zero" if f.shift.toward_zero else f"with {f.shift.random_bits} random bits"
    places = f.shift.right + f.shift.random_bits - f.shift.left
    return f"{places} {how}, saturated to {f.low} ..= {f.high}"


def product_range(config: NetworkConfig, number: int) -> Interval:
    """Return the range of feedback weight times adjoint current, for the credit of a layer."""
    after = config.layers[number + 1]
    sign = config.derived_sweep(number).constants.credit.feedback == SIGN
    factor = Interval(-1, 1) if sign else Interval.of(after.config.synapse.weight)
    return factor * Interval.of(after.sweep.current)


def sum_range(config: NetworkConfig, number: int) -> Interval:
    """Return the range of the exact sum of credit of a hidden neuron."""
    return product_range(config, number).times(config.layers[number + 1].config.layer.neurons)


class SurrogateUnit(PlainUnit):
    """The surrogate derivative of a spike: `bitlif.model.surrogate.surrogate_value`.

    Parameters
    ----------
    config : NetworkConfig
    number : int
        Of the hidden layer.
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        own = config.layers[number]
        self._constants = config.derived_sweep(number).constants.surrogate
        self._threshold = config.derived(number).constants.threshold
        self._membrane, self._bits = own.config.membrane.format, own.sweep.surrogate.bits
        self.name = f"layer_{number}_surrogate"
        self.given = {"membrane potential": Interval.of(self._membrane)}
        self.ports = {"membrane": ("membrane potential", 0)}
        self.cuts = (Claim("distance", "distance", 2, signed=False),)
        self.claims = (Claim("derivative", "derivative", SurrogatePipe.latency, signed=False),)

    def component(self) -> Any:
        """Return the pipeline as a lane has it."""
        return used(derivative_memory, "SurrogatePipe")(
            self._constants, self._threshold, shape_of(self._membrane), self._bits
        )

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Return the derivative at a membrane potential."""
        membrane = values["membrane potential"]
        entries = Column(tuple(int(own) for own in self._constants.table))
        s = self._constants._replace(table=entries)
        return {
            "distance": follow(abs, settled, merged, membrane - self._threshold),
            "derivative": run(surrogate.surrogate_value)(membrane, self._threshold, s),
        }

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the window, and the place in the table."""
        s, distance = self._constants, found["distance"]
        text = f"the distance {distance} is within the window if below {s.width}"
        return f"{text}; bin ({distance} x {s.reciprocal}) >> {s.shift}" if s.reciprocal else text
