"""The float twin: the rule of the contract in real numbers, with the integer layer's interface."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.floating.constants import real_leak
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.floating.step import gaussian_error
from bitlif.model.layer import Layer
from bitlif.model.result import RECORDS
from bitlif.model.sections import DecayConfig

U = 2.0**-53
"""Largest relative error of one rounding."""

TINY = Config.load("tiny")
WINDOWS = 3
SHAPE = (WINDOWS, 16, 4)
BINS = 8
RANDOM = np.random.default_rng(17)
TABLE: dict[str, Any] = {
    "error__rule": "table",
    "error__index_bits": 3,
    "error__a": RANDOM.uniform(0.0, 3.0, BINS).tolist(),
    "error__b": RANDOM.uniform(0.0, 3.0, BINS).tolist(),
}
VARIANTS: dict[str, dict[str, Any]] = {
    "tiny": {},
    "noise kept in the membrane": {"membrane__injection": "membrane"},
    "reset by the teacher": {"membrane__reset": "teacher"},
    "carried state": {"window__state": "carry"},
    "carried traces": {"window__trace": "carry"},
    "leaks by time constant": {"synapse__decay": {"tau": 3.0, "bits": 4}, "membrane__gain": 0.75},
    "phases of their own rates": {
        "schedule": [{"windows": 1, "rate": 2.0}, {"sigma": 0.4, "rate": 0.25}]
    },
}

Rule = Callable[[float, float], float]
Arrays = dict[str, Any]


def stimulus(seed: int) -> tuple[Events, Any, Any, Any]:
    """Return events, real weights, targets and draws of three windows."""
    random = np.random.default_rng(seed)
    events = Events.from_raster(random.random((WINDOWS, 16, 6)) < 0.4)
    targets = random.integers(0, 4, SHAPE, endpoint=True) / 4
    return events, random.normal(0.2, 0.5, (6, 4)), targets, random.standard_normal(SHAPE)


def from_table(x: float, target: float) -> float:
    """Return the error by TABLE: eight bins over -4 ..= 4 sigma, the end bins going on."""
    number = min(max(math.floor(x + 4.0), 0), BINS - 1)
    return target * TABLE["error__a"][number] - (1 - target) * TABLE["error__b"][number]


def naive(
    config: Config, events: Events, weights: Any, targets: Any, draws: Any, rule: Rule, learn: bool
) -> Arrays:
    """Run the equations of the contract, one neuron, one step and one synapse at a time.

    Every sum is in the order in which the contract writes it, and every product as it stands.
    """
    inputs, neurons, steps = config.layer.inputs, config.layer.neurons, config.window.steps
    leak_s, leak_m = (
        1 - 2.0**-decay.shift if decay.shift else math.exp(-1 / decay.tau)
        for decay in (config.synapse.decay, config.membrane.decay)
    )
    gain, threshold = config.membrane.gain, config.membrane.threshold
    w = np.array(weights)
    raster = events.raster()
    current, membrane = [0.0] * neurons, [0.0] * neurons
    synaptic, trace = [0.0] * inputs, [0.0] * inputs
    out: Arrays = {
        name: [] for name in ("raster", "current", "membrane", "traces", "errors", "gradient")
    }
    for window in range(events.windows):
        learned = window if learn else 0
        number = 1 if len(config.schedule) > 1 and learned >= config.schedule[0].windows else 0
        phase = config.schedule[number]
        if config.window.state == "clear":
            current, membrane = [0.0] * neurons, [0.0] * neurons
        # A window that is not learned leaves the traces as it found them.
        if config.window.trace == "clear" or not learn:
            synaptic, trace = [0.0] * inputs, [0.0] * inputs
        rows: Arrays = {name: [] for name in out if name != "gradient"}
        for t in range(steps):
            inputs_now = raster[window, t]
            spikes, potentials, errors = [], [], []
            for i in range(neurons):
                total = 0.0
                for j in range(inputs):
                    if inputs_now[j]:
                        total += w[j, i]
                current[i] = leak_s * current[i] + total
                before = leak_m * membrane[i] + gain * current[i]
                noise = phase.sigma * draws[window, t, i]
                spike = before + noise >= threshold
                q = targets[window, t, i]
                errors.append(rule((before - threshold) / phase.sigma, q))
                reset = q >= 0.5 if config.membrane.reset == "teacher" else spike
                kept = before + noise if config.membrane.injection == "membrane" else before
                membrane[i] = 0.0 if reset else kept
                spikes.append(spike)
                potentials.append(before)
            for j in range(inputs):
                synaptic[j] = leak_s * synaptic[j] + float(inputs_now[j])
                trace[j] = leak_m * trace[j] + gain * synaptic[j]
            new = (spikes, list(current), potentials, list(trace), errors)
            for name, values in zip(rows, new, strict=True):
                rows[name].append(values)
        gradient = naive_gradient(np.array(rows["errors"]), np.array(rows["traces"]))
        if learn:
            eta = (phase.rate or config.learning.rate) / steps
            w += eta * gradient.T
        for name, values in (*rows.items(), ("gradient", gradient)):
            out[name].append(values)
    return {**{name: np.array(values) for name, values in out.items()}, "weights": w}


def naive_gradient(errors: Any, traces: Any) -> Any:
    """Return the sum over steps of error times trace, step by step: (M, N)."""
    total = np.zeros((errors.shape[1], traces.shape[1]))
    for error, trace in zip(errors, traces, strict=True):
        total += error[:, None] * trace
    return total


@pytest.mark.parametrize("name", VARIANTS)
def test_ideal_twin_equals_the_equations_of_the_contract(name: str) -> None:
    config = TINY.replace(**TABLE, **VARIANTS[name])
    spikes = 0
    for seed in range(5):
        events, weights, targets, draws = stimulus(seed)
        twin = FloatLayer(config)
        twin.load(weights)
        found = twin.learn(events, targets, draws=draws, record=RECORDS)
        expected = naive(config, events, weights, targets, draws, from_table, learn=True)
        np.testing.assert_array_equal(twin.weights, expected.pop("weights"))
        for own, array in expected.items():
            np.testing.assert_array_equal(getattr(found, own), array, err_msg=own)
        np.testing.assert_array_equal(found.draws, draws)
        spikes += int(found.raster.sum())
        assert found.counters == {"synaptic_events": events.count * 4}
    assert 0 < spikes < 5 * math.prod(SHAPE)


@pytest.mark.parametrize("rule", ["likelihood", "clipped"])
@pytest.mark.parametrize("name", VARIANTS)
def test_ideal_twins_errors_are_those_of_gaussian_noise(name: str, rule: str) -> None:
    config = TINY.replace(error__rule=rule, **VARIANTS[name])
    guard, limit, clipped = config.error.guard, config.error.limit, rule == "clipped"

    def error(x: float, target: float) -> float:
        a, b = (gaussian_error(own, clipped, guard, limit) for own in (-x, x))
        return target * a - (1 - target) * b

    for seed in range(3):
        events, weights, targets, draws = stimulus(seed)
        twin = FloatLayer(config)
        twin.load(weights)
        found = twin.run(events, targets, draws=draws, record=RECORDS)
        expected = naive(config, events, weights, targets, draws, error, learn=False)
        np.testing.assert_array_equal(twin.weights, weights)
        for own in ("raster", "current", "membrane", "traces"):
            np.testing.assert_array_equal(getattr(found, own), expected[own], err_msg=own)
        # The same formulas with another library's exp and erfc, each good to 4 roundings; the
        # errors are one or two quotients of their products, and the parts of both signs add up.
        x = (found.membrane - config.membrane.threshold) / config.schedule[0].sigma
        parts = np.abs(
            [[error(own, 1.0), error(own, 0.0)] for own in map(float, x.ravel())]
        ).reshape(*SHAPE, 2)
        size = targets * parts[..., 0] + (1 - targets) * parts[..., 1]
        assert (np.abs(found.errors - expected["errors"]) <= 32 * U * size).all()
        gradient = [naive_gradient(*pair) for pair in zip(found.errors, found.traces, strict=True)]
        np.testing.assert_array_equal(found.gradient, gradient)


def test_chance_of_a_spike_is_the_gaussian_integral() -> None:
    # One input that always spikes, one step a window: the potential is gain times weight.
    config = TINY.replace(layer__inputs=1, window__steps=1, schedule=[{"sigma": 0.3}])
    windows = 40_000
    twin = FloatLayer(config, seed=8)
    weights = np.array([[3.0, 3.6, 4.0, 5.0]])
    twin.load(weights)
    events = Events.from_raster(np.ones((windows, 1, 1), bool))
    found = twin.run(events).raster.mean(axis=(0, 1))
    p = ndtr((config.membrane.gain * weights[0] - config.membrane.threshold) / 0.3)
    assert 0.2 < p.min() < 0.5 < p.max() < 0.9
    # Five standard deviations of a binomial share: one seed in 400 000 would be further off.
    assert (np.abs(found - p) <= 5 * np.sqrt(p * (1 - p) / windows)).all()


def test_own_noise_is_standard_and_from_the_seed() -> None:
    events, weights, _, _ = stimulus(0)
    runs = []
    for seed in (1, 1, 2):
        twin = FloatLayer(TINY, seed=seed)
        twin.load(weights)
        runs.append(twin.run(events, record=("draws",)))
    expected = np.random.default_rng(1).standard_normal(SHAPE)
    for run in runs[:2]:
        np.testing.assert_array_equal(run.draws, expected)
        np.testing.assert_array_equal(run.raster, runs[0].raster)
    assert (runs[2].raster != runs[0].raster).any()


def test_given_resets_take_the_place_of_spikes() -> None:
    events, weights, targets, draws = stimulus(1)
    twin = FloatLayer(TINY)
    twin.load(weights)
    own = twin.run(events, draws=draws, record=("membrane",))
    again = twin.run(events, draws=draws, resets=own.raster, record=("membrane",))
    np.testing.assert_array_equal(again.membrane, own.membrane)
    taught = FloatLayer(TINY.replace(membrane__reset="teacher"))
    taught.load(weights)
    expected = taught.run(events, targets, draws=draws, record=("membrane",))
    forced = np.asarray(targets >= 0.5, np.uint8)
    found = twin.run(events, draws=draws, resets=forced, record=("membrane",))
    np.testing.assert_array_equal(found.membrane, expected.membrane)
    assert (found.membrane != own.membrane).any()


def test_a_windows_row_of_targets_stands_for_all_its_steps() -> None:
    events, weights, targets, draws = stimulus(2)
    rows = targets[:, 0]
    twins = [FloatLayer(TINY), FloatLayer(TINY)]
    for twin, own in zip(twins, (rows, np.repeat(rows[:, None], 16, axis=1)), strict=True):
        twin.load(weights)
        twin.learn(events, own, draws=draws)
    np.testing.assert_array_equal(twins[0].weights, twins[1].weights)


@pytest.mark.parametrize("keep", ["clear", "carry"])
def test_learning_per_window_equals_learning_at_once(keep: str) -> None:
    config = TINY.replace(
        window__state=keep, window__trace=keep, schedule=[{"windows": 2}, {"sigma": 0.4}]
    )
    events, weights, targets, _ = stimulus(3)
    whole, single = FloatLayer(config, seed=4), FloatLayer(config, seed=4)
    whole.load(weights)
    single.load(weights)
    expected = whole.learn(events, targets)
    for k in range(WINDOWS):
        part = single.learn(events.select([k]), targets[k : k + 1])
        np.testing.assert_array_equal(part.raster[0], expected.raster[k])
    np.testing.assert_array_equal(single.weights, whole.weights)
    assert (whole.windows_learned, whole.phase) == (single.windows_learned, single.phase) == (3, 1)


def test_schedule_counts_learned_windows_until_reset() -> None:
    config = TINY.replace(window__state="carry", schedule=[{"windows": 2}, {"sigma": 0.4}])
    events, weights, targets, _ = stimulus(4)
    twin = FloatLayer(config, seed=2)
    twin.load(weights)
    first = twin.run(events)
    assert (twin.phase, twin.windows_learned) == (0, 0)
    twin.learn(events.select([0, 1]), targets[:2])
    assert (twin.phase, twin.windows_learned) == (1, 2)
    learned = twin.weights
    twin.reset()
    assert (twin.phase, twin.windows_learned) == (0, 0)
    np.testing.assert_array_equal(twin.weights, learned)
    twin.load(weights)
    np.testing.assert_array_equal(twin.run(events).raster, first.raster)


def test_only_the_matched_twin_saturates() -> None:
    config = TINY.replace(learning__rate=8.0)
    events = Events.from_raster(np.ones((1, 16, 6), bool))
    ends = {
        "current": config.synapse.current,
        "membrane": config.membrane.format,
        "traces": config.trace.format,
        "errors": config.error.format,
    }
    for sign in (1.0, -1.0):
        targets = np.full((1, 4), 0.0 if sign > 0 else 1.0)
        found = {}
        for matched in (False, True):
            twin = FloatLayer(config, matched=matched)
            twin.load(np.full((6, 4), sign * 50.0))
            resets = np.zeros((1, 16, 4), np.uint8)
            record = tuple(ends)
            found[matched] = twin.learn(events, targets, resets=resets, record=record)
            weights = twin.weights
            fmt = config.synapse.weight
            low, high = float(fmt.real(fmt.raw_min)), float(fmt.real(fmt.raw_max))
            assert (weights.min() >= low and weights.max() <= high) == matched
        for name, fmt in ends.items():
            low, high = float(fmt.real(fmt.raw_min)), float(fmt.real(fmt.raw_max))
            matched_values, ideal = (getattr(found[own], name) for own in (True, False))
            assert matched_values.min() >= low
            assert matched_values.max() <= high
            if name in ("current", "membrane"):
                assert (matched_values == (high if sign > 0 else low)).any()
                assert np.abs(ideal).max() > high


def test_matched_traces_end_where_their_format_does() -> None:
    config = TINY.replace(trace__format="u4.3", trace__current="u6.4")
    events = Events.from_raster(np.ones((1, 16, 6), bool))
    found = []
    for matched in (False, True):
        twin = FloatLayer(config, matched=matched)
        found.append(twin.run(events, np.zeros((1, 4)), record=("traces",)).traces.max())
    assert found[0] > 15 / 8
    assert found[1] == 15 / 8


def test_leaks_are_not_rounded() -> None:
    assert real_leak(DecayConfig(shift=3)) == 0.875
    assert real_leak(DecayConfig(bits=0)) == 0.0
    assert real_leak(DecayConfig(tau=1e6, bits=0)) == 1.0
    assert real_leak(DecayConfig(tau=20.0, bits=2)) == math.exp(-0.05)


def test_twin_has_the_integer_layers_interface() -> None:
    events, weights, targets, _ = stimulus(5)
    raw = np.floor(np.clip(weights, -1.9, 1.9) * 16).astype(int)
    layer, twin = Layer(TINY), FloatLayer(TINY)
    layer.load(raw)
    twin.load(raw / 16)
    results = (
        layer.learn(events, (targets * 16).astype(int), record=RECORDS),
        twin.learn(events, targets, record=RECORDS),
    )
    for name in ("raster", *RECORDS):
        left, right = (getattr(result, name) for result in results)
        assert left.shape == right.shape
    assert results[1].raster.dtype == np.uint8
    for result in (layer.run(events), twin.run(events)):
        assert all(getattr(result, name) is None for name in RECORDS)
    for own in (layer, twin):
        given = own.run(events, targets if own is twin else (targets * 16).astype(int),
                        gradient=True).gradient  # fmt: skip
        assert given is not None
        copy = own.weights
        copy[...] = 0
        assert own.weights.any()


WRONG: list[tuple[Callable[[FloatLayer], Any], str]] = [
    (
        lambda twin: twin.load(np.zeros((4, 6))),
        r"^weights must be numbers of shape \(inputs, neurons\) = \(6, 4\), .* of shape \(4, 6\)$",
    ),
    (lambda twin: twin.load(np.zeros((6, 4), bool)), r"^weights must be numbers .*, not bool of"),
    (lambda twin: twin.load(np.zeros((6, 4), complex)), r"^weights must be .*, not complex128 of"),
    (lambda twin: twin.load(np.full((6, 4), np.nan)), r"^weights must be finite, not nan$"),
    (lambda twin: twin.load(np.full((6, 4), -np.inf)), r"^weights must be finite, not -inf$"),
    (lambda twin: twin.run("spikes"), r"^events must be Events .*, not str$"),
    (
        lambda twin: twin.run(Events.from_raster(np.zeros((1, 16, 7), bool))),
        r"^events must have 6 units and 16 steps .*, not 7 and 16$",
    ),
    (lambda twin: twin.learn(stimulus(0)[0], None), r"^targets must be given for learning or a te"),
    (lambda twin: twin.run(stimulus(0)[0], gradient=True), r"^targets must be given for learning"),
    (
        lambda twin: twin.learn(stimulus(0)[0], np.zeros((3, 15, 4))),
        r"^targets must be numbers of shape \(3, 4\) or \(3, 16, 4\), .*not .* \(3, 15, 4\)$",
    ),
    (
        lambda twin: twin.learn(stimulus(0)[0], np.full((3, 4), 1.01)),
        r"^targets must be in 0 \.\.= 1, not [\w.]+$",
    ),
    (
        lambda twin: twin.learn(stimulus(0)[0], np.full((3, 4), np.nan)),
        r"^targets must be in 0 \.\.= 1, not [\w.]+$",
    ),
    (
        lambda twin: twin.run(stimulus(0)[0], draws=np.zeros((3, 16, 5))),
        r"^draws must be of shape \(3, 16, 4\), not \(3, 16, 5\)$",
    ),
    (
        lambda twin: twin.run(stimulus(0)[0], resets=np.zeros((3, 4), np.uint8)),
        r"^resets must be of shape \(3, 16, 4\), not \(3, 4\)$",
    ),
    (
        lambda twin: twin.run(stimulus(0)[0], record=("trace",)),
        r"^record must name some of .*, not 'trace', did you mean 'traces'\?$",
    ),
    (lambda twin: FloatLayer(twin.config, seed=-1), r"^seed must be in 0 \.\.= \d+, not -1$"),
    (lambda twin: FloatLayer("tiny"), r"^config must be a Config, not 'tiny'$"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_invalid_input_raises_and_changes_nothing(
    call: Callable[[FloatLayer], Any], message: str
) -> None:
    twin = FloatLayer(TINY)
    _, weights, _, _ = stimulus(0)
    twin.load(weights)
    with pytest.raises(ValueError, match=message):
        call(twin)
    np.testing.assert_array_equal(twin.weights, weights)
    assert twin.windows_learned == 0


def test_teacher_reset_requires_targets() -> None:
    twin = FloatLayer(TINY.replace(membrane__reset="teacher"))
    with pytest.raises(ValueError, match=r"^targets must be given for learning or a teacher's res"):
        twin.run(stimulus(0)[0])
