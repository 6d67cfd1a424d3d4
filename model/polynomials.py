"""Primitive polynomials over GF(2), which give LFSRs of maximal period, and their arithmetic.

A polynomial is given by its *taps*: the exponents of its terms without the constant, in descending
order. ``(8, 4, 3, 2)`` is x^8 + x^4 + x^3 + x^2 + 1. As an integer, bit e is the coefficient of
x^e.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator

MIN_WIDTH = 8
MAX_WIDTH = 64


def as_integer(taps: tuple[int, ...]) -> int:
    """Return the polynomial with these taps as an integer.

    >>> bin(as_integer((8, 4, 3, 2)))
    '0b100011101'
    """
    return functools.reduce(lambda value, tap: value | 1 << tap, taps, 1)


def multiply(a: int, b: int, modulus: int) -> int:
    """Return the product of two polynomials modulo `modulus` (all as integers).

    >>> multiply(0b10000000, 0b10, as_integer((8, 4, 3, 2)))    # x^7 * x = x^8
    29
    """
    top = 1 << (modulus.bit_length() - 1)
    product = 0
    while b:
        if b & 1:
            product ^= a
        b >>= 1
        a <<= 1
        if a & top:
            a ^= modulus
    return product


@functools.lru_cache(maxsize=1024)
def power_of_x(exponent: int, modulus: int) -> int:
    """Return x^exponent modulo `modulus`, by square and multiply.

    >>> power_of_x(255, as_integer((8, 4, 3, 2)))    # the order of x is the period
    1
    """
    result = 1
    for digit in bin(exponent)[2:]:
        result = multiply(result, result, modulus)
        if digit == "1":
            result = multiply(result, 2, modulus)
    return result


@functools.lru_cache(maxsize=4096)
def is_primitive(taps: tuple[int, ...]) -> bool:
    """Return whether the order of x is ``2**width - 1``, so that the LFSR has maximal period.

    >>> is_primitive((8, 4, 3, 2)), is_primitive((8, 4, 3, 1))
    (True, False)
    """
    modulus = as_integer(taps)
    # A cheap necessary condition: x^(2**width) = x in a field of 2**width elements.
    element = 2
    for _ in range(taps[0]):
        element = multiply(element, element, modulus)
    if element != 2:
        return False
    period = (1 << taps[0]) - 1
    return all(power_of_x(period // prime, modulus) != 1 for prime in MERSENNE_PRIMES[taps[0]])


def primitive_taps(width: int) -> Iterator[tuple[int, ...]]:
    """Yield the primitive five-term polynomials of `width`, always in the same order.

    Polynomials with all middle terms in the lower half come first. Their recurrence has lags of at
    least half a register, so that gates and software can generate many bits at once.
    """
    for top in itertools.chain(range(width // 2, 2, -1), range(width // 2 + 1, width)):
        for middle in range(top - 1, 1, -1):
            for low in range(middle - 1, 0, -1):
                taps = (width, top, middle, low)
                if is_primitive(taps):
                    yield taps


@functools.lru_cache(maxsize=256)
def distinct_taps(width: int, count: int) -> tuple[tuple[int, ...], ...]:
    """Return the first `count` of `primitive_taps`; the first one is ``DEFAULT_TAPS[width]``."""
    return tuple(itertools.islice(primitive_taps(width), count))


MERSENNE_PRIMES = {
    8: (3, 5, 17),
    9: (7, 73),
    10: (3, 11, 31),
    11: (23, 89),
    12: (3, 5, 7, 13),
    13: (8191,),
    14: (3, 43, 127),
    15: (7, 31, 151),
    16: (3, 5, 17, 257),
    17: (131071,),
    18: (3, 7, 19, 73),
    19: (524287,),
    20: (3, 5, 11, 31, 41),
    21: (7, 127, 337),
    22: (3, 23, 89, 683),
    23: (47, 178481),
    24: (3, 5, 7, 13, 17, 241),
    25: (31, 601, 1801),
    26: (3, 2731, 8191),
    27: (7, 73, 262657),
    28: (3, 5, 29, 43, 113, 127),
    29: (233, 1103, 2089),
    30: (3, 7, 11, 31, 151, 331),
    31: (2147483647,),
    32: (3, 5, 17, 257, 65537),
    33: (7, 23, 89, 599479),
    34: (3, 43691, 131071),
    35: (31, 71, 127, 122921),
    36: (3, 5, 7, 13, 19, 37, 73, 109),
    37: (223, 616318177),
    38: (3, 174763, 524287),
    39: (7, 79, 8191, 121369),
    40: (3, 5, 11, 17, 31, 41, 61681),
    41: (13367, 164511353),
    42: (3, 7, 43, 127, 337, 5419),
    43: (431, 9719, 2099863),
    44: (3, 5, 23, 89, 397, 683, 2113),
    45: (7, 31, 73, 151, 631, 23311),
    46: (3, 47, 178481, 2796203),
    47: (2351, 4513, 13264529),
    48: (3, 5, 7, 13, 17, 97, 241, 257, 673),
    49: (127, 4432676798593),
    50: (3, 11, 31, 251, 601, 1801, 4051),
    51: (7, 103, 2143, 11119, 131071),
    52: (3, 5, 53, 157, 1613, 2731, 8191),
    53: (6361, 69431, 20394401),
    54: (3, 7, 19, 73, 87211, 262657),
    55: (23, 31, 89, 881, 3191, 201961),
    56: (3, 5, 17, 29, 43, 113, 127, 15790321),
    57: (7, 32377, 524287, 1212847),
    58: (3, 59, 233, 1103, 2089, 3033169),
    59: (179951, 3203431780337),
    60: (3, 5, 7, 11, 13, 31, 41, 61, 151, 331, 1321),
    61: (2305843009213693951,),
    62: (3, 715827883, 2147483647),
    63: (7, 73, 127, 337, 92737, 649657),
    64: (3, 5, 17, 257, 641, 65537, 6700417),
}
"""Prime factors of 2**width - 1 for every width."""

DEFAULT_TAPS = {
    8: (8, 4, 3, 2),
    9: (9, 4, 3, 1),
    10: (10, 5, 3, 2),
    11: (11, 5, 3, 2),
    12: (12, 6, 5, 3),
    13: (13, 6, 5, 2),
    14: (14, 7, 5, 3),
    15: (15, 7, 6, 1),
    16: (16, 8, 7, 5),
    17: (17, 8, 7, 6),
    18: (18, 9, 6, 5),
    19: (19, 9, 8, 5),
    20: (20, 10, 9, 2),
    21: (21, 10, 9, 4),
    22: (22, 11, 8, 1),
    23: (23, 11, 10, 9),
    24: (24, 12, 3, 2),
    25: (25, 12, 11, 5),
    26: (26, 13, 12, 8),
    27: (27, 13, 12, 9),
    28: (28, 14, 13, 5),
    29: (29, 14, 13, 4),
    30: (30, 15, 10, 3),
    31: (31, 15, 14, 13),
    32: (32, 16, 13, 3),
    33: (33, 16, 15, 3),
    34: (34, 17, 16, 14),
    35: (35, 17, 16, 10),
    36: (36, 18, 17, 3),
    37: (37, 18, 17, 14),
    38: (38, 19, 18, 14),
    39: (39, 19, 17, 1),
    40: (40, 20, 19, 5),
    41: (41, 20, 19, 16),
    42: (42, 21, 18, 17),
    43: (43, 21, 19, 8),
    44: (44, 22, 20, 19),
    45: (45, 22, 21, 16),
    46: (46, 23, 22, 5),
    47: (47, 23, 22, 21),
    48: (48, 24, 22, 9),
    49: (49, 24, 23, 22),
    50: (50, 25, 24, 22),
    51: (51, 25, 24, 16),
    52: (52, 26, 25, 23),
    53: (53, 26, 24, 13),
    54: (54, 27, 26, 20),
    55: (55, 27, 26, 7),
    56: (56, 28, 21, 19),
    57: (57, 28, 27, 15),
    58: (58, 29, 28, 24),
    59: (59, 29, 28, 16),
    60: (60, 30, 29, 27),
    61: (61, 30, 29, 25),
    62: (62, 31, 30, 14),
    63: (63, 31, 29, 23),
    64: (64, 32, 27, 13),
}
"""First polynomial of `primitive_taps` for every width."""
