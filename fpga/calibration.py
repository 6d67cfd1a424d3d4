"""Coefficients of `bitlif.fpga.estimate`, fitted to measured sizes, and their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from bitlif.model.extras import missing_extra

from .estimate import (
    FITTED,
    PARTS,
    RULED,
    Error,
    Estimate,
    Features,
    calibrated_family,
    calibration,
    predict,
    relative,
)
from .families import CELLS, FAMILIES, REGISTERS, family_named

TOP_GUESSES = {CELLS: {"constant": 1400.0}, REGISTERS: {"constant": 420.0}}
"""Expected size of the surroundings of the smallest core."""

TOP_FEATURES = ("learning", "add", "compare", "choose", "result")
"""Features that the size of the surroundings depends on."""

PULL = 0.001
"""Weight of the distance to the guesses: few measurements do not determine all coefficients."""

Coefficients = dict[str, dict[str, dict[str, float]]]
"""By part, kind of resource and feature."""


@dataclass(frozen=True, slots=True)
class Case:
    """A measured configuration.

    Attributes
    ----------
    name, family : str
    given : dict of str to Features
        By part, as `bitlif.fpga.estimate.features` returns it.
    real : Estimate
        The measured size.
    """

    name: str
    family: str
    given: Mapping[str, Features]
    real: Estimate


def fabric_of(case: Case) -> str:
    """Return the fabric of a case; families of one fabric are fitted together."""
    return family_named(case.family).fabric.name


def fit(cases: Sequence[Case]) -> Coefficients:
    """Return the coefficients of a fabric by part, kind of resource and feature.

    They are not negative. They minimise the squared relative errors, and stay close to the fabric's
    guesses where the cases do not determine them.

    Parameters
    ----------
    cases : sequence of Case
        All of one fabric.

    Raises
    ------
    BitlifError
        If SciPy is missing.
    """
    guesses = family_named(cases[0].family).fabric.guesses
    model: Coefficients = {}
    for part in PARTS:
        model[part] = {}
        for kind in FITTED:
            guess = dict(guesses[kind])
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


def scaled(cases: Sequence[Case]) -> Coefficients:
    """Return the coefficients of layers, with a factor for each part and kind of resource.

    Networks consist of the same circuits, and take too long to synthesise for a fit of every
    coefficient. The factors minimise the squared relative errors.

    Parameters
    ----------
    cases : sequence of Case
        Networks, all of one fabric.
    """
    layers = calibration()[calibrated_family(cases[0].family)]["coefficients"]
    estimates = [predict(case.given, layers) for case in cases]
    model: Coefficients = {}
    for part in PARTS:
        model[part] = {}
        for kind in FITTED:
            ratios = np.array([
                getattr(own, part)[kind] / getattr(case.real, part)[kind]
                for own, case in zip(estimates, cases, strict=True)
            ])  # fmt: skip
            factor = float(ratios.sum() / (ratios**2).sum())
            values = layers[part][kind].items()
            model[part][kind] = {name: float(f"{factor * value:.4g}") for name, value in values}
    return model


def least_squares(rows: NDArray[np.float64], guess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the non-negative x that brings ``rows @ x`` closest to ones.

    Parameters
    ----------
    rows : (K, L) float
        One row per measurement.
    guess : (L,) float
        Positive. The squared distance of x to it, relative to it, is added with the weight
        `PULL` * K / L.

    Returns
    -------
    (L,) float

    Raises
    ------
    BitlifError
        If SciPy is missing.
    """
    try:
        from scipy.optimize import nnls
    except ImportError as error:
        raise missing_extra("calibration needs SciPy", "demo", error) from error
    count, width = rows.shape
    pull = np.sqrt(PULL * count / width)
    # Relative to the guess, all elements are of the same order.
    matrix = np.vstack([rows * guess, pull * np.eye(width)])
    target = np.concatenate([np.ones(count), np.full(width, pull)])
    found: NDArray[np.float64] = nnls(matrix, target)[0] * guess
    return found


def unseen(cases: Sequence[Case], *, networks: bool = False) -> list[Estimate]:
    """Return an estimate of each case of a fabric, fitted without its configuration.

    The configuration is left out for all families.
    """
    fitting = scaled if networks else fit
    models = {
        name: fitting([case for case in cases if case.name != name])
        for name in dict.fromkeys(case.name for case in cases)
    }
    return [predict(case.given, models[case.name]) for case in cases]


def errors(pairs: Sequence[tuple[Case, Estimate]]) -> dict[str, Error]:
    """Return the errors of estimates of core and surroundings together, by kind of resource."""
    return {
        kind: Error.of([relative(own.total[kind], case.real.total[kind]) for case, own in pairs])
        for kind in (*FITTED, *RULED)
    }


def cross_validated(
    cases: Sequence[Case], *, networks: bool = False
) -> list[tuple[Case, Estimate]]:
    """Return each case, by fabric, with an estimate that was not fitted to its configuration."""
    pairs: list[tuple[Case, Estimate]] = []
    for fabric in dict.fromkeys(map(fabric_of, cases)):
        own = [case for case in cases if fabric_of(case) == fabric]
        if len({case.name for case in own}) > 1:
            pairs += zip(own, unseen(own, networks=networks), strict=True)
    return pairs


HEAD = "# Made by `bitlif bench estimate --fit`, except for the clocks: MHz of placements.\n\n"


def calibration_toml(
    cases: Sequence[Case],
    clocks: Mapping[str, Sequence[float]],
    stamp: str,
    *,
    networks: bool = False,
) -> str:
    """Return the text of ``estimate.toml``, or of ``network_estimate.toml``.

    Parameters
    ----------
    cases : sequence of Case
    clocks : dict of str to sequence of float
        MHz of placements, by board.
    stamp : str
        From `bitlif.fpga.measure_area.stamp_of`: says on which core the cases were measured.
    networks : bool
    """
    found = fitted(cases, networks=networks)
    return HEAD + tomli_w.dumps({"core": stamp, **found, "clocks": dict(clocks)})


def fitted(cases: Sequence[Case], *, networks: bool = False) -> dict[str, dict[str, Any]]:
    """Return, by family, coefficients and the errors of estimates outside the fit.

    Families without cases are left out.
    """
    found: dict[str, dict[str, Any]] = {}
    pairs, fitting = cross_validated(cases, networks=networks), scaled if networks else fit
    for name, family in FAMILIES.items():
        own = [pair for pair in pairs if pair[0].family == name]
        if own:
            alike = [case for case in cases if fabric_of(case) == family.fabric.name]
            found[name] = {
                "coefficients": fitting(alike),
                "errors": {kind: rounded(error) for kind, error in errors(own).items()},
            }
    return found


def rounded(error: Error) -> dict[str, Any]:
    """Return an error as TOML holds it, rounded to 4 decimal places."""
    return {
        "median": round(error.median, 4), "worst": round(error.worst, 4), "configs": error.configs,
    }  # fmt: skip
