"""Primitive polynomials: the tables are proved, and held against the literature."""

from __future__ import annotations

import itertools
import math

import pytest

from bitlif.model.lfsr import LfsrConfig
from bitlif.model.polynomials import (
    DEFAULT_TAPS,
    MAX_WIDTH,
    MERSENNE_PRIMES,
    MIN_WIDTH,
    as_integer,
    distinct_taps,
    is_primitive,
    multiply,
    power_of_x,
    primitive_taps,
)

WIDTHS = range(MIN_WIDTH, MAX_WIDTH + 1)


def is_prime(n: int) -> bool:
    """Miller-Rabin with the first 12 primes, which is a proof below 3.3e24 (Sorenson, Webster)."""
    bases = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
    if n in bases:
        return True
    if n < 2 or any(n % base == 0 for base in bases):
        return False
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in bases:
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def naive_multiply(a: int, b: int, modulus: int) -> int:
    """Multiply without carries in full, then divide: nothing shared with the tested code."""
    product = 0
    for k in range(b.bit_length()):
        product ^= (a << k) * (b >> k & 1)
    while product.bit_length() >= modulus.bit_length():
        product ^= modulus << (product.bit_length() - modulus.bit_length())
    return product


def order_of_x(taps: tuple[int, ...]) -> int:
    """Return how often x must be multiplied until 1 comes back, one factor at a time."""
    modulus = as_integer(taps)
    element, order = 2, 1
    while element != 1:
        element = naive_multiply(element, 2, modulus)
        order += 1
    return order


# -- the tables ------------------------------------------------------------------------------


def test_prime_factors_are_prime_distinct_and_complete() -> None:
    assert list(MERSENNE_PRIMES) == list(WIDTHS)
    for width, primes in MERSENNE_PRIMES.items():
        assert list(primes) == sorted(set(primes))
        assert all(is_prime(prime) for prime in primes), width
        rest = (1 << width) - 1
        for prime in primes:
            assert rest % prime == 0, (width, prime)
            while rest % prime == 0:
                rest //= prime
        assert rest == 1, width


def test_default_taps_are_the_first_of_their_width() -> None:
    assert list(DEFAULT_TAPS) == list(WIDTHS)
    for width in WIDTHS:
        assert DEFAULT_TAPS[width] == next(primitive_taps(width)), width


def test_middle_default_taps_are_in_the_lower_half() -> None:
    for width, taps in DEFAULT_TAPS.items():
        assert len(taps) == 4
        assert taps[0] == width
        assert list(taps) == sorted(set(taps), reverse=True)
        assert 1 <= taps[-1] <= taps[1] <= width // 2


def test_distinct_taps_are_the_first_ones_without_repetition() -> None:
    for width in (8, 9, 16, 31, 64):
        few = distinct_taps(width, 5)
        assert few == tuple(itertools.islice(primitive_taps(width), 5))
        assert len(set(few)) == 5
        assert few[0] == DEFAULT_TAPS[width]


def test_all_five_term_polynomials_of_width_8_are_found_once() -> None:
    candidates = [(8, *middle) for middle in itertools.combinations(range(7, 0, -1), 3)]
    expected = {taps for taps in candidates if order_of_x(taps) == 255}
    found = list(primitive_taps(8))
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_number_of_primitive_polynomials_of_width_8() -> None:
    # phi(2^8 - 1) / 8, over all polynomials with a constant term and an odd number of terms.
    every = [
        (8, *middle)
        for count in (1, 3, 5, 7)
        for middle in itertools.combinations(range(7, 0, -1), count)
    ]
    totient = sum(math.gcd(k, 255) == 1 for k in range(255))
    assert sum(is_primitive(taps) for taps in every) == totient // 8 == 16


# -- arithmetic ------------------------------------------------------------------------------


def test_multiply_is_long_multiplication_and_division() -> None:
    modulus = as_integer((8, 4, 3, 2))
    for a, b in itertools.product(range(0, 256, 3), range(0, 256, 5)):
        assert multiply(a, b, modulus) == naive_multiply(a, b, modulus)


def test_power_of_x_is_repeated_multiplication() -> None:
    for taps in ((8, 4, 3, 2), (11, 5, 3, 2)):
        modulus = as_integer(taps)
        element = 1
        for exponent in range(300):
            assert power_of_x(exponent, modulus) == element
            element = naive_multiply(element, 2, modulus)


def test_as_integer_has_a_bit_for_each_term_and_the_constant() -> None:
    assert as_integer((16, 14, 13, 11)) == 0b1_0110_1000_0000_0001


# -- the literature --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "taps",
    [
        (16, 14, 13, 11),  # the usual 16-bit Fibonacci LFSR
        (32, 22, 2, 1),  # Xilinx XAPP 052, 32 bits
        (31, 3),  # the trinomials of PRBS31, PRBS23, PRBS15 and PRBS9 (ITU-T O.150)
        (31, 28),
        (23, 18),
        (15, 14),
        (9, 5),
        (8, 6, 5, 4),  # XAPP 052
        (64, 63, 61, 60),  # XAPP 052
        (32, 26, 23, 22, 16, 12, 11, 10, 8, 7, 5, 4, 2, 1),  # CRC-32
        (12, 6, 4, 1),
    ],
)  # fmt: skip
def test_polynomials_of_the_literature_are_primitive(taps: tuple[int, ...]) -> None:
    assert is_primitive(taps)
    # The reciprocal polynomial runs the same stream backwards.
    mirrored = tuple(sorted((taps[0] - tap for tap in (*taps[1:], 0)), reverse=True))
    assert is_primitive(mirrored)


@pytest.mark.parametrize(
    ("taps", "order"),
    [
        ((8, 4, 3, 1), 51),  # that of AES: irreducible, but x is no generator
        ((8,), 8),
        ((8, 7, 6, 5, 4, 3, 2, 1), 9),
        ((8, 5, 4, 2), 63),
    ],
)
def test_polynomials_with_a_short_period_are_not_primitive(
    taps: tuple[int, ...], order: int
) -> None:
    assert order_of_x(taps) == order
    assert not is_primitive(taps)


def test_irreducible_but_not_primitive_polynomial_is_refused() -> None:
    modulus = as_integer((8, 4, 3, 1))
    element = 2
    for _ in range(8):
        element = multiply(element, element, modulus)
    assert element == 2
    assert not is_primitive((8, 4, 3, 1))


@pytest.mark.parametrize("taps", [(8, 4, 3, 1), (8, 5, 4, 2)])
def test_polynomial_that_is_not_primitive_is_refused(
    taps: tuple[int, ...],
) -> None:
    example = str(list(DEFAULT_TAPS[taps[0]])).replace("[", r"\[").replace("]", r"\]")
    with pytest.raises(
        ValueError, match=rf"^taps must be of a primitive polynomial .*; {example} is one$"
    ):
        LfsrConfig(width=taps[0], taps=taps)
