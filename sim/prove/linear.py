"""Linear forms over GF(2): each bit is the XOR of some variables, which is a normal form.

An LFSR that leaps is a linear map. Both sides of the proof become the same forms or do not, and no
solver has to search; they are poor at large XORs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class NotLinearError(ValueError):
    """An operation whose result is no linear form."""


@dataclass(frozen=True, slots=True)
class Bits:
    """A word of linear forms, on which `bitlif.model.lfsr.Lfsr.leap` runs.

    Attributes
    ----------
    forms : tuple of int
        Of each bit, lowest first: a mask of variables. Variable 0 is the constant 1.
    """

    forms: tuple[int, ...]

    @classmethod
    def constant(cls, value: int, width: int) -> Bits:
        """Return a constant."""
        return cls(tuple((value >> place) & 1 for place in range(width)))

    @property
    def width(self) -> int:
        """Width in bits."""
        return len(self.forms)

    @property
    def known(self) -> int | None:
        """The value, if no bit has a variable."""
        if any(form > 1 for form in self.forms):
            return None
        return sum(form << place for place, form in enumerate(self.forms))

    def at(self, variables: int) -> int:
        """Return the value for a mask of the variables that are 1."""
        ones = [((form & (variables | 1)).bit_count() & 1) for form in self.forms]
        return sum(one << place for place, one in enumerate(ones))

    def resized(self, width: int) -> Bits:
        """Return the lowest bits, filled up with zeros."""
        return Bits((self.forms + (0,) * width)[:width])

    def __rshift__(self, places: int) -> Bits:
        return Bits(self.forms[places:])

    def __lshift__(self, places: int) -> Bits:
        return Bits((0,) * places + self.forms)

    def __and__(self, mask: int) -> Bits:
        return Bits(tuple(own if mask >> place & 1 else 0 for place, own in enumerate(self.forms)))

    def __xor__(self, other: Bits) -> Bits:
        width = max(self.width, other.width)
        pairs = zip(self.resized(width).forms, other.resized(width).forms, strict=True)
        return Bits(tuple(one ^ two for one, two in pairs))

    def __or__(self, other: Bits) -> Bits:
        width = max(self.width, other.width)
        pairs = list(zip(self.resized(width).forms, other.resized(width).forms, strict=True))
        if any(one and two for one, two in pairs):
            raise NotLinearError("the OR of two bits that can be 1 is not linear")
        return Bits(tuple(one | two for one, two in pairs))

    def bit_count(self) -> Count:
        """Return the number of ones, of which only the lowest bit is linear."""
        return Count(self)


@dataclass(frozen=True, slots=True)
class Count:
    """The number of ones of a word."""

    counted: Bits

    def __and__(self, mask: int) -> Bits:
        if mask != 1:
            raise NotLinearError(
                f"only the lowest bit of a number of ones is linear, not {mask:#b}"
            )
        total = 0
        for form in self.counted.forms:
            total ^= form
        return Bits((total,))


class LinearAlgebra:
    """Computes the nodes of a transition system in linear forms."""

    def constant(self, value: int, width: int) -> Bits:
        """Return a constant."""
        return Bits.constant(value, width)

    def inverted(self, word: Bits) -> Bits:
        """Return the complement of every bit."""
        return word ^ Bits((1,) * word.width)

    def made(self, kind: str, width: int, operands: list[Any], indices: list[int]) -> Bits:
        """Return the result of an operation.

        Raises
        ------
        NotLinearError
            If it is not linear.
        """
        made = self._linear(kind, width, operands, indices)
        if made is None:
            raise NotLinearError(f"the operation {kind} is not linear here")
        return made

    def _linear(
        self, kind: str, width: int, operands: list[Bits], indices: list[int]
    ) -> Bits | None:
        if kind == "xor":
            return operands[0] ^ operands[1]
        if kind == "not":
            return self.inverted(operands[0])
        if kind == "uext":
            return operands[0].resized(width)
        if kind == "slice":
            return (operands[0] >> indices[1]).resized(width)
        if kind == "concat":
            return operands[1] | (operands[0] << operands[1].width)
        if kind == "ite" and operands[0].known is not None:
            return operands[1] if operands[0].known else operands[2]
        return None
