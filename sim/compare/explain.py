"""Explains how the model computes a value, with the integers: part of each mismatch report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from bitlif.hdl.core_signals import COUNTERS
from bitlif.model.constants import Filter
from bitlif.model.derive import derive
from bitlif.model.table import table_bin
from bitlif.tasks.scenario import Work

Place = tuple[int, ...]


class ModelRun(Protocol):
    """What an explanation reads of the model's run: `bitlif.sim.compare.expected.Expected`."""

    @property
    def observed(self) -> Mapping[str, NDArray[Any]]:
        """Values by name."""

    @property
    def phases(self) -> Sequence[int]:
        """Phase of the schedule in each window."""

    @property
    def targets(self) -> NDArray[Any]:
        """Raw targets, (W, T, M)."""


def explain_operation(work: Work, expected: ModelRun, signal: str, place: Place) -> str:
    """Return the operation that yields a value, as text; empty if the signal has none.

    Parameters
    ----------
    work : Work
        What was run.
    expected : ModelRun
        The model's run.
    signal : str
        Name of the signal.
    place : tuple of int
        Index along the signal's axes.
    """
    explain = EXPLANATIONS.get(signal)
    return explain(work, expected, place) if explain else ""


def _previous(expected: ModelRun, name: str, place: Place, keep: str) -> int:
    """Return a neuron's or input's value of the step before; `keep` says if windows carry it."""
    w, t, unit = place
    array = expected.observed[name]
    if t:
        return int(array[w, t - 1, unit])
    return int(array[w - 1, -1, unit]) if w and keep == "carry" else 0


def _filter(f: Filter, state: int, taken: int) -> str:
    exact = (f.keep * state + f.take * taken + f.bias) >> f.shift
    text = f"({f.keep} x {state} + {f.take} x {taken} + {f.bias}) >> {f.shift}"
    return (
        text if f.low <= exact <= f.high else f"{text} = {exact}, saturated to {f.low} ..= {f.high}"
    )


def _weight_sum(work: Work, expected: ModelRun, place: Place) -> str:
    w, t, neuron = place
    step = w * work.config.window.steps + t
    start, stop = (int(p) for p in work.events.pointers[step : step + 2])
    inputs = work.events.addresses[start:stop].tolist()
    weights = expected.observed["weight"][w - 1] if w and work.learns else work.weights
    terms = " + ".join(f"{int(weights[j, neuron])} (input {j})" for j in inputs[:8])
    return (terms + (" + ..." if len(inputs) > 8 else "")) or "0: no input spikes"


def _current(work: Work, expected: ModelRun, place: Place) -> str:
    state = _previous(expected, "synaptic current", place, work.config.window.state)
    taken = int(expected.observed["weight sum"][place])
    return _filter(derive(work.config).constants.current, state, taken)


def _membrane(work: Work, expected: ModelRun, place: Place) -> str:
    state = _previous(expected, "kept membrane", place, work.config.window.state)
    taken = int(expected.observed["synaptic current"][place])
    return _filter(derive(work.config).constants.membrane, state, taken)


def _draw(work: Work, expected: ModelRun, place: Place) -> str:
    sizes, noise = work.config.layer, work.config.noise
    slot, lane = divmod(place[2], sizes.lanes)
    clears = work.config.window.lfsr == "clear"
    steps = place[1] + (0 if clears else place[0] * work.config.window.steps)
    number = steps * sizes.slots + slot
    return (
        f"a {noise.kind} draw from the bits at {noise.leap} x {number} of the LFSR of lane {lane}"
    )


def _noise(work: Work, expected: ModelRun, place: Place) -> tuple[int, str]:
    c, phase = derive(work.config).constants, derive(work.config).phases[expected.phases[place[0]]]
    draw = int(expected.observed["noise draw"][place])
    noise = (phase.noise_scale * draw + c.noise_bias) >> c.noise_shift
    return noise, f"({phase.noise_scale} x {draw} + {c.noise_bias}) >> {c.noise_shift}"


def _spike(work: Work, expected: ModelRun, place: Place) -> str:
    c = derive(work.config).constants
    noise, how = _noise(work, expected, place)
    before = int(expected.observed["membrane potential"][place])
    return f"{before} + {noise} >= {c.threshold}, where the noise {noise} is {how}"


def _kept(work: Work, expected: ModelRun, place: Place) -> str:
    c = derive(work.config).constants
    before = int(expected.observed["membrane potential"][place])
    noise, _ = _noise(work, expected, place)
    if c.teacher_reset:
        reset = bool(2 * int(expected.targets[place]) >= c.target_one)
    else:
        reset = bool(expected.observed["spike"][place])
    text = f"{before} + {noise}" if c.keep_noise else f"{before}"
    if reset and c.subtracted:
        text += f" - {c.subtracted}"
        return f"{text} after a spike, saturated to {c.membrane.low} ..= {c.membrane.high}"
    if reset:
        return "0, because the neuron is reset"
    return f"{text} without a reset, saturated to {c.membrane.low} ..= {c.membrane.high}"


def _error(work: Work, expected: ModelRun, place: Place) -> str:
    derived = derive(work.config)
    c, phase = derived.constants, derived.phases[expected.phases[place[0]]]
    index = table_bin(int(expected.observed["membrane potential"][place]), phase, c)
    a, b = (column[index] for column in derived.table)
    q = int(expected.targets[place])
    text = f"({q} x {a} - {c.target_one - q} x {b} + {c.error_bias}) >> {c.error_shift}"
    return f"{text} with table bin {index}, saturated to {c.error_low} ..= {c.error_high}"


def _input_spike(work: Work, place: Place) -> int:
    w, t, unit = place
    step = w * work.config.window.steps + t
    start, stop = work.events.pointers[step : step + 2]
    return int(unit in work.events.addresses[start:stop])


def _synaptic_trace(work: Work, expected: ModelRun, place: Place) -> str:
    state = _previous(expected, "synaptic trace", place, work.config.window.trace)
    return _filter(derive(work.config).constants.trace_current, state, _input_spike(work, place))


def _trace(work: Work, expected: ModelRun, place: Place) -> str:
    state = _previous(expected, "PSP trace", place, work.config.window.trace)
    taken = int(expected.observed["synaptic trace"][place])
    return _filter(derive(work.config).constants.trace, state, taken)


def _gradient(work: Work, expected: ModelRun, place: Place) -> str:
    w, j, neuron = place
    errors = expected.observed["error"][w, :, neuron]
    traces = expected.observed["PSP trace"][w, :, j]
    active = [t for t in range(errors.size) if errors[t]]
    terms = " + ".join(f"{int(errors[t])} x {int(traces[t])}" for t in active[:6])
    rest = " + ..." if len(active) > 6 else ""
    return f"{terms or 0}{rest}, the sum of error x trace over {len(active)} steps"


def _weight(work: Work, expected: ModelRun, place: Place) -> str:
    w, j, neuron = place
    derived = derive(work.config)
    c, phase = derived.constants, derived.phases[expected.phases[w]]
    old = int(expected.observed["weight"][w - 1][j, neuron]) if w else int(work.weights[j, neuron])
    gradient = int(expected.observed["gradient"][place])
    fine = ((phase.rate * gradient << phase.rate_left) + phase.rate_bias) >> phase.rate_right
    return (
        f"{old} + ((({phase.rate} x {gradient} << {phase.rate_left}) + {phase.rate_bias} >> "
        f"{phase.rate_right}) = {fine} + a draw of {c.random_bits} bits) >> {c.random_bits}, "
        f"saturated to {c.weight_low} ..= {c.weight_high}"
    )


def _counter(work: Work, expected: ModelRun, place: Place) -> str:
    return f"the number of {COUNTERS[place[0]].replace('_', ' ')}"


EXPLANATIONS: dict[str, Callable[[Work, ModelRun, Place], str]] = {
    "weight sum": _weight_sum,
    "synaptic current": _current,
    "membrane potential": _membrane,
    "noise draw": _draw,
    "spike": _spike,
    "output event": _spike,
    "kept membrane": _kept,
    "error": _error,
    "synaptic trace": _synaptic_trace,
    "PSP trace": _trace,
    "gradient": _gradient,
    "weight": _weight,
    "counters": _counter,
}
