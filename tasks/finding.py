"""Findings: measured values of a trained layer with their limits, problems and likely cures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import require_real, warn

CHANCE = 0.01
"""Largest p-value of an accuracy that counts as above chance."""

SHOWN = 8
"""Most neurons or classes that a message lists."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A measured value, its limits, and a message if it is out of range.

    Attributes
    ----------
    name : str
        For reports: ``"membrane_saturated"``.
    title : str
        What is measured, in words.
    value : float
    unit : str
        ``"share"`` or ``"probability"`` for values in 0 ..= 1; else a noun in the plural.
    low, high : float or None
        Smallest and largest value in range; None for no limit.
    problem : str
        What is wrong; empty if the value is in range.
    cure : str
        The likely cure: field, direction and value; empty if the value is in range.
    """

    name: str
    title: str
    value: float
    unit: str = "share"
    low: float | None = None
    high: float | None = None
    problem: str = ""
    cure: str = ""

    @property
    def message(self) -> str:
        """What is wrong and the likely cure in one sentence; empty if the value is in range."""
        return f"{self.problem}; likely cure: {self.cure}" if self.problem else ""

    @property
    def text(self) -> str:
        """The value in words: ``"73.1 %"`` or ``"2 neurons"``."""
        if self.unit == "share":
            return percent(self.value)
        if self.unit == "probability":
            return f"{self.value:.2g}"
        return counted(int(self.value), self.unit)

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return {**asdict(self), "message": self.message}


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, which is given in the plural.

    >>> counted(1, "neurons"), counted(2, "classes"), counted(1, "classes")
    ('1 neuron', '2 classes', '1 class')
    """
    one = noun.removesuffix("es") if noun.endswith("sses") else noun.removesuffix("s")
    return f"{count} {one if count == 1 else noun}"


def percent(share: float) -> str:
    """Return a share in percent; ends only if it is exactly 0 or 1.

    >>> percent(0.7312), percent(1e-6), percent(0.0), percent(0.99999)
    ('73.1 %', '< 0.1 %', '0 %', '> 99.9 %')
    """
    if share in (0.0, 1.0):
        return f"{100 * share:g} %"
    if share < 0.001:
        return "< 0.1 %"
    return "> 99.9 %" if share > 0.999 else f"{100 * share:.1f} %"


def warn_of_findings(findings: Iterable[Finding]) -> int:
    """Issue a `BitlifWarning` for each likely cure, with all that it concerns.

    Returns
    -------
    int
        Number of findings that are out of range.
    """
    by_cure: dict[str, list[str]] = {}
    for finding in findings:
        if finding.problem:
            by_cure.setdefault(finding.cure, []).append(finding.problem)
    for cure, problems in by_cure.items():
        warn(f"{'; '.join(problems)}; likely cure: {cure}")
    return sum(map(len, by_cure.values()))


def share_finding(
    name: str, title: str, value: float, limit: float, cure: str, *, least: bool = False
) -> Finding:
    """Return a share with one limit: the largest value in range, or the smallest if `least`."""
    low, high = (limit, None) if least else (None, limit)
    if not (value < limit if least else value > limit):
        return Finding(name, title, value, low=low, high=high)
    word = "at least" if least else "at most"
    problem = f"{title}: {percent(value)}, {word} {100 * limit:g} % expected"
    return Finding(name, title, value, low=low, high=high, problem=problem, cure=cure)


def list_finding(name: str, title: str, unit: str, wrong: NDArray[np.bool_], cure: str) -> Finding:
    """Return how many neurons or classes are wrong, of which there should be none."""
    places = np.flatnonzero(wrong).tolist()
    if not places:
        return Finding(name, title, 0.0, unit, high=0.0)
    shown = ", ".join(map(str, places[:SHOWN])) + (", ..." if len(places) > SHOWN else "")
    problem = f"{title}: {len(places)} of {wrong.size} ({shown})"
    return Finding(name, title, float(len(places)), unit, high=0.0, problem=problem, cure=cure)


def chance_finding(right: int, windows: int, chance: float, *, alone: bool = False) -> Finding:
    """Return whether an accuracy is above chance, by an exact one-sided binomial test.

    Parameters
    ----------
    right, windows : int
        Test windows that were classified correctly, and all.
    chance : float
        Accuracy of always answering the largest class.
    alone : bool
        Whether nothing else is out of range.
    """
    p = binomial_tail(right, windows, chance)
    title = "probability of this accuracy by chance"
    if p <= CHANCE:
        return Finding("chance_p", title, p, "probability", high=CHANCE)
    problem = (
        f"test accuracy {percent(right / windows)} is not above chance, {percent(chance)} for "
        f"always answering the largest class (p = {p:.2g})"
    )
    first = "" if alone else "the other warnings first; then "
    cure = f"{first}more epochs, another learning.rate, and labels in the order of the windows"
    if chance == 1.0:
        problem, cure = "all test windows have one class", "give windows of at least two classes"
    elif binomial_tail(windows, windows, chance) > CHANCE:
        cure = f"more test windows: with {windows}, not even 100 % would be above chance"
    return Finding("chance_p", title, p, "probability", high=CHANCE, problem=problem, cure=cure)


def binomial_tail(right: int, windows: int, chance: float) -> float:
    """Return the probability of at least `right` successes in `windows` trials.

    >>> binomial_tail(2, 2, 0.5), binomial_tail(0, 5, 0.5), binomial_tail(54, 54, 0.4) < 1e-20
    (0.25, 1.0, True)
    """
    chance = require_real("chance", chance, 0.0, 1.0)
    if right <= 0 or chance == 1.0:
        return 1.0
    if chance == 0.0:
        return 0.0
    up, down = math.log(chance), math.log1p(-chance)
    ways = math.lgamma(windows + 1)
    terms = (
        math.exp(
            ways - math.lgamma(k + 1) - math.lgamma(windows - k + 1) + k * up + (windows - k) * down
        )
        for k in range(right, windows + 1)
    )
    return min(1.0, math.fsum(terms))
