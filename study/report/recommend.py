"""Recommended configurations: the cheapest that is good enough, or the best that fits a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, nearest_of, require_real
from bitlif.study.search.results import CONFIDENCE, Results, half_widths

from .above_chance import above_chance

Reals = NDArray[np.float64]

COSTS = (
    "bits", "weight_bits", "cells", "flip_flops", "block_rams", "multipliers",
    "synaptic_operations", "learning_operations",
)  # fmt: skip
"""Names of the metrics that count as costs, in order of preference."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A recommended point.

    Attributes
    ----------
    index : int
        Index of the point in the results (not its number).
    best : int
        Index of the point with the best mean score.
    loss, loss_high : float
        Loss of score against the best point: the mean over common seeds, and its upper 95 %
        confidence bound, which is NaN with fewer than two common seeds.
    cost : str
        Metric that was minimised; empty if the score decided.
    reason : str
        The reason for the choice, as a sentence.
    by_mean : int
        Index of the point that the rule chooses by the means alone.
    """

    index: int
    best: int
    loss: float
    loss_high: float
    cost: str
    reason: str
    by_mean: int


def costs_of(results: Results) -> tuple[str, ...]:
    """Return the costs that were measured: those of `COSTS` and other minimised objectives."""
    objectives = [objective["name"] for objective in results.description["objectives"][1:]]
    return tuple(
        name
        for name in dict.fromkeys((*COSTS, *objectives))
        if name in results.metrics
        and results.metrics[name].direction == "min"
        and not np.isnan(results.values[name]).all()
    )


def best_of(results: Results) -> int | None:
    """Return the index of the point with the best mean score; None if every run failed."""
    mean = results.means(results.score.name).mean
    if np.isnan(mean).all():
        return None
    return int(np.nanargmax(mean if results.score.direction == "max" else -mean))


def losses(results: Results, best: int) -> tuple[Reals, Reals]:
    """Return the loss of each point against the best one.

    The differences are taken seed by seed over the seeds that both points share. What a seed does
    to both points, such as the same input spikes, cancels. The best of many means is too high by
    chance, so that losses against it are overestimated rather than underestimated.

    Parameters
    ----------
    results : Results
        Results of P points.
    best : int
        Index of the point to compare with.

    Returns
    -------
    mean, high : (P,) float64
        Mean loss in the score's unit, and the upper bound of its one-sided 95 % Student's t
        interval; the bound is NaN with fewer than two common seeds.
    """
    gain = results.gain(results.score.name)
    difference = gain[best] - gain
    there = ~np.isnan(difference)
    with np.errstate(invalid="ignore"):
        mean = np.where(there, difference, 0.0).sum(axis=1) / there.sum(axis=1)
    return mean, mean + half_widths(difference, mean, CONFIDENCE)


def recommend(results: Results, loss: float = 0.01, cost: str | None = None) -> Choice | None:
    """Return the cheapest point that loses at most `loss` against the best one.

    A point is good enough if the upper bound of its loss (see `losses`) is at most `loss`. With one
    seed there is no interval, and the loss itself is compared. Ties are broken by the smaller loss.
    Points that are not above chance (`bitlif.study.report.above_chance`) are never recommended.

    Parameters
    ----------
    results : Results
    loss : float
        Largest accepted loss in the score's unit, 0 to 1e6.
    cost : str, optional
        Metric to minimise; by default the first of `COSTS` that was measured.

    Returns
    -------
    Choice or None
        None if every run failed, or no point that is good enough is above chance.

    Raises
    ------
    BitlifError
        If `loss` is out of range, or the cost was not measured.
    """
    loss = require_real("loss", loss, 0.0, 1e6)
    known = costs_of(results)
    if cost is not None and cost not in known:
        have = f"one of {', '.join(known)}" if known else "left out: the study measured none"
        raise BitlifError(f"cost must be {have}, not '{cost}'{nearest_of(cost, known)}")
    best = best_of(results)
    if best is None:
        return None
    score = results.score.title
    mean, high = losses(results, best)
    single = bool(np.isnan(high[best]))
    allowed = _allowed(results)
    good = ((mean if single else high) <= loss) & allowed
    if not good.any():
        return None
    first = best if good[best] else int(np.argmin(np.where(good, mean, np.inf)))
    if not known:
        reason = f"the best mean {score}: the study measured no cost"
        return Choice(first, best, float(mean[first]), float(high[first]), "", reason, first)
    cost = cost or known[0]
    price = results.means(cost).mean
    known_price = ~np.isnan(price) & allowed
    enough = good & known_price
    if not enough.any():
        # Even the best point lacks this cost.
        reason = f"the best mean {score}: {cost} is unknown for every point that is good enough"
        return Choice(first, best, float(mean[first]), float(high[first]), "", reason, first)
    index = _cheapest(price, mean, enough)
    how = (
        "on average (one seed gives no interval)"
        if single
        else f"with {100 * CONFIDENCE:.0f} % confidence (one-sided, paired by seed)"
    )
    count = int(enough.sum())
    few = f"a loss of at most {loss:g} {how}"
    reason = f"the lowest cost ({results.metrics[cost].title}) of the {count} points with {few}"
    if count == 1:
        reason = f"the only point with {few}"
    by_mean = _cheapest(price, mean, (mean <= loss) & known_price)
    if by_mean != index:
        reason += f"; the means alone favour point {results.points[by_mean]}: use more seeds"
    return Choice(index, best, float(mean[index]), float(high[index]), cost, reason, by_mean)


def _allowed(results: Results) -> NDArray[np.bool_]:
    """Return which points may be recommended: all, unless it is known that some are at chance."""
    tested = above_chance(results)
    return np.ones(len(results.points), np.bool_) if tested is None else tested.above


def _cheapest(price: Reals, loss: Reals, allowed: NDArray[np.bool_]) -> int:
    """Return the index of the lowest allowed price; ties are broken by the smaller loss."""
    return int(np.lexsort((loss, np.where(allowed, price, np.inf)))[0])


def for_board(results: Results, board: str) -> Choice | None:
    """Return the point with the best mean score that is estimated to fit a board.

    Parameters
    ----------
    results : Results
    board : str
        Name of a board of `bitlif.fpga.boards.BOARDS`.

    Returns
    -------
    Choice or None
        None if no point that is above chance fits, or every run failed.

    Raises
    ------
    BitlifError
        If the board is unknown, or estimates for its family have not been calibrated.
    """
    from bitlif.fpga.boards import board_named

    there = board_named(board)
    best = best_of(results)
    if best is None:
        return None
    mean, high = losses(results, best)
    score = results.score.title
    allowed = _allowed(results)
    ranked = [index for index in np.argsort(mean, kind="stable").tolist() if allowed[index]]
    for tried, index in enumerate(ranked):
        if np.isnan(mean[index]):
            break
        if fits(results.config(index), there):
            reason = f"the best mean {score} that is estimated to fit {there.title}"
            if tried:
                reason += f"; {tried} better point{' does' if tried == 1 else 's do'} not fit"
            return Choice(index, best, float(mean[index]), float(high[index]), "", reason, index)
    return None


def fits(config: Any, board: Any) -> bool:
    """Return whether a learning core of this configuration is estimated to fit a board."""
    from bitlif.fpga.estimate import estimate

    limits = board.limits
    # A device without a limit of flip-flops has one in each cell.
    return all(
        used <= limits.get(kind, limits["cells"])
        for kind, used in estimate(config, board.family).total.items()
    )
