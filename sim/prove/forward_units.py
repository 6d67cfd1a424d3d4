"""The units of a step: noise draws, neurons and errors."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from bitwuzla import Kind

from bitlif.hdl import forward
from bitlif.hdl.neuron import NeuronPipe
from bitlif.hdl.noise import NoiseDraw
from bitlif.hdl.table import ErrorPipe
from bitlif.model import counters, neuron, noise, table, window
from bitlif.model.config.config import Config
from bitlif.model.constants import Filter
from bitlif.model.derive import derive
from bitlif.model.engine.words import wide
from bitlif.model.interval import Interval

from .symbol import Integer, Symbol, common, symbol_of, word_of
from .terms import Term, constant, make
from .transition import Unrolled
from .unit import ALWAYS, Claim, PlainUnit, Run, array, bit, unsigned, used

COUNTERS = len(counters.COUNTERS)


def leaky_text(f: Filter, state: int, taken: int) -> str:
    """Return a leaky sum of the model as text."""
    return (
        f"({f.keep} x {state} + {f.take} x {taken} + {f.bias}) >> {f.shift}, "
        f"saturated to {f.low} ..= {f.high}"
    )


def leaky_sum_exact(f: Filter, state: Integer, taken: Integer) -> Integer:
    """Return the exact sum of a leaky sum, the bias of its rounding included."""
    return f.keep * state + f.take * taken + f.bias


class NeuronUnit(PlainUnit):
    """One neuron and step: `bitlif.model.window.neuron_loop` of one neuron."""

    name = "neuron"
    cuts = (
        Claim("synaptic current", "current_value", NeuronPipe.current_latency),
        Claim("membrane potential", "membrane_value", NeuronPipe.before_latency),
    )

    def __init__(self, config: Config) -> None:
        self._config = config
        derived = derive(config)
        levels = config.noise.pmf.levels
        self.given = {
            "weight sum": derived.ranges["weight sum"],
            "current before": Interval.of(config.synapse.current),
            "membrane before": Interval.of(config.membrane.format),
            "draw": Interval(levels[0], levels[-1]),
            "reset by the teacher": bit(),
            "noise scale": unsigned(config.noise.scale_bits),
        }
        self.ports = {
            "weight_sum": ("weight sum", 0),
            "current": ("current before", 0),
            "membrane": ("membrane before", NeuronPipe.membrane_delay),
            "draw": ("draw", NeuronPipe.draw_delay),
            "reset": ("reset by the teacher", 0),
            "noise_scale": ("noise scale", ALWAYS),
        }
        if not config.noise.drawn:
            self.given |= {"draw": Interval.point(0), "noise scale": Interval.point(0)}
            del self.ports["draw"], self.ports["noise_scale"]
        last = NeuronPipe.latency
        self.claims = (
            Claim("synaptic current", "current_next", last),
            Claim("synaptic current", "current_soon", NeuronPipe.current_latency),
            Claim("membrane potential", "before", last),
            Claim("spike", "spike", last, signed=False),
            Claim("kept membrane", "membrane_next", last),
            Claim("saturations of the current", "saturated", last, bits=(0,)),
            Claim("saturations of the membrane", "saturated", last, bits=(1, 2)),
        )

    def component(self) -> Any:
        """Return the pipeline as a lane has it."""
        return used(forward, "NeuronPipe")(self._config)

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Run one step of one neuron."""
        c = derive(self._config).constants
        phase = derive(self._config).phases[0]._replace(noise_scale=values["noise scale"])
        state = SimpleNamespace(
            current=array(values["current before"]), membrane=array(values["membrane before"])
        )
        resets = values["reset by the teacher"] * c.teacher_reset
        scratch = SimpleNamespace(membrane=array(0), resets=array(resets))
        spikes, counts = array(0), array(*[0] * COUNTERS)
        run(window.neuron_loop)(
            state, scratch, array(values["weight sum"]), array(values["draw"]), spikes, counts,
            phase, c, wide,
        )  # fmt: skip
        return {
            "synaptic current": state.current[0],
            "membrane potential": scratch.membrane[0],
            "spike": spikes[0],
            "kept membrane": state.membrane[0],
            "saturations of the current": counts[counters.CURRENT_SATURATIONS],
            "saturations of the membrane": counts[counters.MEMBRANE_SATURATIONS],
        }

    def ranges(
        self, values: Mapping[str, Integer], run: Run
    ) -> dict[str, tuple[Integer, Interval]]:
        """Return both leaky sums before and after their rounding, and the noise."""
        derived = derive(self._config)
        c = derived.constants
        current, _ = run(neuron.leaky_sum)(
            values["current before"], values["weight sum"], c.current
        )
        before, _ = run(neuron.leaky_sum)(values["membrane before"], current, c.membrane)
        product = values["noise scale"] * values["draw"] + c.noise_bias
        sums = {
            "synaptic current sum": leaky_sum_exact(
                c.current, values["current before"], values["weight sum"]
            ),
            "membrane sum": leaky_sum_exact(c.membrane, values["membrane before"], current),
            "noise product": product,
            "noise": product >> c.noise_shift,
            "noisy membrane": before + (product >> c.noise_shift),
        }
        if c.subtracted:
            kept = sums["noisy membrane"] if c.keep_noise else before
            sums["reduced membrane"] = kept - c.subtracted
        sums["synaptic current"] = sums["synaptic current sum"] >> c.current.shift
        sums["membrane"] = sums["membrane sum"] >> c.membrane.shift
        return {name: (value, derived.ranges[name]) for name, value in sums.items()}

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the operation by which the model computes a value."""
        c = derive(self._config).constants
        current, before = found["synaptic current"], found["membrane potential"]
        level = f"({values['noise scale']} x {values['draw']} + {c.noise_bias}) >> {c.noise_shift}"
        if signal.endswith("current"):
            return leaky_text(c.current, values["current before"], values["weight sum"])
        if signal == "membrane potential":
            return leaky_text(c.membrane, values["membrane before"], current)
        if signal == "spike":
            return f"{before} + ({level}) >= {c.threshold}"
        text = f"{before} + ({level})" if c.keep_noise else f"{before}"
        if c.subtracted:
            return f"{text} - {c.subtracted} x spike {found['spike']}, saturated"
        return f"{text} with spike {found['spike']} and reset {values['reset by the teacher']}"


class NoiseUnit(PlainUnit):
    """One draw from random bits: `bitlif.model.noise.draw_noise`."""

    name = "noise"

    def __init__(self, config: Config) -> None:
        self._noise = config.noise
        self.given = {"random bits": unsigned(config.noise.draw_bits)}
        self.ports = {"word": ("random bits", 0)}
        self.claims = (Claim("noise draw", "draw", NoiseDraw.latency),)

    def component(self) -> Any:
        """Return the circuit as a lane has it."""
        return used(forward, "NoiseDraw")(self._noise)

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Take one draw from a stream whose next bits are the random bits."""
        config, bits = self._noise, values["random bits"]
        words = [(bits >> (32 * number)) & 0xFFFFFFFF for number in range(2)]
        popcount = config.kind == "popcount"
        shape = (config.draw_bits, 1) if popcount else (config.words, config.word_bits)
        draws = array(0)
        quantiles: Any = array(*(int(own) for own in config.quantiles))
        if isinstance(bits, Symbol) and quantiles.size:
            quantiles = Column(tuple(quantiles))
        draw = run(noise.draw_noise)
        draw(array(*words, 0, 0), 0, config.leap, shape, quantiles, draws)
        return {"noise draw": draws[0]}

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the construction of the draw."""
        return f"a {self._noise.kind} draw from the bits {values['random bits']:#x}"


class Column:
    """A column of constants that is read at a symbol, or at an integer.

    Parameters
    ----------
    values : tuple of int
    """

    def __init__(self, values: tuple[int, ...]) -> None:
        self._values = values

    @property
    def size(self) -> int:
        """Number of values."""
        return len(self._values)

    def __getitem__(self, index: Integer) -> Integer:
        if not isinstance(index, Symbol):
            return self._values[index]
        inside = common(index.interval, Interval(0, len(self._values) - 1))
        values = dict(enumerate(self._values[: inside.high + 1]))
        low, high = min(values.values()), max(values.values())
        reach = Interval(low, high)
        width = reach.bits + (not reach.signed)
        place = word_of(index, index.interval.bits)
        term = constant(self._values[0], width)
        for number, value in values.items():
            here = make(Kind.EQUAL, place, constant(number, index.interval.bits))
            term = make(Kind.ITE, here, constant(value, width), term)
        return symbol_of(term, reach)


class ErrorUnit(PlainUnit):
    """The error of a neuron: `bitlif.model.window.error_step` of one neuron, for any table."""

    name = "error"

    def __init__(self, config: Config) -> None:
        self._config = config
        error = config.error
        self.given = {
            "membrane potential": Interval.of(config.membrane.format),
            "target": Interval(0, 1 << error.target_bits),
            "reciprocal": unsigned(error.reciprocal_bits),
            "entry a": Interval.of(error.entry),
            "entry b": Interval.of(error.entry),
            "host": Interval.point(0),
        }
        self.ports = {
            "membrane": ("membrane potential", 0),
            "target": ("target", ErrorPipe.target_delay),
            "reciprocal": ("reciprocal", ALWAYS),
            "host": ("host", ALWAYS),
            "host_enable": ("host", ALWAYS),
        }
        self.cuts = (
            Claim("bin from the middle", "bin", 3),
            Claim("entry", "entry", ErrorPipe.entry_latency, signed=False),
        )
        self.claims = (
            Claim("error", "error", ErrorPipe.latency),
            Claim("saturations of the error", "saturated", ErrorPipe.latency, signed=False),
        )

    def component(self) -> Any:
        """Return the pipeline as a lane has it."""
        return used(forward, "ErrorPipe")(self._config)

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Run the errors of one neuron; the table has the given entry at the neuron's bin."""
        c = derive(self._config).constants
        phase = derive(self._config).phases[0]._replace(reciprocal=values["reciprocal"])
        index = run(table.table_bin)(values["membrane potential"], phase, c)
        entry = (Anywhere(values["entry a"]), Anywhere(values["entry b"]))
        errors, counts = array(0).reshape(1, 1), array(*[0] * COUNTERS)
        scratch = SimpleNamespace(
            membrane=array(values["membrane potential"]), targets=array(values["target"]),
            errors=errors,
        )  # fmt: skip
        columns = SimpleNamespace(a=entry[0], b=entry[1])
        run(window.error_step)(scratch, columns, 0, counts, phase, c)
        bits = self._config.error.entry.bits
        return {
            "bin": index,
            "bin from the middle": index - c.half_bins,
            "entry": values["entry b"] * (1 << bits) + values["entry a"],
            "error": errors[0, 0],
            "saturations of the error": counts[counters.ERROR_SATURATIONS],
        }

    def ranges(
        self, values: Mapping[str, Integer], run: Run
    ) -> dict[str, tuple[Integer, Interval]]:
        """Return the distance to the threshold, its product, and the sum of the error."""
        derived = derive(self._config)
        c = derived.constants
        distance = values["membrane potential"] - c.threshold
        target = values["target"]
        total = target * values["entry a"] - (c.target_one - target) * values["entry b"]
        sums = {
            "distance": distance,
            "bin product": distance * values["reciprocal"],
            "error sum": total + c.error_bias,
            "error": (total + c.error_bias) >> c.error_shift,
        }
        return {name: (value, derived.ranges[name]) for name, value in sums.items()}

    def assume(
        self, gates: Unrolled, values: Mapping[str, Integer], found: Mapping[str, Integer]
    ) -> list[Term]:
        """Return that the table holds the given entry at the model's bin."""
        place = word_of(found["bin"], self._config.error.index_bits)
        read = make(Kind.ARRAY_SELECT, gates.get("table"), place)
        return [make(Kind.EQUAL, read, word_of(found["entry"], 2 * self._config.error.entry.bits))]

    def prepare(self, values: Mapping[str, int], found: Mapping[str, int]) -> list[dict[str, int]]:
        """Return the clock cycle that writes the entry."""
        place = {"host": 1, "host_enable": 1, "host_address": found["bin"]}
        return [{**place, "host_data": found["entry"]}, {"host": 0, "host_enable": 0}]

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the operation by which the model computes a value."""
        c = derive(self._config).constants
        if signal.startswith("bin"):
            v, u = values["membrane potential"], c.threshold
            return f"(({v} - {u}) x {values['reciprocal']}) >> {c.bin_shift}, within the table"
        a, b, q = values["entry a"], values["entry b"], values["target"]
        return (
            f"({q} x {a} - {c.target_one - q} x {b} + {c.error_bias}) >> {c.error_shift} with "
            f"table bin {found['bin']}, saturated to {c.error_low} ..= {c.error_high}"
        )


class Anywhere:
    """A column of a table that holds the same value wherever it is read.

    Parameters
    ----------
    value : Integer
    """

    def __init__(self, value: Integer) -> None:
        self._value = value

    def __getitem__(self, index: Integer) -> Integer:
        return self._value
