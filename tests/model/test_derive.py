"""Derived constants and ranges: right by their definition, and never left by a run."""

from __future__ import annotations

import itertools
import math
import re
import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitlif.model import neuron, table, trace, update, window
from bitlif.model.config.config import Config, config_from_dict
from bitlif.model.derive import Derived, derive, effective_sigma, leak_factor
from bitlif.model.errors import BitlifError, BitlifWarning
from bitlif.model.events import Events
from bitlif.model.fixed import MAX_SHIFT, Format, Rounding
from bitlif.model.interval import Interval
from bitlif.model.layer import Layer
from bitlif.model.result import RECORDS
from bitlif.model.sections import DecayConfig

from strategies import configs, stimulus

TINY = Config.load("tiny")
READY_MADE = ("tiny", "digits", "digits-4bit", "teacher")
QUIET = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


# -- ranges ----------------------------------------------------------------------------------


class Recorder:
    """Notes the extremes of every intermediate of interpreted runs, by the names of the ranges."""

    def __init__(self, derived: Derived, patch: pytest.MonkeyPatch) -> None:
        self.seen: dict[str, Interval] = {}
        self.signal = ""
        c = derived.constants
        # By identity: two filters may hold equal numbers.
        names = {
            id(c.current): "synaptic current",
            id(c.membrane): "membrane",
            id(c.trace_current): "synaptic trace",
            id(c.trace): "PSP trace",
        }
        originals = (neuron.leaky_sum, neuron.round_shift, neuron.noise_level, neuron.fires)
        leaky_sum, round_shift, noise_level, fires = originals
        table_bin, error_value = table.table_bin, table.error_value
        sum_rows, updated = window.sum_rows, update.updated_weight
        stochastic_shift = update.stochastic_shift

        def leaky(state: int, taken: int, f: Any) -> Any:
            self.signal = names[id(f)]
            return leaky_sum(state, taken, f)

        def shift(x: int, bias: int, by: int) -> int:
            exact = "noise product" if self.signal == "noise" else f"{self.signal} sum"
            self.note(exact, x + bias)
            result = round_shift(x, bias, by)
            self.note(self.signal, result)
            return result

        def level(*arguments: Any) -> int:
            self.signal = "noise"
            return noise_level(*arguments)

        def decide(membrane: int, noise: int, constants: Any) -> bool:
            self.note("noisy membrane", membrane + noise)
            return fires(membrane, noise, constants)

        def find_bin(membrane: int, phase: Any, constants: Any) -> int:
            self.note("distance", membrane - constants.threshold)
            self.note("bin product", (membrane - constants.threshold) * phase.reciprocal)
            return table_bin(membrane, phase, constants)

        def value(*arguments: Any) -> Any:
            self.signal = "error"
            return error_value(*arguments)

        def weights(*arguments: Any) -> None:
            sum_rows(*arguments)
            for total in arguments[-1]:
                self.note("weight sum", total)

        def weight(old: int, gradient: int, *rest: Any) -> Any:
            self.note("gradient", gradient)
            return updated(old, gradient, *rest)

        def stochastic(x: int, left: int, bias: int, *rest: Any) -> int:
            self.note("update product", (x << left) + bias)
            return stochastic_shift(x, left, bias, *rest)

        for module, name, function in (
            (window, "leaky_sum", leaky), (trace, "leaky_sum", leaky),
            (neuron, "round_shift", shift), (table, "round_shift", shift),
            (window, "noise_level", level), (window, "fires", decide),
            (window, "table_bin", find_bin), (window, "error_value", value),
            (window, "sum_rows", weights), (update, "updated_weight", weight),
            (update, "stochastic_shift", stochastic),
        ):  # fmt: skip
            patch.setattr(module, name, function)

    def note(self, name: str, value: int) -> None:
        point = Interval.point(int(value))
        self.seen[name] = self.seen.get(name, point).union(point)


def assert_run_stays_in_ranges(config: Config, *stimuli: tuple[Events, Any, Any]) -> None:
    derived = derive(config)
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(derived, patch)
        for events, weights, targets in stimuli:
            layer = Layer(config, interpreted=True)
            layer.load(weights)
            layer.learn(events, targets)
    assert set(recorder.seen) == set(derived.ranges)
    for name, seen in recorder.seen.items():
        allowed = derived.ranges[name]
        assert allowed.low <= seen.low, name
        assert seen.high <= allowed.high, name


def extreme_stimulus(config: Config, sign: int) -> tuple[Events, Any, Any]:
    """Return a window in which every input spikes in every step, through the extreme weight."""
    sizes, fmt = config.layer, config.synapse.weight
    events = Events.from_raster(np.ones((1, config.window.steps, sizes.inputs), bool))
    raw = fmt.raw_max if sign > 0 else fmt.raw_min
    target = 0 if sign > 0 else 1 << config.error.target_bits
    weights = np.full((sizes.inputs, sizes.neurons), raw)
    return events, weights, np.full((1, sizes.neurons), target)


@pytest.mark.parametrize("name", ["tiny", "digits"])
def test_no_intermediate_of_a_run_leaves_its_range(name: str) -> None:
    config = Config.load(name)
    windows = 9 if name == "tiny" else 1
    extremes = [extreme_stimulus(config, sign) for sign in ((1, -1) if name == "tiny" else (1,))]
    assert_run_stays_in_ranges(config, stimulus(config, 3, windows=windows), *extremes)


def test_no_intermediate_of_the_teacher_leaves_its_range() -> None:
    config = Config.load("teacher")
    assert_run_stays_in_ranges(config, extreme_stimulus(config, -1))


@settings(max_examples=20, **QUIET)
@given(config=configs(max_steps=6), seed=st.integers(0, 2**32))
def test_no_intermediate_of_a_random_layer_leaves_its_range(config: Config, seed: int) -> None:
    extremes = [extreme_stimulus(config, sign) for sign in (1, -1)]
    assert_run_stays_in_ranges(config, stimulus(config, seed), *extremes)


@pytest.mark.parametrize("name", READY_MADE)
def test_ranges_of_the_exact_sums_are_reached_at_their_corners(name: str) -> None:
    config = Config.load(name)
    derived = derive(config)
    c, ranges = derived.constants, derived.ranges
    weights = ranges["weight sum"]
    assert weights == Interval.of(config.synapse.weight).times(config.layer.inputs)
    for signal, f, state, taken in (
        ("synaptic current", c.current, Interval.of(config.synapse.current), weights),
        ("membrane", c.membrane, Interval.of(config.membrane.format),
         Interval.of(config.synapse.current)),
        ("synaptic trace", c.trace_current, Interval.of(config.trace.current), Interval(0, 1)),
        ("PSP trace", c.trace, Interval.of(config.trace.format),
         Interval.of(config.trace.current)),
    ):  # fmt: skip
        corners = [
            f.keep * x + f.take * y + f.bias
            for x in (state.low, state.high)
            for y in (taken.low, taken.high)
        ]
        assert ranges[f"{signal} sum"] == Interval(min(corners), max(corners))
        assert ranges[signal] == Interval(min(corners) >> f.shift, max(corners) >> f.shift)
        assert (f.low, f.high) == (state.low, state.high)
    levels = config.noise.pmf.levels
    # A schedule may be loaded: every word of its fields counts, not only the configured ones.
    top_scale, top_reciprocal, top_rate = (
        (1 << bits) - 1
        for bits in (
            config.noise.scale_bits,
            config.error.reciprocal_bits,
            config.learning.rate_bits,
        )
    )
    products = [top_scale * level + c.noise_bias for level in (levels[0], levels[-1])]
    assert ranges["noise product"] == Interval(min(products), max(products))
    entry = config.error.entry.raw_max
    assert ranges["error sum"] == Interval(
        c.error_bias - c.target_one * entry, c.error_bias + c.target_one * entry
    )
    state, traced, fmt = config.membrane.format, config.trace.format, config.error.format
    distances = [state.raw_min - c.threshold, state.raw_max - c.threshold]
    assert ranges["distance"] == Interval(*distances)
    bins = [distance * top_reciprocal for distance in distances]
    assert ranges["bin product"] == Interval(min(bins), max(bins))
    noises = [product >> c.noise_shift for product in products]
    assert ranges["noise"] == Interval(min(noises), max(noises))
    assert ranges["noisy membrane"] == Interval(
        state.raw_min + min(noises), state.raw_max + max(noises)
    )
    steps = config.window.steps
    gradients = [raw * traced.raw_max * steps for raw in (fmt.raw_min, fmt.raw_max)]
    assert ranges["gradient"] == Interval(*gradients)
    updates = [
        (top_rate * gradient << phase.rate_left) + phase.rate_bias
        for phase in derived.phases
        for gradient in gradients
    ]
    assert ranges["update product"] == Interval(min(updates), max(updates))


# -- constants -------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [3, 6, 8, 12, 16])
def test_leak_is_the_exponential_rounded_to_nearest(bits: int) -> None:
    for tau in (0.5, 1.0, 2.0, 3.7, 5.0, 19.99, 20.0, 1000.0):
        exact = math.exp(-1 / tau) * 2**bits
        # A double is right to 1e-11 here; nowhere that near to a tie, so the integer is exact.
        assert abs(exact % 1 - 0.5) > 1e-6
        expected = math.floor(exact + 0.5)
        decay = DecayConfig(tau=tau, bits=bits)
        if 0 < expected < 1 << bits:
            assert leak_factor("x", decay) == (expected, bits)
        else:
            with pytest.raises(
                BitlifError,
                match=rf"^x\.tau must give a factor between 0 and 1 with {bits} bits, not {tau:g}, "
                rf"which gives {expected} / {1 << bits}: change tau or bits$",
            ):
                leak_factor("x", decay)


def test_leak_by_a_shift_is_exact() -> None:
    for shift in range(1, 17):
        raw, bits = leak_factor("x", DecayConfig(shift=shift))
        assert Fraction(raw, 1 << bits) == 1 - Fraction(1, 1 << shift)


def test_known_leaks_of_the_teacher() -> None:
    # exp(-1/5) = 0.8187307531 and exp(-1/20) = 0.9512294245, times 1024.
    config = Config.load("teacher")
    assert leak_factor("synapse", config.synapse.decay) == (838, 10)
    assert leak_factor("membrane", config.membrane.decay) == (974, 10)


@settings(max_examples=60, **QUIET)
@given(config=configs())
def test_constants_are_the_nearest_integers_to_the_real_numbers(config: Config) -> None:
    derived = derive(config)
    c = derived.constants
    membrane, synapse, error, learning = (
        config.membrane, config.synapse, config.error, config.learning,
    )  # fmt: skip
    lsb = membrane.format.lsb
    half = Fraction(1, 2)

    def is_nearest(raw: int, exact: Fraction) -> bool:
        return -half < raw - exact <= half

    assert is_nearest(c.threshold, Fraction(membrane.threshold) / lsb)
    gain = Fraction(c.membrane.take, 1 << c.membrane.shift) / (synapse.current.lsb / lsb)
    assert is_nearest(gain * 2**membrane.gain_bits, Fraction(membrane.gain) * 2**membrane.gain_bits)
    for f, fmt, taken_lsb, rounding in (
        (c.current, synapse.current, synapse.weight.lsb, synapse.rounding),
        (c.trace_current, config.trace.current, Fraction(1), config.trace.rounding),
    ):
        # A weight, or a lone spike, is added as it is.
        assert Fraction(f.take, 1 << f.shift) * fmt.lsb == taken_lsb
        leak, bits = leak_factor("x", synapse.decay)
        assert Fraction(f.keep, 1 << f.shift) == Fraction(leak, 1 << bits)
        assert f.bias == rounding.bias(f.shift)
    assert c.target_one == 1 << error.target_bits
    assert Fraction(1, 1 << c.error_shift) * error.format.lsb == error.entry.lsb / c.target_one

    pmf_sigma = Fraction(config.noise.pmf.sigma)
    largest = max(phase.sigma for phase in config.schedule)
    for phase, own in zip(derived.phases, config.schedule, strict=True):
        unit = Fraction(repr(own.sigma)) / lsb / pmf_sigma
        assert is_nearest(phase.noise_scale, unit * (1 << c.noise_shift))
        assert 1 <= phase.noise_scale < 1 << config.noise.scale_bits
        # Bins follow the sigma that the rounded scale gives.
        sigma = effective_sigma(config, phase.noise_scale, c.noise_shift)
        assert is_nearest(phase.reciprocal, (1 << c.bin_shift) / (sigma * error.step))
        assert 1 <= phase.reciprocal < 1 << error.reciprocal_bits
        rate = Fraction(repr(own.rate or learning.rate)) / config.window.steps
        exact = rate * error.format.lsb * config.trace.format.lsb / synapse.weight.lsb
        shift = phase.rate_right + learning.random_bits - phase.rate_left
        assert is_nearest(phase.rate, exact * (1 << shift))
        assert 1 <= phase.rate < 1 << learning.rate_bits
        # The mantissa has all its bits: one more would not fit.
        assert shift == MAX_SHIFT or math.floor(exact * (2 << shift) + half) >= (
            1 << learning.rate_bits
        )
        if own.sigma == largest:
            most = 1 << config.noise.scale_bits
            assert math.floor(unit * (2 << c.noise_shift) + half) >= most
    assert c.noise_bias == Rounding.NEAREST.bias(c.noise_shift)


def test_scale_uses_all_its_bits() -> None:
    # Four one-bit words have a sigma of 2 exactly; a membrane LSB is 1/64: 8 LSBs a draw at 0.25.
    for sigma, scale, shift in ((0.25, 8, 0), (0.125, 8, 1), (15.4 / 32, 15, 0), (7.75 / 32, 8, 0)):
        config = TINY.replace(
            noise__kind="popcount", noise__words=4, noise__word_bits=1, noise__scale_bits=4,
            schedule=[{"sigma": sigma}],
        )  # fmt: skip
        derived = derive(config)
        assert (derived.phases[0].noise_scale, derived.constants.noise_shift) == (scale, shift)


def test_range_of_representable_rates() -> None:
    # A gradient's LSB, over 16 steps, is 2**-(4 + 6 + 4) in the real numbers; a weight's is 2**-4.
    unit = 2.0**10
    for rate, mantissa, shift in (
        (7.0 * unit, 7, 0),
        (7.25 * unit, 7, 0),
        (4.0 * unit, 4, 0),
        (3.75 * unit, 4, 0),
        (unit, 4, 2),
        (unit * 2.0**-62, 1, 62),
        (unit * 2.0**-60, 4, 62),
        (1.12e-16, 1, 62),  # half a unit is 2**-53 = 1.110...e-16: more rounds up, less to nothing
    ):
        phase = derive(TINY.replace(learning__rate=rate)).phases[0]
        assert phase.rate == mantissa
        assert phase.rate_right - phase.rate_left + TINY.learning.random_bits == shift
    for rate, limit in ((7.5 * unit, "at most 7670"), (1.1e-16, "at least 1.12e-16")):
        message = f"learning.rate must be {limit} for these formats, not {rate:g}"
        with pytest.raises(BitlifError, match=f"^{re.escape(message)}$"):
            TINY.replace(learning__rate=rate)
        TINY.replace(learning__rate=float(limit.rpartition(" ")[2]))


def test_phases_end_where_their_windows_are_used_up() -> None:
    config = TINY.replace(
        schedule=[
            {"windows": 3, "sigma": 0.3},
            {"windows": 5, "sigma": 0.2},
            {"windows": 0, "sigma": 0.1},
        ]
    )
    assert derive(config).phase_ends == (3, 8)
    assert derive(TINY.replace(schedule=[{"sigma": 0.1}])).phase_ends == ()


def test_the_gates_need_no_range_wider_than_63_bits() -> None:
    for name in READY_MADE:
        assert all(x.bits <= 63 for x in derive(Config.load(name)).ranges.values())


# -- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"membrane__decay": {"tau": 0.1, "bits": 4}},
            r"^membrane\.decay\.tau must give a factor .*, not 0\.1, which gives 0 / 16: change",
        ),
        (
            {"synapse__decay": {"tau": 500.0, "bits": 4}},
            r"^synapse\.decay\.tau must give a factor .* not 500, which gives 16 / 16",
        ),
        (
            {"synapse__current": "s32.-32", "synapse__weight": "s6.48"},
            r"^synaptic current: the formats' binary points must be at most 62 bits apart$",
        ),
        (
            {"membrane__format": "s32.-32", "membrane__threshold": 2.0**32,
             "synapse__current": "s32.48", "synapse__weight": "s6.40"},
            r"^membrane: the formats' binary points must be at most 62 bits apart$",
        ),
        (
            {"synapse__weight": "s32.0", "synapse__current": "s32.30"},
            r"^synaptic current sum would need \d+ bits, at most 63 .*: narrow its formats",
        ),
        (
            {"membrane__gain_bits": 0},
            r"^membrane\.gain must be at least half an LSB of its 0 gain_bits, not 0\.25$",
        ),
        (
            {"synapse__overflow": "refuse"},
            r"^synaptic current could overflow: .* 's10\.6' is -512 \.\.= 511: widen",
        ),
        ({"membrane__overflow": "refuse"}, r"^membrane could overflow: .* 's10\.6' is"),
        (
            {"trace__overflow": "refuse", "trace__current": "u7.6"},
            r"^synaptic trace could overflow: .* 0 \.\.= 159, .* 'u7\.6' is 0",
        ),
        (
            {"trace__overflow": "refuse"},
            r"^PSP trace could overflow: .* 0 \.\.= 279, .* 'u8\.6' is 0 \.\.= 255",
        ),
        (
            {"error__overflow": "refuse"},
            r"^error could overflow: .* 's7\.4' is -64 \.\.= 63: widen error\.format$",
        ),
        (
            {"error__format": "s16.-32", "error__entry": "u28.48", "error__limit": 9e-7,
             "learning__rate": 1e-9},
            r"^error\.format must have at least -10 fractional bits, .* - 62, not 's16\.-32'$",
        ),
        (
            {"schedule": [{"windows": 1, "sigma": 0.3}, {"sigma": 1e-5}]},
            r"^schedule\[1\]\.sigma must be between \d\S* and \S+ with 10 .*scale_bits, not 1e-05$",
        ),
        (
            {"schedule": [{"sigma": 1e6}]},
            r"^schedule\[0\]\.sigma must be between .* with 10 noise\.scale_bits, not 1e\+06$",
        ),
        (
            {"schedule": [{"windows": 1, "sigma": 3.0}, {"sigma": 0.001}],
             "noise__scale_bits": 16, "error__reciprocal_bits": 4},
            r"^schedule\[0\]\.sigma must be closer .* with 4 error\.reciprocal_bits, not 3$",
        ),
        ({"learning__rate": 1e6}, r"^learning\.rate must be at most 7670 for .*, not 1e\+06$"),
        ({"learning__rate": 1e-30}, r"^learning\.rate must be at least 1\.12e-16 .*, not 1e-30$"),
        (
            {"schedule": [{"windows": 1, "sigma": 0.3}, {"sigma": 0.2, "rate": 1e6}]},
            r"^schedule\[1\]\.rate must be at most 7670 for these formats, not 1e\+06$",
        ),
        (
            {"error__reciprocal_bits": 24, "membrane__format": "s32.10", "noise__scale_bits": 24,
             "learning__rate_bits": 16, "learning__random_bits": 17, "error__format": "s16.4",
             "trace__format": "u16.6", "window__steps": 1 << 20},
            r"^update product would need \d+ bits, .*: narrow learning\.rate_bits or error",
        ),
    ],
)  # fmt: skip
def test_impossible_configuration_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        TINY.replace(**changes)


def test_refuse_accepts_what_is_proved_to_fit() -> None:
    config = TINY.replace(
        trace__current="u9.6", trace__format="u10.6", trace__overflow="refuse",
        error__format="s9.4", error__overflow="refuse", synapse__current="s14.6",
        membrane__format="s20.6", synapse__overflow="refuse", membrane__overflow="refuse",
    )  # fmt: skip
    for signal, fmt in (
        ("synaptic current", config.synapse.current),
        ("membrane", config.membrane.format),
        ("synaptic trace", config.trace.current),
        ("PSP trace", config.trace.format),
        ("error", config.error.format),
    ):
        assert derive(config).ranges[signal].within(fmt), signal


# -- anything goes ---------------------------------------------------------------------------

ROUNDINGS = st.sampled_from(("floor", "nearest"))


def points(low: int, high: int) -> st.SearchStrategy[int]:
    """Return binary points: mostly plausible ones, some far out."""
    if high < 0:
        return st.integers(low, high)
    return st.one_of(st.integers(max(low, 0), min(high, 16)), st.integers(low, high))


@st.composite
def extreme_trees(draw: st.DrawFn) -> dict[str, Any]:
    """Draw sections whose fields are each legal, of any size, and not too often all refused."""

    def leak() -> dict[str, Any]:
        bits = draw(st.integers(2, 16))
        if draw(st.booleans()):
            return {"shift": bits}
        return {"tau": draw(st.floats(0.3, 2.0 ** (bits - 1))), "bits": bits}

    def power(low: float, high: float) -> float:
        return min(10.0 ** draw(st.floats(low, high)), 1e6)

    weight, current, state = (
        Format(draw(st.integers(2, 32)), draw(points(-32, 48))) for _ in range(3)
    )
    entry = Format(draw(st.integers(1, 32)), draw(points(-32, 48)), False)
    target_bits = draw(st.integers(0, 12))
    top = entry.frac + target_bits
    frac = draw(points(-32, max(-32, min(48, top))))
    error = Format(draw(st.integers(2, 16)), frac)
    traced = Format(draw(st.integers(1, 16)), draw(points(-32, 48)), False)
    trace_bits = draw(st.integers(2, 32))
    steps = draw(st.sampled_from((1, 3, 5)))
    kind = draw(st.sampled_from(("sum", "popcount", "inverse_cdf")))
    gain_bits = draw(st.integers(0, 16))
    rate_bits = draw(st.integers(1, 16))
    unit = float(error.lsb * traced.lsb / weight.lsb) / steps
    sigma = float(state.lsb) * power(-3, 6)
    return {
        "layer": {"inputs": draw(st.integers(1, 3)), "neurons": draw(st.integers(1, 3))},
        "window": {"steps": steps},
        "synapse": {
            "weight": str(weight), "current": str(current), "decay": leak(),
            "rounding": draw(ROUNDINGS),
        },
        "membrane": {
            "format": str(state), "decay": leak(), "gain_bits": gain_bits,
            "gain": min(2.0**-gain_bits * power(-0.3, 3), 1024.0),
            "threshold": float(state.real(draw(st.integers(1, state.raw_max)))),
            "reset": draw(st.sampled_from(("free", "teacher"))),
            "injection": draw(st.sampled_from(("threshold", "membrane"))),
            "rounding": draw(ROUNDINGS),
        },
        "trace": {
            "current": f"u{trace_bits}.{draw(st.integers(0, trace_bits - 1))}",
            "format": str(traced), "rounding": draw(ROUNDINGS),
        },
        "noise": {
            "kind": kind, "words": 1 if kind == "inverse_cdf" else draw(st.integers(1, 4)),
            "word_bits": draw(st.integers(2, 8)), "level_bits": draw(st.integers(4, 16)),
            "scale_bits": draw(st.integers(2, 24)),
        },
        "error": {
            "rule": draw(st.sampled_from(("likelihood", "clipped"))),
            "index_bits": draw(st.integers(3, 6)), "span": draw(st.integers(0, 5)),
            "entry": str(entry), "limit": float(entry.real(entry.raw_max)),
            "guard": draw(st.floats(1e-300, 0.25)), "format": str(error),
            "reciprocal_bits": draw(st.integers(4, 24)), "target_bits": target_bits,
            "rounding": draw(ROUNDINGS),
        },
        "learning": {
            "rate": max(power(-12, 1) * 2.0**rate_bits / unit, 5e-324) if unit else 1.0,
            "rate_bits": rate_bits, "random_bits": draw(st.integers(0, 24)),
        },
        "schedule": [
            {"windows": 1, "sigma": min(sigma * factor, 1e6)}
            for factor in (1.0, draw(st.floats(0.4, 1.0)))
        ],
    }  # fmt: skip


def test_valid_fields_give_an_exact_layer_or_one_error() -> None:
    accepted = refused = 0

    @settings(max_examples=250, **QUIET)
    @given(tree=extreme_trees(), seed=st.integers(0, 2**32))
    def check(tree: dict[str, Any], seed: int) -> None:
        nonlocal accepted, refused
        try:
            config = config_from_dict(tree)
        except BitlifError:
            refused += 1
            return
        accepted += 1
        events, weights, targets = stimulus(config, seed, windows=2)
        layers = [Layer(config), Layer(config, interpreted=True)]
        results = []
        for layer in layers:
            layer.load(weights)
            with warnings.catch_warnings():
                # Some of these layers have a rate that moves no weight.
                warnings.simplefilter("ignore", BitlifWarning)
                results.append(layer.learn(events, targets, record=RECORDS))
        for name in ("raster", *RECORDS):
            pair = [getattr(result, name) for result in results]
            np.testing.assert_array_equal(*pair, err_msg=name)
        assert results[0].counters == results[1].counters
        np.testing.assert_array_equal(layers[0].weights, layers[1].weights)

    check()
    assert accepted >= 50
    assert refused >= 50


def test_every_pair_of_roundings_gives_its_own_bias() -> None:
    for a, b in itertools.product(("floor", "nearest"), repeat=2):
        c = derive(TINY.replace(synapse__rounding=a, membrane__rounding=b)).constants
        assert c.current.bias == Rounding(a).bias(c.current.shift)
        assert c.membrane.bias == Rounding(b).bias(c.membrane.shift)
