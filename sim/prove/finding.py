"""The outcome of a claim."""

from __future__ import annotations

from dataclasses import dataclass

from .solver import Answer

RANGE_OF = "range of "
"""How the claims about derived widths begin."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one claim about a unit.

    Attributes
    ----------
    unit, claim : str
        The claim begins with `RANGE_OF` if it is about a derived width.
    answer : Answer
    gates, model : int or None
        Both values in a counterexample; only the model's for a claim about a width.
    operation : str
        How the model computes its value there, or the range that is claimed.
    replayed : str
        What a simulation of the gates shows of the counterexample.
    """

    unit: str
    claim: str
    answer: Answer
    gates: int | None = None
    model: int | None = None
    operation: str = ""
    replayed: str = ""

    def describe(self) -> str:
        """Return a counterexample in one sentence."""
        given = ", ".join(f"{name} {value}" for name, value in self.answer.values.items())
        what = f"{self.unit}, {self.claim}"
        if self.claim.startswith(RANGE_OF):
            text = f"{what}: {self.model} is outside of {self.operation}"
        elif self.model is None:
            return f"{what}: {self.operation}"
        else:
            how = f" ({self.operation})" if self.operation else ""
            text = f"{what}: {self.gates} in the gates, {self.model} in the model{how}"
        told = f"; {self.replayed}" if self.replayed else ""
        return f"{text}, with {given}{told}"
