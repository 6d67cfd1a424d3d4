"""Maximal-length LFSRs: bit streams that can be advanced by any distance and generated in bulk.

The register of a Fibonacci LFSR is a window of `width` bits on an endless bit stream ``b``::

    b[n + width] = XOR of b[n + e] over the exponents e of the polynomial below the highest (0 too)

Bit k of a *state* at position n is ``b[n + k]``. A draw reads the lowest bits of the state, and
then the register leaps by a configured number of positions. `Lfsr.leap` advances bit by bit (the
definition), `Lfsr.jump` advances by any distance at once, and `extend_stream` generates 32 bits at
a time. The latter uses p(x)^32 = p(x^32) over GF(2): packed into 32-bit words, the stream obeys the
same recurrence word by word.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from . import polynomials
from .engine.compile import compilable
from .errors import BitlifError, BitlifTypeError, plain_fields, require_choice, require_int
from .text import quoted

WORD_BITS = 32
"""Bits per word of the packed stream. Scalars are int64, which holds two words minus one bit."""

SHARINGS = ("phase", "polynomial", "shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class LfsrConfig:
    """A random source: one LFSR per lane, and the relation between the LFSRs of the lanes.

    Parameters
    ----------
    width : int
        Width of the register in bits, 8 ..= 64. The period is ``2**width - 1``.
    taps : tuple of int
        Exponents of the polynomial without the constant, in descending order; the first is the
        width. Empty for the first primitive five-term polynomial of that width.
    seed : int
        Initial state of lane 0, 1 ..= ``2**width - 1``.
    leap : int
        Positions between draws, 0 ..= 65536; 0 means the number of bits that a draw reads. Draws
        repeat after ``period / gcd(leap, period)`` of them; see `bitlif.model.period`.
    sharing : str
        ``"phase"``: lane l starts ``l * (period // lanes)`` positions ahead of lane 0 on the same
        stream. ``"polynomial"``: each lane has a different primitive polynomial and the same seed.
        ``"shared"``: all lanes use the same draws.

    Raises
    ------
    BitlifError
        If a field is out of range, the polynomial is not primitive, or the seed is zero.
    """

    width: int = 32
    taps: tuple[int, ...] = ()
    seed: int = 1
    leap: int = 0
    sharing: str = "phase"

    def __post_init__(self) -> None:
        plain_fields(self)
        require_int("width", self.width, polynomials.MIN_WIDTH, polynomials.MAX_WIDTH)
        require_int("seed", self.seed, 1, (1 << self.width) - 1)
        require_int("leap", self.leap, 0, 1 << 16)
        require_choice("sharing", self.sharing, SHARINGS)
        if self.taps != ():
            self._check_taps()
        if self.taps and self.sharing == "polynomial":
            raise BitlifError(
                f"taps must be left out when sharing is 'polynomial', not {quoted(list(self.taps))}"
            )

    def _check_taps(self) -> None:
        if not isinstance(self.taps, tuple) or any(type(tap) is not int for tap in self.taps):
            raise BitlifTypeError(f"taps must be a list of integers, not {quoted(self.taps)}")
        descending = all(a > b for a, b in zip(self.taps, self.taps[1:], strict=False))
        if self.taps[0] != self.width or not descending or self.taps[-1] < 1:
            raise BitlifError(
                f"taps must descend from the width {self.width} to at least 1, "
                f"not {quoted(list(self.taps))}"
            )
        if not polynomials.is_primitive(self.taps):
            example = list(polynomials.DEFAULT_TAPS[self.width])
            raise BitlifError(
                f"taps must be of a primitive polynomial (maximal period), "
                f"not {list(self.taps)}; {example} is one"
            )

    def check_lanes(self, lanes: int) -> None:
        """Raise unless this number of lanes can have different LFSRs."""
        most, what = lanes, ""
        if self.sharing == "polynomial":
            most = len(polynomials.distinct_taps(self.width, lanes))
            what = f"number of polynomials of width {self.width}"
        elif self.sharing == "phase":
            most, what = (1 << self.width) - 1, f"period of an LFSR of width {self.width}"
        if lanes > most:
            raise BitlifError(
                f"lanes must be at most {most}, the {what} when sharing is '{self.sharing}', "
                f"not {lanes}"
            )

    def streams(self, lanes: int) -> tuple[Lfsr, ...]:
        """Return the LFSR of each lane at position 0."""
        lanes = operator.index(lanes)
        self.check_lanes(lanes)
        taps = self.taps or polynomials.DEFAULT_TAPS[self.width]
        first = Lfsr(taps, self.seed)
        if self.sharing == "shared":
            return (first,) * lanes
        if self.sharing == "polynomial":
            every = polynomials.distinct_taps(self.width, lanes)
            return tuple(Lfsr(taps, self.seed) for taps in every)
        distance = first.period // lanes
        return tuple(first.jump(lane * distance) for lane in range(lanes))

    def registers(self, lanes: int) -> tuple[tuple[Lfsr, ...], tuple[int, ...]]:
        """Return the distinct LFSRs at position 0, and the index of each lane's LFSR."""
        streams = self.streams(lanes)
        distinct = tuple(dict.fromkeys(streams))
        return distinct, tuple(distinct.index(own) for own in streams)


@dataclass(frozen=True, slots=True)
class Lfsr:
    """An LFSR at one position of its stream.

    Examples
    --------
    >>> a = Lfsr((8, 4, 3, 2), 1)
    >>> a.leap(1).state, a.leap(255) == a, a.jump(100) == a.leap(100)
    (128, True, True)
    """

    taps: tuple[int, ...]
    state: int

    @property
    def width(self) -> int:
        """Width of the register in bits."""
        return self.taps[0]

    @property
    def period(self) -> int:
        """Period of the stream in positions."""
        return (1 << self.width) - 1

    def leap(self, positions: int) -> Lfsr:
        """Return the LFSR advanced by `positions` positions, bit by bit."""
        state = self.state
        positions = operator.index(positions)
        mask = (polynomials.as_integer(self.taps)) & self.period
        for _ in range(positions):
            state = (state >> 1) | ((state & mask).bit_count() & 1) << (self.width - 1)
        return replace(self, state=state)

    def jump(self, positions: int) -> Lfsr:
        """Return the LFSR advanced by any number of positions, also negative, in O(width) steps.

        x^n mod p = sum of c_j x^j, so bit k of the new state is the XOR of b[j + k] over all j
        with c_j = 1.
        """
        exponent = operator.index(positions) % self.period
        factor = polynomials.power_of_x(exponent, polynomials.as_integer(self.taps))
        ahead = self.leap(self.width).state << self.width | self.state
        state = 0
        while factor:
            if factor & 1:
                state ^= ahead
            factor >>= 1
            ahead >>= 1
        return replace(self, state=state & self.period)

    def words(self, count: int) -> np.ndarray:
        """Return the next ``32 * count`` bits of the stream, packed: shape (count,), uint32."""
        lags = lag_array(self.taps)
        packed = np.zeros(max(count, self.width), np.uint32)
        start_stream(split_state(self.state), lags, packed)
        return packed[:count]


MIN_RUN = 128
"""Minimum words that `extend_stream` computes at a time: enough for wide vector instructions."""


class Streams(NamedTuple):
    """The packed bit streams of the lanes of a layer, each with the history that it continues from.

    The next bit of stream s is bit ``32 * history + offset[0]`` of ``buffer[s]``; all streams are
    at the same position. If all lanes share a stream, there is only one.
    """

    buffer: Any
    """(streams, words) uint32"""
    offset: Any
    """(1,) int64, 0 ..= 31"""
    lags: Any
    """(streams, terms) int64, stretched by ``history / width``"""
    history: int
    """words before the next bit"""
    leap: int
    """bits between draws"""
    reach: int
    """bits per draw"""
    origin: Any
    """(streams, history) uint32: the initial history, restored when streams are cleared"""


def make_streams(
    sources: Sequence[Lfsr],
    leap: int,
    reach: int,
    draws: int,
    start: Callable[..., None],
) -> Streams:
    """Return streams at the positions of their sources.

    The recurrence also holds with all lags doubled (p(x)^2 = p(x^2)). They are doubled until runs
    have at least `MIN_RUN` words; the history grows with them.

    Parameters
    ----------
    sources : sequence of Lfsr
        One per lane; equal sources give one stream.
    leap : int
        Bits between draws.
    reach : int
        Bits per draw.
    draws : int
        Maximum number of draws at a time.
    start : function
        `start_stream`, compiled or not.
    """
    distinct = list(dict.fromkeys(sources))
    base = [lag_array(source.taps) for source in distinct]
    history = distinct[0].width
    stretch = 1
    while min(int(lags[0]) for lags in base) * stretch < MIN_RUN:
        stretch *= 2
    history *= stretch
    words = (draws * leap + reach) // WORD_BITS + 4
    buffer = np.zeros((len(distinct), history + words), np.uint32)
    for row, source, lags in zip(buffer, distinct, base, strict=True):
        # The history precedes the position.
        behind = source.jump(-WORD_BITS * history)
        start(split_state(behind.state), lags, row[:history])
    longest = max(lags.size for lags in base)
    table = np.zeros((len(base), longest), np.int64)
    for row_lags, lags in zip(table, base, strict=True):
        row_lags[: lags.size] = lags * stretch
    origin = buffer[:, :history].copy()
    return Streams(buffer, np.zeros(1, np.int64), table, history, leap, reach, origin)


def stream_states(streams: Streams, width: int) -> tuple[int, ...]:
    """Return the current LFSR state of each stream."""
    offset = int(streams.offset[0])
    states = []
    for row, lags in zip(streams.buffer, streams.lags, strict=True):
        copy = row.copy()
        extend_stream(copy, streams.history, streams.history + 3, lags)
        states.append(join_state(copy[streams.history :], offset, width))
    return tuple(states)


def start_stream(state, lags, words):  # type: ignore[no-untyped-def]
    """Fill `words` with the stream that starts with `state`; see `expand_state`."""
    expand_state(state, lags, words)
    extend_stream(words, lags[lags.size - 1], words.size, lags)


@compilable
def restart_streams(streams):  # type: ignore[no-untyped-def]
    """Reset streams to their initial positions."""
    for stream in range(streams.buffer.shape[0]):
        for k in range(streams.history):
            streams.buffer[stream, k] = streams.origin[stream, k]
    streams.offset[0] = 0


@compilable
def fill_stream(streams, stream, draws):  # type: ignore[no-untyped-def]
    """Generate the words of the next `draws` draws; return the bit position of the first draw."""
    bits = streams.offset[0] + draws * streams.leap + streams.reach
    stop = streams.history + (bits >> 5) + 2
    extend_stream(streams.buffer[stream], streams.history, stop, streams.lags[stream])
    return 32 * streams.history + int(streams.offset[0])


@compilable
def advance_stream(streams, stream, draws):  # type: ignore[no-untyped-def]
    """Advance the buffer of `stream` past `draws` draws generated by `fill_stream`."""
    words = (streams.offset[0] + draws * streams.leap) >> 5
    row = streams.buffer[stream]
    # In ascending order, in which each word is read before it is overwritten.
    for k in range(streams.history):
        row[k] = row[words + k]


@compilable
def advance_offset(streams, draws):  # type: ignore[no-untyped-def]
    """Advance the common bit offset of all streams by `draws` draws."""
    streams.offset[0] = (streams.offset[0] + draws * streams.leap) & 31


def lag_array(taps: tuple[int, ...]) -> np.ndarray:
    """Return the lags of the recurrence, one per term, in ascending order: int64."""
    return np.array(sorted([taps[0], *(taps[0] - tap for tap in taps[1:])]), np.int64)


def split_state(state: int) -> np.ndarray:
    """Return a state as two words, the lower first: shape (2,), uint32."""
    return np.array([state & 0xFFFFFFFF, state >> WORD_BITS], np.uint32)


def join_state(words: np.ndarray, offset: int, width: int) -> int:
    """Return the state at bit `offset` (0 ..= 31) of the packed stream `words`."""
    value = sum(int(word) << (WORD_BITS * k) for k, word in enumerate(words[:3]))
    return (value >> offset) & ((1 << width) - 1)


@compilable
def stream_bit(words, position):  # type: ignore[no-untyped-def]
    """Return bit `position` of the packed stream."""
    return (int(words[position >> 5]) >> (position & 31)) & 1


@compilable
def expand_state(state, lags, words):  # type: ignore[no-untyped-def]
    """Write the first ``32 * width`` bits of the stream that starts with `state` to `words`.

    Parameters
    ----------
    state : (2,) array of 32-bit words
    lags : (terms,) integer array, from `lag_array`; the last one is the width
    words : (at least width,) array of 32-bit words, written
    """
    width = lags[lags.size - 1]
    for word in range(width):
        words[word] = 0
    for n in range(width):
        words[n >> 5] |= stream_bit(state, n) << (n & 31)
    for n in range(width, 32 * width):
        bit = 0
        for term in range(lags.size):
            bit ^= stream_bit(words, n - lags[term])
        words[n >> 5] |= bit << (n & 31)


@compilable
def extend_stream(words, start, stop, lags):  # type: ignore[no-untyped-def]
    """Write words ``start ..< stop`` of the stream, computed from the words before them.

    `lags` is in ascending order and may end in zeros, which are ignored. A run no longer than the
    shortest lag depends only on words before it, so it is one pass of XORs over slices, which
    compiles to vector instructions.
    """
    run = lags[0]
    position = start
    while position < stop:
        count = min(run, stop - position)
        out = words[position : position + count]
        first = words[position - lags[0] : position - lags[0] + count]
        second = words[position - lags[1] : position - lags[1] + count]
        if lags.size == 4 and lags[3] > 0:
            third = words[position - lags[2] : position - lags[2] + count]
            fourth = words[position - lags[3] : position - lags[3] + count]
            for k in range(count):
                out[k] = first[k] ^ second[k] ^ third[k] ^ fourth[k]
        else:
            for k in range(count):
                out[k] = first[k] ^ second[k]
            for term in range(2, lags.size):
                if lags[term] == 0:
                    continue
                other = words[position - lags[term] : position - lags[term] + count]
                for k in range(count):
                    out[k] ^= other[k]
        position += count


@compilable
def read_bits(words, position, mask):  # type: ignore[no-untyped-def]
    """Return up to 32 bits, selected by `mask`, of the packed stream at `position`."""
    # The compiler must see that the index is not negative: it then loads both words at once.
    word = (position >> 5) & 0x7FFFFFFFFFF
    pair = int(words[word]) | int(words[word + 1]) << 32
    return (pair >> (position & 31)) & mask
