"""Widths, memories and products of a circuit, and the sums of its gates by kind.

Neither Amaranth nor a family of FPGAs is needed here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bitlif.model.fixed import Format
from bitlif.model.interval import Interval


def index_bits(count: int) -> int:
    """Return the bits of a number below `count`.

    >>> index_bits(1), index_bits(2), index_bits(65)
    (0, 1, 7)
    """
    return (count - 1).bit_length()


@dataclass(frozen=True, slots=True)
class Wire:
    """The width and signedness of a signal; sums and products grow as Amaranth's do.

    Attributes
    ----------
    bits : int
    signed : bool

    Examples
    --------
    >>> Wire(8, signed=False) + Wire(6)
    Wire(bits=10, signed=True)
    """

    bits: int
    signed: bool = True

    @classmethod
    def of(cls, fmt: Format) -> Wire:
        """Return the wire that carries a stored format."""
        return cls(fmt.bits, fmt.signed)

    @classmethod
    def holding(cls, interval: Interval) -> Wire:
        """Return the narrowest wire that holds an interval."""
        return cls(interval.bits, interval.signed)

    @classmethod
    def constant(cls, value: int) -> Wire:
        """Return the wire of a non-negative constant."""
        return cls(max(1, value.bit_length()), False)

    def _extended(self, other: Wire) -> int:
        return self.bits + (other.signed and not self.signed)

    def __add__(self, other: Wire) -> Wire:
        signed = self.signed or other.signed
        return Wire(max(self._extended(other), other._extended(self)) + 1, signed)

    def __sub__(self, other: Wire) -> Wire:
        return Wire((self + other).bits, True)

    def __mul__(self, other: Wire) -> Wire:
        return Wire(self.bits + other.bits, self.signed or other.signed)

    def __lshift__(self, by: int) -> Wire:
        return Wire(self.bits + by, self.signed)

    def __rshift__(self, by: int) -> Wire:
        return Wire(max(self.bits - by, 1), self.signed)


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory with one read port and at most one write port, or one port for both.

    Attributes
    ----------
    name : str
    depth, width : int
        Number of rows, and bits per row.
    columns : int
        Parts of a row with separate write enables.
    block : bool
        Whether the core requires block RAM for it.
    copies : int
        Number of such memories.
    table : bool
        Whether it is read-only.
    transparent : bool
        Whether a read of the address that is being written returns the new word.
    single_port : bool
        Whether one port reads or writes. Without it there is a read port, and a write port unless
        the memory is a table. All ports are in one clock domain.
    reads : int
        Number of read ports.
    """

    name: str
    depth: int
    width: int
    columns: int = 1
    block: bool = False
    copies: int = 1
    table: bool = False
    transparent: bool = False
    single_port: bool = False
    reads: int = 1

    @property
    def ports(self) -> str:
        """Return what the ports do."""
        if self.table:
            return "read"
        return "read or write" if self.single_port else "read, write"


@dataclass(frozen=True, slots=True)
class Product:
    """A product of two variables, or of a variable and a constant that is no power of two.

    Attributes
    ----------
    name : str
    a, b : int
        Bits of the factors, including a sign bit.
    signed : bool
    copies : int
        Number of such products.
    out : int
        Used bits of the product, 0 for all.
    extended : tuple of bool
        For each factor, whether its sign bit is always 0.
    swept : bool
        Whether it is in the sweep of a network.
    """

    name: str
    a: int
    b: int
    signed: bool
    copies: int = 1
    out: int = 0
    extended: tuple[bool, bool] = (False, False)
    swept: bool = False

    @property
    def halves(self) -> tuple[int, tuple[bool, bool]]:
        """Return the bits of the larger factor, and which factors are signed, signed ones first.

        Bits that are always 0 are not counted.
        """
        bits = (own - zero for own, zero in zip((self.a, self.b), self.extended, strict=True))
        first, second = (self.signed and not zero for zero in self.extended)
        return max(bits), (first or second, first and second)


@dataclass(slots=True)
class GateTally:
    """Sums of gates, with methods that add common circuits.

    Attributes
    ----------
    bits : Counter
        Bits by kind: ``add`` (adders and subtracters), ``chain`` (number of these), ``compare``
        (comparators), ``delay`` (registers whose input is another register), ``result``
        (registers behind logic), ``choose`` (multiplexers), ``parity`` (terms of exclusive ors).
    memories : list of Memory
    products : list of Product
    times : int
        Factor for everything that is counted: the lanes, while a lane is counted.
    """

    bits: Counter[str] = field(default_factory=Counter)
    memories: list[Memory] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    times: int = 1

    def count(self, kind: str, bits: int) -> None:
        """Count bits of a kind; a negative number counts as 0."""
        self.bits[kind] += self.times * max(0, bits)
        if kind == "add" and bits > 0:
            self.bits["chain"] += self.times

    def delay(self, wire: Wire | int, cycles: int = 1) -> None:
        """Count a chain of registers that delays a signal by clock cycles."""
        self.count("delay", cycles * (wire if isinstance(wire, int) else wire.bits))

    def counter(self, bits: int) -> None:
        """Count a counter: its register, its adder, and the comparison with its last value."""
        self.count("add", bits)
        self.count("result", bits)
        self.count("compare", bits)

    def sum(self, one: Wire, two: Wire, *, passed: int = 0, minus: bool = False) -> Wire:
        """Count an adder or subtracter and return its result.

        Parameters
        ----------
        one, two : Wire
        passed : int
            Lowest bits that are those of one term, and take no adder.
        minus : bool
            Whether `two` is subtracted.
        """
        total = one - two if minus else one + two
        self.count("add", total.bits - passed)
        return total

    def product(self, name: str, one: Wire, two: Wire) -> Wire:
        """Count a product and return its result."""
        mixed = one.signed != two.signed
        a, b = (own.bits + (mixed and not own.signed) for own in (one, two))
        extended = (mixed and not one.signed, mixed and not two.signed)
        signed = one.signed or two.signed
        self.products.append(Product(name, a, b, signed, self.times, extended=extended))
        return one * two

    def scale(self, name: str, bits: int, constant: int, out: int) -> None:
        """Count a product with a constant, unless it is a power of two.

        The constant's trailing zeros are no part of the product.
        """
        zeros = (constant & -constant).bit_length() - 1
        odd = constant >> zeros
        if odd > 1:
            own = Product(name, bits, odd.bit_length(), False, self.times, out - zeros)
            self.products.append(own)

    def saturate(self, given: Wire, shape: Wire) -> bool:
        """Count the saturation of a value to a shape; return whether any gates are needed."""
        room = shape.bits - (shape.signed and not given.signed)
        if given.signed <= shape.signed and given.bits <= room:
            return False
        self.count("choose", shape.bits)
        self.count("compare", given.bits - shape.bits + 1)
        return True
