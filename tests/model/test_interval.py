"""Interval arithmetic: exactly the least interval that holds all results, by brute force."""

from __future__ import annotations

import itertools

import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.fixed import Format
from bitlif.model.interval import MAX_INTERMEDIATE_BITS, Interval

ENDS = (-5, -2, -1, 0, 1, 3, 4)
INTERVALS = [Interval(a, b) for a, b in itertools.combinations_with_replacement(ENDS, 2)]


def members(interval: Interval) -> range:
    return range(interval.low, interval.high + 1)


def hull(values: object) -> Interval:
    found = list(values)  # type: ignore[call-overload]
    return Interval(min(found), max(found))


@pytest.mark.parametrize("x", INTERVALS, ids=str)
def test_sums_products_and_unions_are_the_hulls_of_all_pairs(x: Interval) -> None:
    for y in INTERVALS:
        pairs = list(itertools.product(members(x), members(y)))
        assert x + y == hull(a + b for a, b in pairs)
        assert x * y == hull(a * b for a, b in pairs)
        assert x.union(y) == hull([*members(x), *members(y)])


@pytest.mark.parametrize("x", INTERVALS, ids=str)
def test_shifts_and_multiples_are_the_hulls_of_all_values(x: Interval) -> None:
    for shift in range(5):
        assert x >> shift == hull(a >> shift for a in members(x))
    for factor in range(-3, 4):
        assert x.scaled(factor) == hull(a * factor for a in members(x))


def test_a_sum_of_up_to_so_many_values_holds_every_partial_sum() -> None:
    for x in (Interval(-2, 3), Interval(1, 2), Interval(-3, -1), Interval(0, 0)):
        for count in range(4):
            sums = {0}
            for n in range(1, count + 1):
                sums |= {sum(terms) for terms in itertools.product(members(x), repeat=n)}
            assert x.times(count) == hull(sums)


def test_width_is_the_least_that_holds_every_value() -> None:
    for low, high in itertools.combinations_with_replacement(range(-40, 41), 2):
        x = Interval(low, high)
        assert x.signed == (low < 0)
        fits = [
            bits
            for bits in range(1, 9)
            if (
                -(1 << (bits - 1)) <= low and high < 1 << (bits - 1)
                if low < 0
                else high < 1 << bits
            )
        ]
        assert x.bits == fits[0]


@pytest.mark.parametrize("text", ["s2.0", "s8.6", "u1.0", "u8.3", "s32.4", "u32.0"])
def test_format_holds_its_own_interval_and_nothing_wider(text: str) -> None:
    fmt = Format.parse(text)
    x = Interval.of(fmt)
    assert (x.low, x.high, x.bits) == (fmt.raw_min, fmt.raw_max, fmt.bits)
    assert x.within(fmt)
    assert not Interval(x.low - 1, x.high).within(fmt)
    assert not Interval(x.low, x.high + 1).within(fmt)
    assert Interval(max(x.low, 0), 0).within(fmt)


def test_point_holds_one_value() -> None:
    assert list(members(Interval.point(-7))) == [-7]


def test_width_is_checked_at_63_bits_and_the_signal_named() -> None:
    widest = Interval(-(1 << 62), (1 << 62) - 1)
    assert widest.bits == MAX_INTERMEDIATE_BITS == 63
    assert widest.checked("sum", "narrow it") is widest
    assert Interval(0, (1 << 63) - 1).checked("sum", "narrow it").bits == 63
    for wide in (Interval(-(1 << 62) - 1, 0), Interval(-1, 1 << 62), Interval(0, 1 << 63)):
        with pytest.raises(
            BitlifError, match=r"^sum would need 64 bits, at most 63 are allowed: narrow it$"
        ):
            wide.checked("sum", "narrow it")
