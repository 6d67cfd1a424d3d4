"""What is claimed of a unit: ports and registers of its gates, and the model's values of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bitlif.model.interval import Interval

from .symbol import Integer
from .terms import Term
from .transition import Unrolled

Run = Callable[[Any], Any]
"""Returns a function of the model in a form for symbols, or the function itself for integers."""

ALWAYS = -1
"""The clock cycle of a port that holds its value."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A signal of the gates that has a value of the model in every case.

    Attributes
    ----------
    value : str
        Name of the model's value.
    signal : str
        An output, or a register of a cut.
    cycle : int
        Clock cycle in which the signal is read, counted from the first input.
    signed : bool
        Whether the signal is a two's complement number.
    bits : tuple of int
        The number of ones among these bits of the signal; empty for the whole signal.
    """

    value: str
    signal: str
    cycle: int
    signed: bool = True
    bits: tuple[int, ...] = ()


class Unit(Protocol):
    """A unit of the gates and what the model computes in its place.

    Attributes
    ----------
    name : str
    given : dict of str to Interval
        The inputs that the claims are about, and all of their values.
    ports : dict of str to (str, int)
        Inputs of the gates: the name of what they are given, or of a value of the model, and the
        clock cycle, or `ALWAYS`.
    registers : dict of str to str
        Registers that begin with something given, or with a value of the model; all others begin
        with any value.
    freed : dict of str to (str, int)
        Registers that hold something given from a later clock cycle on, whatever came before.
    cuts : tuple of Claim
        Registers that continue with the value of the model once their claim is proved.
    claims : tuple of Claim
        Outputs.
    """

    name: str
    given: dict[str, Interval]
    ports: dict[str, tuple[str, int]]
    registers: dict[str, str]
    freed: dict[str, tuple[str, int]]
    cuts: tuple[Claim, ...]
    claims: tuple[Claim, ...]

    def component(self) -> Any:
        """Return the gates, an `amaranth.lib.wiring.Component`."""

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Return the values that the model's functions compute from what is given."""

    def ranges(
        self, values: Mapping[str, Integer], run: Run
    ) -> dict[str, tuple[Integer, Interval]]:
        """Return intermediates by name, with the ranges that were derived for their widths."""

    def assume(
        self, gates: Unrolled, values: Mapping[str, Integer], found: Mapping[str, Integer]
    ) -> list[Term]:
        """Return what is assumed of the gates' memories."""

    def prepare(self, values: Mapping[str, int], found: Mapping[str, int]) -> list[dict[str, int]]:
        """Return inputs of the clock cycles that bring the memories into that state."""

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the operation by which the model computes a value, with its integers."""


class PlainUnit:
    """The parts of a unit that most units have in common: no memories, and no ranges."""

    registers: dict[str, str] = {}  # noqa: RUF012 - no unit changes it
    freed: dict[str, tuple[str, int]] = {}  # noqa: RUF012 - no unit changes it
    cuts: tuple[Claim, ...] = ()

    def ranges(
        self, values: Mapping[str, Integer], run: Run
    ) -> dict[str, tuple[Integer, Interval]]:
        """Return no intermediates."""
        return {}

    def assume(
        self, gates: Unrolled, values: Mapping[str, Integer], found: Mapping[str, Integer]
    ) -> list[Term]:
        """Return no assumptions."""
        return []

    def prepare(self, values: Mapping[str, int], found: Mapping[str, int]) -> list[dict[str, int]]:
        """Return no clock cycles."""
        return []


def used(module: Any, name: str) -> Any:
    """Return a class as a module of the gates uses it; a planted fault replaces it there."""
    return getattr(module, name)


def array(*values: Integer) -> Any:
    """Return symbols or integers of Python as an array that the functions of the model take."""
    made = np.empty(len(values), object)
    made[:] = values
    return made


def bit() -> Interval:
    """Return the interval of one bit."""
    return Interval(0, 1)


def unsigned(bits: int) -> Interval:
    """Return the interval of a port of unsigned numbers."""
    return Interval(0, (1 << bits) - 1)
