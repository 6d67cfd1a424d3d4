"""Coefficients of `bitlif.fpga.estimate`, fitted to measured sizes, and how far off they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from .estimate import CELLS, FITTED, PARTS, REGISTERS, Error, Estimate, Features, predict, relative

LUTS = {
    "constant": 200.0, "learning": 200.0, "add": 1.0, "chain": 1.0, "compare": 0.5, "choose": 0.8,
    "parity": 0.4, "table": 0.3, "soft": 2.0, "held": 1.5,
}  # fmt: skip
FLIP_FLOPS = {
    "constant": 150.0, "learning": 150.0, "delay": 0.7, "result": 0.8, "product": 1.0,
    "answer": 0.7, "held": 1.0,
}  # fmt: skip
GUESSES: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    # A logic cell holds a register too: one that follows no logic takes a cell of its own.
    "ice40": {CELLS: LUTS | {"delay": 0.5, "result": 0.1, "product": 0.5}, REGISTERS: FLIP_FLOPS},
    "ecp5": {CELLS: LUTS | {"distributed": 6.0, "choice": 0.5}, REGISTERS: FLIP_FLOPS},
}
"""What a bit of each feature should cost, by fabric and kind, as far as one can tell beforehand."""
TOP_GUESSES = {CELLS: {"constant": 1400.0}, REGISTERS: {"constant": 420.0}}

TOP_FEATURES = ("learning", "add", "compare", "choose", "result")

FABRICS = {"ice40": "ice40", "ice40hx": "ice40", "ecp5": "ecp5"}
"""Families whose cells are alike are fitted together: they have multipliers or have none."""

PULL = 0.001
"""How strongly a coefficient is drawn to its guess: few configurations do not tell all."""

SWEEPS = 5000


@dataclass(frozen=True, slots=True)
class Case:
    """A measured configuration.

    Attributes
    ----------
    name, family : str
    given : dict of str to Features
        By part, as `bitlif.fpga.estimate.features` returns it.
    real : Estimate
    """

    name: str
    family: str
    given: Mapping[str, Features]
    real: Estimate


def fit(cases: Sequence[Case]) -> dict[str, dict[str, dict[str, float]]]:
    """Return a fabric's coefficients by part, kind and feature: none negative.

    They make relative errors small, and stay near to the guesses where the cases do not tell.
    """
    guesses = GUESSES[FABRICS[cases[0].family]]
    model: dict[str, dict[str, dict[str, float]]] = {}
    for part in PARTS:
        model[part] = {}
        for kind in FITTED:
            guess = guesses[kind]
            if part == "top":
                guess = {name: value for name, value in guess.items() if name in TOP_FEATURES}
                guess |= TOP_GUESSES[kind]
            names = [name for name in guess if any(case.given[part][name] for case in cases)]
            rows = np.array([[case.given[part][name] for name in names] for case in cases])
            real = np.array([getattr(case.real, part)[kind] for case in cases], float)
            found = least_squares(rows / real[:, None], np.array([guess[name] for name in names]))
            pairs = zip(names, found, strict=True)
            model[part][kind] = {name: float(f"{value:.4g}") for name, value in pairs if value}
    return model


def least_squares(rows: NDArray[np.float64], guess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the x without a negative element that brings ``rows @ x`` nearest to ones.

    Its distance to the guess, relative to it, counts a little. One element after another is set to
    its best: the whole is convex, so that this ends at the least.
    """
    pull = PULL * len(rows) / len(guess) / guess**2
    gram = rows.T @ rows + np.diag(pull)
    aim = rows.sum(axis=0) + pull * guess
    x = guess.copy()
    for _ in range(SWEEPS):
        before = x.copy()
        for place in range(len(x)):
            x[place] = max(0.0, x[place] + (aim[place] - gram[place] @ x) / gram[place, place])
        if np.abs(x - before).max() <= 1e-9 * np.abs(x).max():
            break
    return x


def unseen(cases: Sequence[Case]) -> list[Estimate]:
    """Return an estimate of each case of a fabric, fitted to all others.

    Those of the same configuration in another family are left out with it.
    """
    models = {
        name: fit([case for case in cases if case.name != name])
        for name in dict.fromkeys(case.name for case in cases)
    }
    return [predict(case.given, models[case.name]) for case in cases]


def errors(pairs: Sequence[tuple[Case, Estimate]]) -> dict[str, Error]:
    """Return how far off estimates of core and surroundings together are, by kind of resource."""
    return {
        kind: Error.of([relative(own.total[kind], case.real.total[kind]) for case, own in pairs])
        for kind in pairs[0][1].core
    }


def judged(cases: Sequence[Case]) -> list[tuple[Case, Estimate]]:
    """Return all cases, fabric by fabric, with estimates that were not fitted to them."""
    pairs: list[tuple[Case, Estimate]] = []
    for fabric in dict.fromkeys(FABRICS.values()):
        own = [case for case in cases if FABRICS[case.family] == fabric]
        if len({case.name for case in own}) > 1:
            pairs += zip(own, unseen(own), strict=True)
    return pairs


def fitted_toml(cases: Sequence[Case], clocks: Mapping[str, Sequence[float]]) -> str:
    """Return what ``estimate.toml`` holds: see `fitted`, and the clocks of placements by board."""
    return HEAD + tomli_w.dumps({**fitted(cases), "clocks": dict(clocks)})


HEAD = (
    "# Made by `bitlif bench estimate --fit`, but for the clocks: MHz that placements reached.\n\n"
)


def fitted(cases: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """Return coefficients, and errors of estimates that were not fitted to the case, by family."""
    found: dict[str, dict[str, Any]] = {}
    pairs = judged(cases)
    for family, fabric in FABRICS.items():
        own = [pair for pair in pairs if pair[0].family == family]
        found[family] = {
            "coefficients": fit([case for case in cases if FABRICS[case.family] == fabric]),
            "errors": {kind: rounded(error) for kind, error in errors(own).items()},
        }
    return found


def rounded(error: Error) -> dict[str, Any]:
    """Return an error with as many digits as mean anything."""
    return {
        "median": round(error.median, 4), "worst": round(error.worst, 4), "configs": error.configs,
    }  # fmt: skip
