"""Error tables: the learning rule as two columns of small integers.

The error of a neuron at distance ``x = (Vb - u) / sigma`` from its threshold is linear in its
target q: ``e = q * A(x) - (1 - q) * B(x)``. In every rule, A(x) = phi(x) * a(p(x)) and
B(x) = phi(x) * b(p(x)), where p is the probability of a spike and phi = dp/dx:

``likelihood``
    a = 1 / p and b = 1 / (1 - p): the gradient of the log-likelihood, which never vanishes.
``clipped``
    a = (1 - p) / max(p (1 - p), guard) and b = p / max(p (1 - p), guard): the result of separate
    tables for p and phi and a guarded divider. It vanishes where p does.
``table``
    Columns given by the user.

An entry is the *mean* of A or B over its bin. If P and Q are the antiderivatives of a and b in p,
the mean of A over ``x0 .. x1`` is ``(P(p(x1)) - P(p(x0))) / (x1 - x0)``. This is exact for any
noise and needs only the probabilities at both ends of the bin, computed from the PMF of the noise.
Beyond the range of the noise, where p is 0 or 1, entries of the likelihood rule are the `limit`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from .constants import Constants, PhaseConstants
from .engine.compile import compilable
from .errors import (
    BitlifError,
    BitlifTypeError,
    plain_fields,
    require_choice,
    require_int,
    require_kind,
    require_real,
)
from .fixed import Format, Overflow, Rounding, round_fraction, round_shift, saturate
from .noise import EXACT, NoiseConfig, Pmf
from .text import quoted

RULES = ("likelihood", "clipped", "table")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorConfig:
    """The error table and the format of the error.

    Parameters
    ----------
    rule : str
        ``"likelihood"``, ``"clipped"`` or ``"table"``.
    index_bits : int
        The table has ``2**index_bits`` bins, 3 ..= 12.
    span : int
        The bins cover ``-2**span`` to ``2**span`` sigma, 0 ..= 5; the outermost bins also hold all
        distances beyond.
    entry : Format
        Format of A and B, unsigned.
    limit : float
        Maximum of A and B, in the unit of the error; must fit `entry`.
    guard : float
        Minimum of p (1 - p) in ``clipped``, above 0 and at most 0.25.
    a, b : tuple of float
        Columns of ``table``, ``2**index_bits`` values each in 0 ..= limit; otherwise empty.
    reciprocal_bits : int
        Width of the multiplier that converts a distance to a bin, 4 ..= 24.
    target_bits : int
        Targets are integers in ``0 ..= 2**target_bits``; 0 ..= 12.
    format : Format
        Format of the error, signed.
    rounding, overflow : Rounding, Overflow
        Modes of the conversion of q A - (1 - q) B to `format`.

    Raises
    ------
    BitlifError
        If a field is out of range or fields contradict each other.
    """

    rule: str = "likelihood"
    index_bits: int = 8
    span: int = 3
    entry: Format = Format(8, 5, False)
    limit: float = 7.0
    guard: float = 1e-3
    a: tuple[float, ...] = ()
    b: tuple[float, ...] = ()
    reciprocal_bits: int = 12
    target_bits: int = 10
    format: Format = Format(9, 5)
    rounding: Rounding = Rounding.NEAREST
    overflow: Overflow = Overflow.SATURATE

    def __post_init__(self) -> None:
        plain_fields(self)
        require_choice("rule", self.rule, RULES)
        require_int("index_bits", self.index_bits, 3, 12)
        require_int("span", self.span, 0, 5)
        require_int("reciprocal_bits", self.reciprocal_bits, 4, 24)
        require_int("target_bits", self.target_bits, 0, 12)
        require_kind("entry", self.entry, Format)
        require_kind("format", self.format, Format)
        require_kind("rounding", self.rounding, Rounding)
        require_kind("overflow", self.overflow, Overflow)
        if self.entry.signed:
            raise BitlifError(
                f"entry must be an unsigned format such as 'u8.5', not '{self.entry}'"
            )
        if not self.format.signed:
            raise BitlifError(f"format must be a signed format such as 's9.5', not '{self.format}'")
        if self.format.bits > 16:
            raise BitlifError(f"format must have at most 16 bits, not '{self.format}'")
        most = float(self.entry.real(self.entry.raw_max))
        object.__setattr__(
            self, "limit", require_real("limit", self.limit, 0.0, most, open_low=True)
        )
        object.__setattr__(
            self, "guard", require_real("guard", self.guard, 0.0, 0.25, open_low=True)
        )
        for name in ("a", "b"):
            self._check_column(name, getattr(self, name))
        if self.target_bits + self.entry.frac < self.format.frac:
            raise BitlifError(
                f"format must have at most entry.frac + target_bits = "
                f"{self.entry.frac + self.target_bits} fractional bits, not '{self.format}'"
            )

    def _check_column(self, name: str, column: object) -> None:
        if self.rule != "table":
            if column != ():
                raise BitlifError(f"{name} must be left out unless rule is 'table'")
            return
        if not isinstance(column, tuple):
            raise BitlifTypeError(f"{name} must be a list of numbers, not {quoted(column)}")
        if len(column) != self.entries:
            raise BitlifError(
                f"{name} must have 2**index_bits = {self.entries} values, not {len(column)}"
            )
        checked = tuple(
            require_real(f"{name}[{k}]", value, 0.0, self.limit) for k, value in enumerate(column)
        )
        object.__setattr__(self, name, checked)

    @property
    def entries(self) -> int:
        """Number of bins."""
        return 1 << self.index_bits

    @property
    def step(self) -> Fraction:
        """Width of a bin in sigma."""
        return Fraction(2 << self.span, self.entries)


def has_table(error: ErrorConfig, noise: NoiseConfig) -> bool:
    """Return whether the rule has a table: all but ``table`` are computed from the noise."""
    return error.rule == "table" or noise.drawn


def error_table(error: ErrorConfig, noise: NoiseConfig) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the raw columns A and B, lowest bin first; see the module's docstring.

    All entries are 0 if the rule needs noise and there is none; see `has_table`.

    Examples
    --------
    >>> a, b = error_table(ErrorConfig(), NoiseConfig())
    >>> a[0], a[128], b[128], b[0], a == b[::-1]       # limit; at threshold near 0.8; none
    (224, 24, 25, 0, True)
    """
    if not has_table(error, noise):
        return (0,) * error.entries, (0,) * error.entries
    if error.rule == "table":
        scale = 1 / error.entry.lsb
        return tuple(
            tuple(round_fraction(Fraction(value) * scale) for value in column)
            for column in (error.a, error.b)
        )  # type: ignore[return-value]
    return _computed_table(error, noise.pmf)


@functools.lru_cache(maxsize=64)
def _computed_table(error: ErrorConfig, pmf: Pmf) -> tuple[tuple[int, ...], tuple[int, ...]]:
    guard = Decimal(repr(error.guard))
    half = error.entries // 2
    step = EXACT.divide(error.step.numerator, error.step.denominator)
    edges = [pmf.probability_above(EXACT.multiply(k, step)) for k in range(-half, half + 1)]
    limit = Decimal(repr(error.limit))
    integral = likelihood_integral if error.rule == "likelihood" else clipped_integral
    scale = 1 / error.entry.lsb

    def entry(before: Decimal, after: Decimal) -> int:
        mean = EXACT.divide(integral(before, after, guard), step)
        return round_fraction(Fraction(min(mean, limit)) * scale)

    a = tuple(entry(p0, p1) for p0, p1 in itertools.pairwise(edges))
    # b is a mirrored in p, so its integral is that of a over the mirrored interval.
    b = tuple(
        entry(EXACT.subtract(1, p1), EXACT.subtract(1, p0)) for p0, p1 in itertools.pairwise(edges)
    )
    return a, b


Integral = Callable[[Decimal, Decimal, Decimal], Decimal]


def likelihood_integral(p0: Decimal, p1: Decimal, guard: Decimal) -> Decimal:
    """Return the integral of 1 / p from `p0` to `p1`: infinite from zero; `guard` is unused."""
    del guard
    if p0 == 0:
        return Decimal("Infinity")
    return EXACT.subtract(EXACT.ln(p1), EXACT.ln(p0))


def clipped_integral(p0: Decimal, p1: Decimal, guard: Decimal) -> Decimal:
    """Return the integral of (1 - p) / max(p (1 - p), guard) from `p0` to `p1`.

    The guard is active below ``(1 - sqrt(1 - 4 guard)) / 2`` and above the mirrored probability.
    """
    root = EXACT.sqrt(EXACT.subtract(1, EXACT.multiply(4, guard)))
    low = EXACT.divide(EXACT.subtract(1, root), 2)
    high = EXACT.subtract(1, low)

    def guarded(start: Decimal, stop: Decimal) -> Decimal:
        # (p - p^2 / 2) / guard, factored to avoid cancellation if start and stop are close.
        mean = EXACT.divide(EXACT.add(start, stop), 2)
        width = EXACT.subtract(stop, start)
        return EXACT.divide(EXACT.multiply(width, EXACT.subtract(1, mean)), guard)

    total = Decimal(0)
    if p0 < low:
        total = EXACT.add(total, guarded(p0, min(p1, low)))
    start, stop = max(p0, low), min(p1, high)
    if start < stop:
        total = EXACT.add(total, likelihood_integral(start, stop, guard))
    if p1 > high:
        total = EXACT.add(total, guarded(max(p0, high), p1))
    return total


@compilable
def table_bin(membrane: int, phase: PhaseConstants, c: Constants) -> int:
    """Return the bin of a membrane potential: its distance to the threshold in bins, floored."""
    distance = (membrane - c.threshold) * phase.reciprocal
    index, _ = saturate(distance >> c.bin_shift, -c.half_bins, c.half_bins - 1)
    return index + c.half_bins


@compilable
def error_value(a: int, b: int, target: int, c: Constants) -> tuple[int, bool]:
    """Return ``target a - (1 - target) b``, rounded once, and whether it saturated."""
    exact = target * a - (c.target_one - target) * b
    return saturate(round_shift(exact, c.error_bias, c.error_shift), c.error_low, c.error_high)
