"""Noise sources: the construction of a centred integer draw from random bits, and its exact PMF.

There are three constructions, all symmetric about zero, and none:

``sum``
    The sum of ``words`` uniform words of ``word_bits`` bits. The draw is twice the sum minus its
    mean, which is an integer: ``2 * sum - words * (2**word_bits - 1)``.
``popcount``
    The number of ones among ``words * word_bits`` bits: a sum of one-bit words.
``inverse_cdf``
    One word addresses a table of Gaussian quantiles rounded to ``level_bits``. The tail ends at
    the quantile of the outermost address.
``none``
    Every draw is 0, and there are no LFSRs.

None of them is exactly Gaussian. `Pmf` is the exact distribution, with its cut-off and kurtosis;
the error tables (`bitlif.model.table`) are computed from it. Its counts assume that all words are
equally likely. An LFSR lacks one of its ``2**width`` states, zero, which changes no probability by
more than ``2**-width``. This holds over a whole period, which the draws cover if the leap is
coprime to it, as powers of two are; otherwise they cover ``period / gcd(leap, period)`` of the
states. See `bitlif.model.period`, which also refuses sources whose draws are constant.
"""

from __future__ import annotations

import decimal
import functools
import math
import statistics
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import numpy as np

from .engine.compile import compilable
from .engine.words import wide, word
from .errors import (
    BitlifError,
    plain_fields,
    require_bool,
    require_choice,
    require_int,
    require_kind,
)
from .lfsr import Lfsr, LfsrConfig, read_bits

KINDS = ("sum", "popcount", "inverse_cdf", "none")

EXACT = decimal.Context(prec=40)
"""Decimal arithmetic, which gives the same digits on every machine; exp and log of C do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseConfig:
    """The noise of the membrane: a construction and the LFSRs that feed it.

    Parameters
    ----------
    kind : str
        ``"sum"``, ``"popcount"``, ``"inverse_cdf"`` or ``"none"``; see the module. With
        ``"none"``, all other fields are unused.
    words : int
        Words per draw, 1 ..= 64 (1 for ``inverse_cdf``).
    word_bits : int
        Bits per word, 1 ..= 16 (2 ..= 16 for ``inverse_cdf``). ``words * word_bits`` must not
        exceed the width of the LFSR: the bits would depend on each other, and the PMF would not be
        exact.
    level_bits : int
        Width of a draw of ``inverse_cdf``, 4 ..= 16.
    scale_bits : int
        Width of the multiplier that converts a draw to membrane LSBs, 2 ..= 24.
    overlap : bool
        Whether the LFSR may leap by fewer bits than a draw reads. Successive draws then share
        bits and are correlated, which is useful for studying poor sources.
    lfsr : LfsrConfig
        Source of the bits.

    Raises
    ------
    BitlifError
        If a field is out of range, or the LFSR is too narrow or leaps too little.
    """

    kind: str = "sum"
    words: int = 4
    word_bits: int = 8
    level_bits: int = 10
    scale_bits: int = 10
    overlap: bool = False
    lfsr: LfsrConfig = field(default_factory=LfsrConfig)

    def __post_init__(self) -> None:
        plain_fields(self)
        require_choice("kind", self.kind, KINDS)
        require_kind("lfsr", self.lfsr, LfsrConfig)
        table = self.kind == "inverse_cdf"
        require_int("words", self.words, 1, 1 if table else 64)
        require_int("word_bits", self.word_bits, 2 if table else 1, 16)
        require_int("level_bits", self.level_bits, 4, 16)
        require_int("scale_bits", self.scale_bits, 2, 24)
        require_bool("overlap", self.overlap)
        if self.draw_bits > self.lfsr.width:
            raise BitlifError(
                f"words * word_bits must be at most lfsr.width = {self.lfsr.width}, "
                f"not {self.words} * {self.word_bits} = {self.draw_bits}"
            )
        if self.lfsr.leap and self.lfsr.leap < self.draw_bits and not self.overlap:
            raise BitlifError(
                f"lfsr.leap must be 0 or at least the {self.draw_bits} bits of a draw, "
                f"not {self.lfsr.leap}, unless overlap is true"
            )

    @property
    def drawn(self) -> bool:
        """Whether there is noise."""
        return self.kind != "none"

    @property
    def draw_bits(self) -> int:
        """Bits per draw; 0 without noise."""
        return self.words * self.word_bits if self.drawn else 0

    @property
    def leap(self) -> int:
        """Positions of the bit stream between draws."""
        return self.lfsr.leap or self.draw_bits

    def streams(self, lanes: int) -> tuple[Lfsr, ...]:
        """Return the LFSR of each lane at its start; none without noise."""
        return tuple(self.lfsr.streams(lanes)) if self.drawn else ()

    @property
    def draw_sigma(self) -> float:
        """Standard deviation of a draw; 1 without noise, so that draws of 0 are 0 sigma."""
        return float(self.pmf.sigma) if self.drawn else 1.0

    @property
    def quantiles(self) -> np.ndarray:
        """Table of ``inverse_cdf``: shape (``2**word_bits``,), int64; empty for other kinds."""
        if self.kind != "inverse_cdf":
            return np.zeros(0, np.int64)
        return np.array(quantile_table(self.word_bits, self.level_bits), np.int64)

    @property
    def pmf(self) -> Pmf:
        """Exact distribution of a draw."""
        return _pmf(self.kind, self.words, self.word_bits, self.level_bits)


@dataclass(frozen=True)
class Pmf:
    """An exact probability mass function over integer draws.

    Parameters
    ----------
    levels : tuple of int
        Possible draws, ascending and symmetric about zero.
    counts : tuple of int
        Number of equally likely words that give each level.
    """

    levels: tuple[int, ...]
    counts: tuple[int, ...]

    @functools.cached_property
    def total(self) -> int:
        """Number of equally likely words."""
        return sum(self.counts)

    def moment(self, order: int) -> Fraction:
        """Return the exact central moment of an order; the mean is zero by symmetry."""
        pairs = zip(self.levels, self.counts, strict=True)
        return Fraction(sum(count * level**order for level, count in pairs), self.total)

    @functools.cached_property
    def sigma(self) -> Decimal:
        """Standard deviation in draw units, to 40 digits."""
        variance = self.moment(2)
        return EXACT.sqrt(EXACT.divide(variance.numerator, variance.denominator))

    @property
    def cutoff(self) -> float:
        """Maximum draw in sigma; 0 without noise."""
        return float(self.levels[-1] / self.sigma) if self.sigma else 0.0

    @property
    def kurtosis(self) -> float:
        """Excess kurtosis: 0 for a Gaussian, and without noise."""
        if not self.sigma:
            return 0.0
        return float(self.moment(4) / self.moment(2) ** 2) - 3.0

    @functools.cached_property
    def _knots(self) -> tuple[tuple[Fraction, ...], tuple[int, ...]]:
        """Boundaries of the cells of the levels, and the counts below each boundary."""
        inner = [Fraction(a + b, 2) for a, b in zip(self.levels, self.levels[1:], strict=False)]
        first = 2 * self.levels[0] - inner[0]
        below = [0]
        for count in self.counts:
            below.append(below[-1] + count)
        return (first, *inner, -first), tuple(below)

    def probability_above(self, x: Decimal) -> Decimal:
        """Return P(draw / sigma >= -x), the probability of a spike `x` sigma above the threshold.

        The mass of each level is spread evenly over the cell between the midpoints to its
        neighbours, so that the probability is continuous and has a density.
        """
        knots, below = self._knots
        point = Fraction(EXACT.multiply(x, self.sigma))
        # By symmetry P(draw >= -y) = P(draw <= y).
        if point <= knots[0]:
            return Decimal(0)
        if point >= knots[-1]:
            return Decimal(1)
        cell = _last_at_most(knots, point)
        share = (point - knots[cell]) / (knots[cell + 1] - knots[cell])
        mass = (below[cell] + share * (below[cell + 1] - below[cell])) / self.total
        return EXACT.divide(mass.numerator, mass.denominator)

    def knots_in_sigma(self) -> np.ndarray:
        """Return the boundaries of the cells in sigma: ascending, float64, shape (levels + 1,)."""
        return np.array([float(knot) for knot in self._knots[0]]) / float(self.sigma)

    def cumulative(self) -> np.ndarray:
        """Return the probability below each of `knots_in_sigma`: float64, shape (levels + 1,)."""
        return np.array([below / self.total for below in self._knots[1]])


def _last_at_most(ascending: tuple[Fraction, ...], point: Fraction) -> int:
    low, high = 0, len(ascending) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ascending[middle] <= point else (low, middle)
    return low


@functools.lru_cache(maxsize=64)
def _pmf(kind: str, words: int, word_bits: int, level_bits: int) -> Pmf:
    if kind == "none":
        return Pmf((0,), (1,))
    if kind == "inverse_cdf":
        tally: dict[int, int] = {}
        for level in quantile_table(word_bits, level_bits):
            tally[level] = tally.get(level, 0) + 1
        levels = sorted(tally)
        return Pmf(tuple(levels), tuple(tally[level] for level in levels))
    if kind == "popcount":
        words, word_bits = words * word_bits, 1
    # A polynomial power by Kronecker substitution: the generating function is evaluated at a power
    # of two so large that no coefficient carries into the next one.
    values = 1 << word_bits
    field_bits = words * word_bits + 1
    uniform = 1
    for k in range(word_bits):
        uniform |= uniform << (field_bits << k)
    packed = uniform**words
    top = words * (values - 1)
    mask = (1 << field_bits) - 1
    data = packed.to_bytes((field_bits * (top + 1)) // 8 + 1, "little")
    counts = tuple(_slice_bits(data, field_bits * s, mask) for s in range(top + 1))
    return Pmf(tuple(2 * s - top for s in range(top + 1)), counts)


def _slice_bits(data: bytes, position: int, mask: int) -> int:
    first = position // 8
    last = (position + mask.bit_length()) // 8 + 1
    return (int.from_bytes(data[first:last], "little") >> (position % 8)) & mask


@functools.lru_cache(maxsize=64)
def quantile_table(word_bits: int, level_bits: int) -> tuple[int, ...]:
    """Return the draw of every word: scaled Gaussian quantiles of ``(word + 1/2) / 2**word_bits``.

    The outermost quantile is scaled to ``2**(level_bits - 1) - 1``. The lower half mirrors the
    upper half, so that gates store only one of them.

    >>> quantile_table(2, 4)
    (-7, -2, 2, 7)
    """
    half = 1 << (word_bits - 1)
    top = gaussian_quantile(Fraction(2 * half - 1, 4 * half))
    scale = EXACT.divide((1 << (level_bits - 1)) - 1, top)
    rounded = [_scaled_quantile(Fraction(2 * k + 1, 4 * half), scale) for k in range(half)]
    return (*(-level for level in reversed(rounded)), *rounded)


def _scaled_quantile(above_half: Fraction, scale: Decimal) -> int:
    """Return the quantile times `scale`, rounded to nearest identically on every machine."""
    estimate = statistics.NormalDist().inv_cdf(0.5 + float(above_half)) * float(scale)
    # The error of the estimate is about 1e-11, which matters only close to a tie.
    if abs(estimate % 1.0 - 0.5) > 1e-6:
        return math.floor(estimate + 0.5)
    exact = EXACT.multiply(gaussian_quantile(above_half), scale)
    return int(exact.to_integral_value(decimal.ROUND_HALF_UP))


def gaussian_quantile(above_half: Fraction) -> Decimal:
    """Return x with Phi(x) = 1/2 + `above_half`, 0 <= `above_half` < 1/2, to about 30 digits.

    Newton's method on the Taylor series of Phi, which converges for every x.

    >>> round(gaussian_quantile(Fraction(475, 1000)), 10)
    Decimal('1.9599639845')
    """
    with decimal.localcontext(EXACT):
        root_two_pi = (2 * _PI).sqrt()
        target = Decimal(above_half.numerator) / above_half.denominator * root_two_pi
        x = Decimal(0)
        while True:
            # The integral of exp(-t^2/2) from 0 to x is exp(-x^2/2) * sum x^(2k+1) / (2k+1)!!.
            term = total = x
            odd = 1
            while term > Decimal("1e-38"):
                odd += 2
                term = term * x * x / odd
                total += term
            density = (-x * x / 2).exp()
            step = (target - density * total) / density
            # Phi is concave for x > 0, so Newton's method never overshoots from the left.
            x += step
            if abs(step) < Decimal("1e-30"):
                return x


_PI = Decimal("3.141592653589793238462643383279502884197")


@compilable
def draw_noise(words, position, leap, shape, quantiles, draws):  # type: ignore[no-untyped-def]
    """Fill `draws` with successive centred draws of one stream.

    Parameters
    ----------
    words : array of 32-bit words
        The packed stream; must extend 64 bits beyond the last bit read.
    position : int
        Bit position of the first draw.
    leap : int
        Bits between draws.
    shape : (n_words, word_bits)
        Words to add; ``popcount`` has one-bit words.
    quantiles : (2**word_bits,) array of int
        Table of ``inverse_cdf``; empty for sums.
    draws : (n,) array, written
    """
    n_words, word_bits = shape
    mask = (1 << word_bits) - 1
    if quantiles.size > 0:
        for k in range(draws.size):
            draws[k] = quantiles[read_bits(words, position + k * leap, mask)]
        return
    # Each pass adds as many words as fit in 32 bits, up to four, which usually is the whole draw.
    group = min(4, 32 // word_bits)
    whole = (1 << group * word_bits) - 1
    aligned = leap == 32 and position % 32 == 0 and n_words * word_bits <= 32
    for number in range(0, n_words, group):
        fields = word_fields(word_bits, mask, min(group, n_words - number))
        first = position + number * word_bits
        start = 0 if number > 0 else -n_words * mask
        if number == 0:
            for k in range(draws.size):
                draws[k] = 0
        if aligned:
            # Each draw lies in one 32-bit word, so that vector loads replace `read_bits`.
            own = words[position >> 5 : (position >> 5) + draws.size]
            shift = first - position
            for k in range(draws.size):
                total = sum_fields(word(int(own[k])) >> shift, fields)
                draws[k] = wide(draws[k] + start + 2 * total)
        else:
            for k in range(draws.size):
                total = sum_fields(word(read_bits(words, first + k * leap, whole)), fields)
                draws[k] = wide(draws[k] + start + 2 * total)


@compilable
def word_fields(word_bits, mask, count):  # type: ignore[no-untyped-def]
    """Return shift and mask of each of four words; those beyond the first `count` are zero."""
    return (
        (0, mask),
        (word_bits, mask) if count > 1 else (0, 0),
        (2 * word_bits, mask) if count > 2 else (0, 0),
        (3 * word_bits, mask) if count > 3 else (0, 0),
    )


@compilable
def sum_fields(bits, fields):  # type: ignore[no-untyped-def]
    """Return the sum of the words in `bits` at the shifts and masks of `word_fields`."""
    a, b, c, d = fields
    low = ((bits >> a[0]) & a[1]) + ((bits >> b[0]) & b[1])
    return low + (((bits >> c[0]) & c[1]) + ((bits >> d[0]) & d[1]))
