"""Formats and the three lossy operations: exhaustively, against exact fractions and APyTypes."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from apytypes import APyFixed, APyFixedArray, OverflowMode, QuantizationMode

from bitlif.model.engine.compile import compiled
from bitlif.model.errors import BitlifError
from bitlif.model.fixed import (
    Format,
    Overflow,
    Rounding,
    StochasticShift,
    round_fraction,
    round_shift,
    saturate,
    stochastic_shift,
)

WIDTH = 8
VALUES = range(-(1 << (WIDTH - 1)), 1 << (WIDTH - 1))
APY_MODES = {Rounding.FLOOR: QuantizationMode.TRN, Rounding.NEAREST: QuantizationMode.RND}


def naive_round(x: Fraction, rounding: Rounding) -> int:
    """Round by the words of the contract: down, or to the nearest with halves up."""
    below = math.floor(x)
    if rounding is Rounding.FLOOR:
        return below
    return below if x - below < Fraction(1, 2) else below + 1


# -- formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("frac", [-32, -1, 0, 3, 8, 48])
def test_format_is_read_back_from_its_own_text(signed: bool, frac: int) -> None:
    for bits in range(2 if signed else 1, 33):
        fmt = Format(bits, frac, signed)
        assert Format.parse(str(fmt)) == fmt
        assert str(fmt) == f"{'s' if signed else 'u'}{bits}.{frac}"


@pytest.mark.parametrize("signed", [True, False])
def test_range_holds_exactly_the_words_of_its_width(signed: bool) -> None:
    for bits in range(2 if signed else 1, 33):
        fmt = Format(bits, 0, signed)
        assert fmt.raw_max - fmt.raw_min + 1 == 1 << bits
        assert fmt.raw_min == (-fmt.raw_max - 1 if signed else 0)


def test_range_and_lsb_are_those_of_apytypes() -> None:
    for bits, frac in itertools.product(range(2, 12), range(-3, 14)):
        fmt = Format(bits, frac)
        for raw in (fmt.raw_min, fmt.raw_max, 1):
            number = APyFixed(raw & ((1 << bits) - 1), bits=bits, int_bits=bits - frac)
            assert Fraction(float(number)) == fmt.real(raw)


def test_lsb_is_a_power_of_two_on_either_side_of_the_point() -> None:
    assert Format(8, 3).lsb == Fraction(1, 8)
    assert Format(8, 0).lsb == 1
    assert Format(8, -3).lsb == 8
    assert Format(8, 48).real(-128) == Fraction(-128, 1 << 48)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^a format must be 's' or 'u', bits, '\.', .* as in 's10\.8', not ''$"),
        ("s", r"not 's'$"),
        ("s10", r"not 's10'$"),
        ("s10.", r"not 's10\.'$"),
        ("s.8", r"not 's\.8'$"),
        ("10.8", r"not '10\.8'$"),
        ("S10.8", r"not 'S10\.8'$"),
        ("q10.8", r"not 'q10\.8'$"),
        ("s10.8.1", r"not 's10\.8\.1'$"),
        ("s10.--8", r"not 's10\.--8'$"),
        ("s10.+8", r"not 's10\.\+8'$"),
        ("s-10.8", r"not 's-10\.8'$"),
        (" s10.8", r"not ' s10\.8'$"),
        ("s10.8 ", r"not 's10\.8 '$"),
        ("s1 0.8", r"not 's1 0\.8'$"),
        ("s²0.8", r"not 's²0\.8'$"),
        ("s1_0.8", r"not 's1_0\.8'$"),
        ("s33.8", r"^bits must be in 2 \.\.= 32, not 33$"),
        ("s1.0", r"^bits must be in 2 \.\.= 32, not 1$"),
        ("u0.0", r"^bits must be in 1 \.\.= 32, not 0$"),
        ("s8.49", r"^frac must be in -32 \.\.= 48, not 49$"),
        ("s8.-33", r"^frac must be in -32 \.\.= 48, not -33$"),
        ("s" + "9" * 5000 + ".1", r"^a format must be 's' or 'u', bits"),
    ],
)
def test_text_that_is_no_format_is_refused(text: str, message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        Format.parse(text)


@pytest.mark.parametrize("value", [8, 10.8, None, b"s10.8", ["s10.8"], Format(8, 2)])
def test_format_that_is_not_text_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError, match=r"^a format must be text such as 's10\.8' or 'u8\.6', not"):
        Format.parse(value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((8.0, 2), r"^bits must be an integer in 2 \.\.= 32, not 8\.0$"),
        ((True, 0), r"^bits must be an integer in 2 \.\.= 32, not True$"),
        ((8, "2"), r"^frac must be an integer in -32 \.\.= 48, not '2'$"),
        ((8, 2, 1), r"^signed must be true or false, not 1$"),
        ((8, 2, None), r"^signed must be true or false, not None$"),
    ],
)
def test_field_of_the_wrong_type_is_refused(fields: tuple, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Format(*fields)


def test_format_is_immutable_and_hashable() -> None:
    fmt = Format(8, 2)
    with pytest.raises(AttributeError):
        fmt.bits = 9
    assert len({Format(8, 2), Format(8, 2, True), Format(8, 2, False), Format(8, 3)}) == 3


# -- rounding and saturation -----------------------------------------------------------------


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("shift", range(WIDTH + 3))
def test_round_shift_is_the_exact_quotient_rounded(rounding: Rounding, shift: int) -> None:
    bias = rounding.bias(shift)
    for x in VALUES:
        expected = naive_round(Fraction(x, 1 << shift), rounding)
        assert round_shift(x, bias, shift) == expected, (x, shift)


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("shift", range(WIDTH))
def test_round_shift_is_the_quantisation_of_apytypes(rounding: Rounding, shift: int) -> None:
    array = APyFixedArray([x & 0xFF for x in VALUES], bits=WIDTH, frac_bits=shift)
    # One integer bit more than the values need: rounding up must not overflow.
    cast = array.cast(int_bits=WIDTH + 1, frac_bits=0, quantization=APY_MODES[rounding])
    ours = [round_shift(x, rounding.bias(shift), shift) for x in VALUES]
    assert cast.to_numpy().tolist() == ours


@pytest.mark.parametrize("rounding", list(Rounding))
def test_rounding_and_saturation_together_are_a_cast_of_apytypes(rounding: Rounding) -> None:
    for shift, bits in itertools.product(range(WIDTH), range(2, WIDTH + 1)):
        array = APyFixedArray([x & 0xFF for x in VALUES], bits=WIDTH, frac_bits=shift)
        cast = array.cast(
            int_bits=bits,
            frac_bits=0,
            quantization=APY_MODES[rounding],
            overflow=OverflowMode.SAT,
        )
        fmt = Format(bits, 0)
        ours = [
            saturate(round_shift(x, rounding.bias(shift), shift), fmt.raw_min, fmt.raw_max)[0]
            for x in VALUES
        ]
        assert cast.to_numpy().tolist() == ours, (shift, bits)


@pytest.mark.parametrize("signed", [True, False])
def test_saturate_returns_the_nearest_value_and_a_flag(signed: bool) -> None:
    for bits in range(2, 8):
        fmt = Format(bits, 0, signed)
        inside = range(fmt.raw_min, fmt.raw_max + 1)
        for x in VALUES:
            y, moved = saturate(x, fmt.raw_min, fmt.raw_max)
            assert y == min(inside, key=lambda z: abs(z - x))
            assert moved is (x not in inside)


def test_bias_is_half_an_lsb_only_for_nearest() -> None:
    assert [Rounding.NEAREST.bias(k) for k in range(5)] == [0, 1, 2, 4, 8]
    assert [Rounding.FLOOR.bias(k) for k in range(5)] == [0] * 5


def test_round_fraction_is_to_nearest_with_halves_up() -> None:
    for numerator, denominator in itertools.product(range(-40, 41), range(1, 13)):
        x = Fraction(numerator, denominator)
        assert round_fraction(x) == naive_round(x, Rounding.NEAREST)


def test_modes_are_their_words() -> None:
    assert [str(mode) for mode in (*Rounding, *Overflow)] == [
        "floor", "nearest", "saturate", "refuse",
    ]  # fmt: skip


# -- stochastic rounding ---------------------------------------------------------------------


def stochastic(x: int, s: StochasticShift, random: int) -> int:
    return stochastic_shift(x, s.left, s.bias, s.right, random, s.random_bits)


@pytest.mark.parametrize("random_bits", range(6))
@pytest.mark.parametrize("shift", range(9))
def test_mean_over_all_random_words_is_the_value_rounded_to_them(
    shift: int, random_bits: int
) -> None:
    constants = StochasticShift.of(shift, random_bits)
    words = range(1 << random_bits)
    for x in VALUES:
        results = [stochastic(x, constants, random) for random in words]
        # The contract: x / 2**shift rounded to random_bits fractional bits (nearest, halves up),
        # then exactly unbiased. Equality of rationals; no tolerance.
        fine = naive_round(Fraction(x * len(words), 1 << shift), Rounding.NEAREST)
        assert Fraction(sum(results), len(words)) == Fraction(fine, len(words))
        # Only the two neighbours occur, and the larger words round up.
        assert max(results) - min(results) <= 1
        assert results == sorted(results)
        assert min(results) == fine >> random_bits


@pytest.mark.parametrize("shift", range(9))
def test_mean_is_exact_where_the_random_bits_reach_the_last_bit(shift: int) -> None:
    for random_bits in range(shift, 10):
        constants = StochasticShift.of(shift, random_bits)
        for x in range(-40, 41):
            total = sum(stochastic(x, constants, random) for random in range(1 << random_bits))
            assert Fraction(total, 1 << random_bits) == Fraction(x, 1 << shift)


@pytest.mark.parametrize("shift", range(12))
def test_no_random_bits_is_plain_rounding_to_nearest(shift: int) -> None:
    constants = StochasticShift.of(shift, 0)
    assert (constants.left, constants.right) == (0, shift)
    for x in VALUES:
        assert stochastic(x, constants, 0) == round_shift(x, Rounding.NEAREST.bias(shift), shift)


def test_whole_shift_is_split_between_left_right_and_random_bits() -> None:
    for shift, random_bits in itertools.product(range(63), range(25)):
        s = StochasticShift.of(shift, random_bits)
        assert s.right - s.left + s.random_bits == shift
        assert s.left == 0 or s.right == 0
        assert s.bias == (1 << (s.right - 1) if s.right else 0)


# -- the compiled functions ------------------------------------------------------------------


def test_compiled_operations_are_the_interpreted_ones() -> None:
    shift, clip, random_shift = (compiled(f) for f in (round_shift, saturate, stochastic_shift))
    extremes = [-(1 << 62), -(1 << 40) - 1, (1 << 40) + 1, (1 << 62) - 1]
    for x, by in itertools.product([*VALUES, *extremes], (0, 1, 3, 8, 40, 62)):
        for rounding in Rounding:
            # At 62 bits the sum with the bias still fits 63: what a configuration may need.
            bias = rounding.bias(min(by, 61))
            assert shift(x, bias, by) == round_shift(x, bias, by)
        assert clip(x, -100, 90) == saturate(x, -100, 90)
    for s, bits in itertools.product((0, 1, 4, 7), (0, 1, 3, 6)):
        c = StochasticShift.of(s, bits)
        for x, random in itertools.product(VALUES, range(1 << bits)):
            assert random_shift(x, c.left, c.bias, c.right, random, bits) == stochastic(
                x, c, random
            )


def test_interpreted_operations_take_integers_of_any_size() -> None:
    big = 1 << 200
    assert round_shift(-big - 1, Rounding.FLOOR.bias(3), 3) == -(big >> 3) - 1
    assert saturate(big, -5, 5) == (5, True)
    assert np.int64(3) == round_shift(np.int64(13), 2, 2)
