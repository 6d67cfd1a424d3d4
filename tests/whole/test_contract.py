"""The statements of docs/contract.md, computed from its text alone and compared with the code."""

from __future__ import annotations

import dataclasses
import decimal
import itertools
import json
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config, ready_made
from bitlif.model.config.schema import to_plain
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.fixed import Format
from bitlif.model.layer import Layer
from bitlif.model.lfsr import LfsrConfig
from bitlif.model.noise import NoiseConfig
from bitlif.model.polynomials import DEFAULT_TAPS
from bitlif.model.sections import LearningConfig, PhaseConfig

from golden_steps import arrays_of, manifest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "contract.md").read_text("utf-8")
ROWS = re.findall(
    r"^\| `([\w.\[\]]+)` \| (.+) \| ([^|]+) \|$", TEXT.partition("## Fields and limits")[2], re.M
)
TINY = Config.load("tiny")
MATH = decimal.Context(prec=60)


# -- fields and limits ---------------------------------------------------------------------------


def section(field: str) -> Any:
    """Return the default of the section that validates a field."""
    node: Any = Config()
    *parents, _ = field.replace("[0]", "").split(".")
    for parent in parents:
        node = getattr(node, parent)
        node = node[0] if isinstance(node, tuple) else node
    return node


def refusal(field: str, value: object) -> str:
    """Return the error for this value of a field, with defaults for all others; empty if legal."""
    name = field.rsplit(".", 1)[-1]
    try:
        dataclasses.replace(section(field), **{name: value})
    except BitlifError as error:
        message = str(error)
        # Any other error concerns several fields: the value itself is legal.
        alone = re.match(rf"{name} must be (in|above|an integer)(?!.* if )", message)
        return message if alone else ""
    return ""


def test_table_lists_every_field_with_its_default() -> None:
    leaves = [row for row in ROWS if row[0] != "schedule"]  # The schedule itself also has a row.
    assert [row[0] for row in leaves] == list(Config().flat())
    for (field, _, default), value in zip(leaves, Config().flat().values(), strict=True):
        plain = to_plain(value)
        expected = "none" if plain == [] else json.dumps(plain)
        assert default.strip("`") == expected, field


INTEGERS = [row for row in ROWS if re.fullmatch(r"\d+ \.\.= \d+", row[1])]


@pytest.mark.parametrize(("field", "legal", "default"), INTEGERS, ids=[row[0] for row in INTEGERS])
def test_integer_limits_match_the_validation(field: str, legal: str, default: str) -> None:
    low, high = map(int, legal.split(" ..= "))
    assert refusal(field, low) == refusal(field, high) == ""
    for value in (low - 1, high + 1):
        name = field.rsplit(".", 1)[-1]
        assert refusal(field, value) == f"{name} must be in {low} ..= {high}, not {value}"
    assert low <= int(default) <= high


REALS = [row for row in ROWS if re.fullmatch(r"real, (above )?[\d.]+ \.\.= [\d.]+", row[1])]


@pytest.mark.parametrize(("field", "legal", "default"), REALS, ids=[row[0] for row in REALS])
def test_real_limits_match_the_validation(field: str, legal: str, default: str) -> None:
    words = legal.removeprefix("real, ")
    low, high = map(float, words.removeprefix("above ").split(" ..= "))
    least = np.nextafter(low, np.inf) if "above" in words else low
    assert refusal(field, float(least)) == refusal(field, high) == ""
    assert refusal(field, float(np.nextafter(least, -np.inf)))
    assert refusal(field, float(np.nextafter(high, np.inf)))
    assert refusal(field, float(default)) == ""


CHOICES = [row for row in ROWS if row[1].startswith('`"')]


@pytest.mark.parametrize(("field", "legal", "default"), CHOICES, ids=[row[0] for row in CHOICES])
def test_listed_choices_are_the_accepted_ones(field: str, legal: str, default: str) -> None:
    words = re.findall(r'`"(\w+)"`', legal)
    path = field.replace(".", "__")
    with pytest.raises(BitlifError, match=rf"^{re.escape(field)} must be ") as caught:
        Config().replace(**{path: "?"})
    assert re.findall(r"'(\w+)'", str(caught.value)) == words
    assert default.strip('`"') in words


FORMATS = [row for row in ROWS if "fraction" in row[1]]


@pytest.mark.parametrize(("field", "legal", "default"), FORMATS, ids=[row[0] for row in FORMATS])
def test_format_limits_match_the_validation(field: str, legal: str, default: str) -> None:
    found = re.fullmatch(r"([su]), (\d+) \.\.= (\d+) bits, fraction (-?\d+) \.\.= (\d+)", legal)
    assert found
    least, most, low, high = map(int, found.groups()[1:])
    name, signed = field.rsplit(".", 1)[-1], found[1] == "s"

    def taken(bits: int, frac: int, signed: bool = signed) -> bool:
        try:
            dataclasses.replace(section(field), **{name: Format(bits, frac, signed)})
        except BitlifError as error:
            # Errors about other fields, or about two fields together, do not count.
            kinds = r"be an? (un)?signed|have at most \d+ bits|be able"
            return not re.match(rf"(bits|frac) must be in|{name} must ({kinds})", str(error))
        return True

    middle = 1 if low == 0 else 0
    assert all(taken(bits, min(middle, bits - 1)) for bits in (least, most))
    assert not taken(least - 1, 0)
    assert not taken(most + 1, 0)
    assert all(taken(most, frac) for frac in (low, high))
    assert not taken(most, low - 1)
    assert not taken(most, high + 1)
    assert not taken(most, 0, not signed)
    assert taken(*dataclasses.astuple(Format.parse(default.strip('`"')))[:2])


def length(field: str, what: str) -> tuple[int, int]:
    """Return the shortest and the longest legal length of a field, from the table."""
    legal = {row[0]: row[1] for row in ROWS}[field]
    found = re.fullmatch(rf"(\d+) \.\.= (\d+) {what}", legal)
    assert found
    return int(found[1]), int(found[2])


def test_name_length_limits_match_the_validation() -> None:
    least, most = length("name", "printable characters")
    for count in (least, most):
        assert Config(name="x" * count).name == "x" * count
    with pytest.raises(BitlifError, match=rf"^name must have at most {most} characters, not "):
        Config(name="x" * (most + 1))
    for name in ("x" * (least - 1), "\n"):
        with pytest.raises(BitlifError, match=r"^name must be printable and not empty, not "):
            Config(name=name)


def test_phase_count_limits_match_the_validation() -> None:
    least, most = length("schedule", "phases")
    phase = PhaseConfig(windows=1)
    for count in (least, most):
        assert len(Config(schedule=(phase,) * count).schedule) == count
    for count in (least - 1, most + 1):
        told = f"^schedule must have {least} ..= {most} phases, not {count}$"
        with pytest.raises(BitlifError, match=told):
            Config(schedule=(phase,) * count)


def test_every_row_of_the_table_is_tested() -> None:
    held = {row[0] for rows in (INTEGERS, REALS, CHOICES, FORMATS) for row in rows}
    assert {row[0] for row in ROWS} - held == {
        "name", "schedule", "membrane.threshold", "noise.overlap", "noise.lfsr.taps",
        "noise.lfsr.seed", "error.limit", "error.a", "error.b", "learning.lfsr.taps",
        "learning.lfsr.seed",
    }  # fmt: skip
    for path, most in (("noise", (1 << 32) - 1), ("learning", (1 << 31) - 1)):
        for seed in (0, most + 1):
            with pytest.raises(
                BitlifError, match=rf"^{path}\.lfsr\.seed must be in 1 \.\.= {most},"
            ):
                Config().replace(**{f"{path}__lfsr__seed": seed})
    fmt = Config().membrane.format
    for threshold in (float(fmt.lsb), float(fmt.raw_max * fmt.lsb)):
        Config().replace(membrane__threshold=threshold)
    for threshold in (float(fmt.lsb) * 0.999, float(fmt.raw_max * fmt.lsb) * 1.001):
        with pytest.raises(BitlifError, match=r"^membrane\.threshold must be in"):
            Config().replace(membrane__threshold=threshold)
    Config().replace(error__limit=255 / 32)
    with pytest.raises(BitlifError, match=r"^error\.limit must be above 0 and at most 7\.96"):
        Config().replace(error__limit=7.97)


# -- noise ---------------------------------------------------------------------------------------


def primitive(taps: tuple[int, ...]) -> bool:
    """Return whether the LFSR with these taps visits all non-zero states."""
    width, state, count = taps[0], 1, 0
    while True:
        bit = state & 1
        for tap in taps[1:]:
            bit ^= state >> tap & 1
        state = state >> 1 | bit << (width - 1)
        count += 1
        if state == 1:
            return count == (1 << width) - 1


def in_order(width: int) -> list[tuple[int, ...]]:
    """Return the primitive five-term polynomials in the documented order."""
    half = width // 2
    tops = [*range(half, 2, -1), *range(half + 1, width)]
    return [
        (width, a, b, c)
        for a in tops
        for b in range(a - 1, 1, -1)
        for c in range(b - 1, 0, -1)
        if primitive((width, a, b, c))
    ]


@pytest.mark.parametrize("width", range(8, 14))
def test_polynomials_have_the_documented_order(width: int) -> None:
    ordered = in_order(width)
    (default,) = LfsrConfig(width=width).streams(1)
    assert default.taps == ordered[0]
    lanes = LfsrConfig(width=width, sharing="polynomial", seed=3).streams(min(6, len(ordered)))
    assert [lane.taps for lane in lanes] == ordered[:6]
    assert {lane.state for lane in lanes} == {3}
    with pytest.raises(BitlifError, match=rf"^lanes must be at most {len(ordered)}, the number of"):
        LfsrConfig(width=width, sharing="polynomial").check_lanes(len(ordered) + 1)


def test_default_polynomials_of_the_text() -> None:
    for taps in re.findall(r"\((\d+, \d+, \d+, \d+)\) for (\d+)", TEXT):
        named = tuple(map(int, taps[0].split(", ")))
        assert DEFAULT_TAPS[int(taps[1])] == named
    assert len(re.findall(r"\(\d+, \d+, \d+, \d+\) for \d+", TEXT)) == 2


def test_leap_0_means_the_bits_of_a_draw() -> None:
    assert NoiseConfig(words=3, word_bits=5).leap == 15
    assert LearningConfig(random_bits=6).leap == 6


def scaled(ratio: Fraction, bits: int) -> tuple[int, int]:
    """Return mantissa and shift: the largest shift with a rounded mantissa below 2**bits."""
    shift = max(
        n for n in range(63 - bits) if (ratio * 2**n + Fraction(1, 2)).__floor__() < 2**bits
    )
    return (ratio * 2**shift + Fraction(1, 2)).__floor__(), shift


@pytest.mark.parametrize("name", ready_made())
def test_scale_and_reciprocal_have_the_largest_shifts(name: str) -> None:
    config = Config.load(name)
    derived, lsb = derive(config), config.membrane.format.lsb
    unit = Fraction(config.noise.pmf.sigma)
    ratios = [Fraction(repr(phase.sigma)) / lsb / unit for phase in config.schedule]
    _, shift = scaled(max(ratios), config.noise.scale_bits)
    assert derived.constants.noise_shift == shift
    scales = [(ratio * 2**shift + Fraction(1, 2)).__floor__() for ratio in ratios]
    assert [phase.noise_scale for phase in derived.phases] == scales
    step = Fraction(2) ** (config.error.span + 1 - config.error.index_bits)
    bins = [1 / (unit * scale / 2**shift * step) for scale in scales]
    _, shift = scaled(max(bins), config.error.reciprocal_bits)
    assert derived.constants.bin_shift == shift
    reciprocals = [(ratio * 2**shift + Fraction(1, 2)).__floor__() for ratio in bins]
    assert [phase.reciprocal for phase in derived.phases] == reciprocals


# -- the error table -------------------------------------------------------------------------------


def chance(levels: list[int], counts: list[int], point: Decimal, mirrored: bool) -> Decimal:
    """Return the mass below `point`, with the mass of each level spread over its cell."""
    middles = [Fraction(a + b, 2) for a, b in itertools.pairwise(levels)]
    end = levels[-1] + (levels[-1] - middles[-1] if mirrored else 0)
    ends = [Fraction(-end), *middles, Fraction(end)]
    where, mass = Fraction(point), Fraction(0)
    for (low, high), count in zip(itertools.pairwise(ends), counts, strict=True):
        share = min(max((where - low) / (high - low), Fraction(0)), Fraction(1))
        mass += share * Fraction(count, sum(counts))
    return MATH.divide(mass.numerator, mass.denominator)


def likelihood_table(config: Config, *, mirrored: bool = True) -> tuple[list[int], list[int]]:
    """Return the raw columns as the text defines them."""
    noise, error = config.noise, config.error
    assert noise.kind == "popcount"
    bits = noise.words * noise.word_bits
    levels = [2 * ones - bits for ones in range(bits + 1)]
    counts = [0] * (bits + 1)
    for word in range(2**bits):
        counts[word.bit_count()] += 1
    sigma = MATH.sqrt(Decimal(bits))  # standard deviation of a sum of draws of -1 and 1
    step = Decimal(2) ** (error.span + 1 - error.index_bits)
    half = 2**error.index_bits // 2
    edges = [
        chance(levels, counts, MATH.multiply(MATH.multiply(k, step), sigma), mirrored)
        for k in range(-half, half + 1)
    ]

    def entry(p0: Decimal, p1: Decimal) -> int:
        limit = Decimal(repr(error.limit))
        if p0 > 0:
            mean = MATH.divide(MATH.subtract(MATH.ln(p1), MATH.ln(p0)), step)
            limit = min(mean, limit)
        return int((limit * 2**error.entry.frac + Decimal("0.5")).to_integral(decimal.ROUND_FLOOR))

    pairs = list(itertools.pairwise(edges))
    return [entry(*pair) for pair in pairs], [entry(1 - p1, 1 - p0) for p0, p1 in pairs]


def test_outermost_cells_mirror_their_inner_halves() -> None:
    config = TINY.replace(noise={"kind": "popcount", "words": 2, "word_bits": 2})
    a, b = derive(config).table
    assert (list(a), list(b)) == likelihood_table(config)
    cut, _ = likelihood_table(config, mirrored=False)
    assert sum(x != y for x, y in zip(a, cut, strict=True)) > 5


# -- rates and phases ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ready_made())
def test_rate_has_the_largest_shift_that_fits(name: str) -> None:
    config = Config.load(name)
    learning, random_bits = config.learning, config.learning.random_bits
    lsbs = config.error.format.lsb * config.trace.format.lsb / config.synapse.weight.lsb
    for phase, own in zip(config.schedule, derive(config).phases, strict=True):
        eta = Fraction(repr(phase.rate if phase.rate else learning.rate))
        ratio = eta / config.window.steps * lsbs
        shift = max(
            n
            for n in range(63)
            if (ratio * 2**n + Fraction(1, 2)).__floor__() < 2**learning.rate_bits
        )
        right = max(shift - random_bits, 0)
        assert own.rate == (ratio * 2**shift + Fraction(1, 2)).__floor__()
        assert (own.rate_left, own.rate_right) == (max(random_bits - shift, 0), right)
        assert own.rate_bias == (2**right // 2 if right else 0)


def test_rate_example_of_the_text() -> None:
    found = re.search(r"`digits` in phase 5: mantissa (\d+) and shift (\d+), not", TEXT)
    assert found
    config = Config.load("digits")
    phase = derive(config).phases[5]
    shift = phase.rate_right - phase.rate_left + config.learning.random_bits
    assert (phase.rate, shift) == tuple(map(int, found.groups()))


def test_last_phase_stays_and_rate_0_is_learning_rate() -> None:
    phases = [{"windows": 1, "sigma": 0.3, "rate": 0.25}, {"windows": 2, "sigma": 0.15}]
    layer = Layer(TINY.replace(schedule=phases))
    events = Events.from_times([0], [0], steps=16, units=6, windows=1)
    seen = []
    for _ in range(6):
        seen.append(layer.phase)
        layer.learn(events, np.zeros((1, 4), np.uint16))
        layer.run(events)
    assert seen == [0, 1, 1, 1, 1, 1]
    assert PhaseConfig().rate == 0.0
    same = [phases[0], {**phases[1], "rate": TINY.learning.rate}]
    assert derive(TINY.replace(schedule=same)).phases == derive(layer.config).phases


# -- leaky sums ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ready_made())
def test_leaky_sum_constants_match_the_table(name: str) -> None:
    config, c = Config.load(name), derive(Config.load(name)).constants
    synapse, membrane, trace = config.synapse, config.membrane, config.trace

    def leak(decay: Any) -> tuple[int, int]:
        if decay.shift:
            return 2**decay.shift - 1, decay.shift
        factor = MATH.exp(MATH.divide(-1, Decimal(repr(decay.tau))))
        return (Fraction(factor) * 2**decay.bits + Fraction(1, 2)).__floor__(), decay.bits

    gain = (Fraction(repr(membrane.gain)) * 2**membrane.gain_bits + Fraction(1, 2)).__floor__()
    gain_frac = membrane.gain_bits
    for own, decay, state, take, frac, rounding in (
        (c.current, synapse.decay, synapse.current, 1, synapse.weight.frac, synapse.rounding),
        (c.membrane, membrane.decay, membrane.format, gain, gain_frac + synapse.current.frac,
         membrane.rounding),
        (c.trace_current, synapse.decay, trace.current, 1, 0, trace.rounding),
        (c.trace, membrane.decay, trace.format, gain, gain_frac + trace.current.frac,
         trace.rounding),
    ):  # fmt: skip
        keep, bits = leak(decay)
        point = max(bits + state.frac, frac, state.frac)
        shift = point - state.frac
        assert own.keep == keep * 2 ** (point - bits - state.frac)
        assert own.take == take * 2 ** (point - frac)
        assert own.shift == shift
        assert own.bias == (2 ** (shift - 1) if rounding == "nearest" and shift else 0)
        assert (own.low, own.high) == (state.raw_min, state.raw_max)


# -- counters and signature ------------------------------------------------------------------------


def test_signature_starts_at_0_and_spans_windows() -> None:
    folder = ROOT / "tests" / "golden" / "tiny"
    arrays, lanes = arrays_of(folder), manifest(folder)["run"]["lanes"]
    registers = [0] * lanes

    def take(neuron: int, word: int) -> None:
        old = registers[neuron % lanes]
        feedback = 0x04C11DB7 if old >> 31 else 0
        registers[neuron % lanes] = ((old << 1) & 0xFFFFFFFF) ^ feedback ^ (word & 0xFFFFFFFF)

    windows, steps, neurons = arrays["spike"].shape
    assert windows > 1
    for w in range(windows):
        for t, i in np.ndindex(steps, neurons):
            take(
                i, int(arrays["membrane_potential"][w, t, i]) ^ int(arrays["spike"][w, t, i]) << 31
            )
        for i, j in np.ndindex(neurons, arrays["weight"].shape[1]):
            take(i, int(arrays["weight"][w, j, i]))
        folded = 0
        for lane, value in enumerate(registers):
            folded ^= (value << lane | value >> (32 - lane)) & 0xFFFFFFFF
        assert folded == arrays["signature"][w]


def test_active_errors_are_non_zero_after_rounding() -> None:
    folder = ROOT / "tests" / "golden" / "tiny"
    arrays, told = arrays_of(folder), manifest(folder)
    assert told["counters"]["active_errors"] == np.count_nonzero(arrays["error"])
    # Digits: fewer than the non-zero table entries.
    config = Config.load("digits").replace(layer__inputs=8)
    random = np.random.default_rng(3)
    events = Events.from_raster(random.random((4, 64, 8)) < 0.3)
    targets = random.integers(0, 1024, (4, 10), endpoint=True).astype(np.uint16)
    layer = Layer(config)
    layer.load(random.integers(-200, 200, (8, 10)))
    result = layer.learn(events, targets, record=("errors", "membrane"))
    assert result.errors is not None
    assert result.membrane is not None
    active = np.count_nonzero(result.errors)
    assert result.counters["active_errors"] == active
    derived = derive(config)
    c, (a, b) = derived.constants, map(np.array, derived.table)
    place = ((result.membrane - c.threshold) * derived.phases[0].reciprocal) >> c.bin_shift
    index = np.clip(place, -c.half_bins, c.half_bins - 1) + c.half_bins
    q = targets[:, None, :].astype(np.int64)
    exact = q * a[index] - (c.target_one - q) * b[index]
    assert np.count_nonzero(exact) > active


def test_membrane_saturations_count_both_narrowings() -> None:
    config = TINY.replace(
        membrane={"format": "s6.4", "threshold": 1.9, "injection": "membrane", "reset": "free"},
        schedule=[{"sigma": 0.6}],
    )
    c, phase = derive(config).constants, derive(config).phases[0]
    random = np.random.default_rng(5)
    events = Events.from_raster(random.random((6, 16, 6)) < 0.5)
    layer = Layer(config)
    layer.load(random.integers(-32, 31, (6, 4), endpoint=True))
    result = layer.run(events, record=("current", "membrane", "draws"))
    assert result.current is not None
    assert result.membrane is not None
    assert result.draws is not None
    f, low, high = c.membrane, c.membrane.low, c.membrane.high
    first = second = 0
    for w in range(6):
        kept = np.zeros(4, np.int64)
        for t in range(16):
            exact = (f.keep * kept + f.take * result.current[w, t] + f.bias) >> f.shift
            before = np.clip(exact, low, high)
            first += np.count_nonzero(exact != before)
            noise = (phase.noise_scale * result.draws[w, t] + c.noise_bias) >> c.noise_shift
            noisy = before + noise
            second += np.count_nonzero((noisy < low) | (noisy > high))
            kept = np.where(result.raster[w, t] > 0, 0, np.clip(noisy, low, high))
    assert first > 0
    assert second > 0
    assert result.counters["membrane_saturations"] == first + second
