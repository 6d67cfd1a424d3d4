"""Which configuration to take: the cheapest that is good enough, or the best that a board holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, nearest_of, require_real
from bitlif.study.search.results import CONFIDENCE, Results, reach_of

Reals = NDArray[np.float64]

COSTS = (
    "bits", "weight_bits", "cells", "flip_flops", "block_rams", "multipliers",
    "synaptic_operations", "learning_operations",
)  # fmt: skip
"""What a configuration may cost, by the names that metrics have."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A point that is recommended.

    Attributes
    ----------
    index : int
        Of the point in the results (not its number).
    best : int
        Index of the point with the best mean score, with which it is compared.
    loss, loss_high : float
        How much worse it is, in the mean over common seeds, and at most with 95 % confidence; the
        second is NaN where fewer than two seeds are common.
    cost : str
        Metric that was minimised; empty where it was the score that decided.
    reason : str
        The rule, in a sentence.
    by_mean : int
        Index of the point that the rule would choose if it asked for means only.
    """

    index: int
    best: int
    loss: float
    loss_high: float
    cost: str
    reason: str
    by_mean: int


def costs_of(results: Results) -> tuple[str, ...]:
    """Return the costs that the results have: of `COSTS`, and what else was to be small."""
    objectives = [own["name"] for own in results.description["objectives"][1:]]
    return tuple(
        name
        for name in dict.fromkeys((*COSTS, *objectives))
        if name in results.metrics
        and results.metrics[name].direction == "min"
        and not np.isnan(results.values[name]).all()
    )


def best_of(results: Results) -> int | None:
    """Return the index of the point with the best mean score; None where all failed."""
    mean = results.means(results.score.name).mean
    if np.isnan(mean).all():
        return None
    return int(np.nanargmax(mean if results.score.direction == "max" else -mean))


def losses(results: Results, best: int) -> tuple[Reals, Reals]:
    """Return how much worse each point is than the best: means and upper ends, (P,) each.

    The differences are taken seed by seed, over the seeds that both points have: what a seed gives
    to both, such as the same input spikes, is in neither difference nor interval. The upper ends
    are of one-sided 95 % Student's t intervals, NaN where fewer than two seeds are common. The best
    mean of many is too good by luck, so that losses against it are over- rather than understated.
    """
    gain = results.gain(results.score.name)
    difference = gain[best] - gain
    there = ~np.isnan(difference)
    with np.errstate(invalid="ignore"):
        mean = np.where(there, difference, 0.0).sum(axis=1) / there.sum(axis=1)
    return mean, mean + reach_of(difference, mean, CONFIDENCE)


def recommend(results: Results, loss: float = 0.01, cost: str | None = None) -> Choice | None:
    """Return the cheapest point that loses no more than `loss` against the best one.

    A point is good enough if the upper end of its loss (see `losses`) is no more than `loss`; with
    one seed there is no interval, and its loss itself decides. Of equally cheap ones the best is
    taken.

    Parameters
    ----------
    results : Results
    loss : float
        In the score's unit.
    cost : str, optional
        A metric; the first of `COSTS` that there is by default.

    Returns
    -------
    Choice or None
        None where all runs failed.

    Raises
    ------
    BitlifError
        If `loss` is negative, or there is no such cost.
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
    if not known:
        reason = f"the best mean {score}: the study measured no cost"
        return Choice(best, best, 0.0, float(high[best]), "", reason, best)
    cost = cost or known[0]
    price = results.means(cost).mean
    single = bool(np.isnan(high[best]))
    known_price = ~np.isnan(price)
    enough = ((mean if single else high) <= loss) & known_price
    if not enough.any():
        # The best one itself has no such cost.
        reason = f"the best mean {score}: no point good enough has a known {cost}"
        return Choice(best, best, 0.0, float(high[best]), "", reason, best)
    index = _cheapest(price, mean, enough)
    how = (
        "in the mean (with one seed there is no interval)"
        if single
        else f"with {100 * CONFIDENCE:.0f} % confidence (one-sided, paired by seed)"
    )
    count = int(enough.sum())
    few = f"a loss of at most {loss:g} {how}"
    reason = f"the least {results.metrics[cost].title} of the {count} points with {few}"
    if count == 1:
        reason = f"no other point has {few}"
    by_mean = _cheapest(price, mean, (mean <= loss) & known_price)
    if by_mean != index:
        reason += f"; by the means alone, point {results.points[by_mean]}: more seeds would decide"
    return Choice(index, best, float(mean[index]), float(high[index]), cost, reason, by_mean)


def _cheapest(price: Reals, loss: Reals, allowed: NDArray[np.bool_]) -> int:
    """Return the index of the least price of those allowed, and of equal ones the least loss."""
    return int(np.lexsort((loss, np.where(allowed, price, np.inf)))[0])


def for_board(results: Results, board: str) -> Choice | None:
    """Return the point with the best mean score that is estimated to fit a board.

    Parameters
    ----------
    results : Results
    board : str
        Of `bitlif.fpga.boards.BOARDS`.

    Returns
    -------
    Choice or None
        None where nothing fits, or all runs failed.

    Raises
    ------
    BitlifError
        If there is no such board.
    """
    from bitlif.fpga.boards import board_named

    there = board_named(board)
    best = best_of(results)
    if best is None:
        return None
    mean, high = losses(results, best)
    score = results.score.title
    for tried, index in enumerate(np.argsort(mean, kind="stable").tolist()):
        if np.isnan(mean[index]):
            break
        if fits(results.config(index), there):
            reason = f"the best mean {score} that is estimated to fit {there.title}"
            if tried:
                reason += f"; {tried} better {'one does' if tried == 1 else 'ones do'} not"
            return Choice(index, best, float(mean[index]), float(high[index]), "", reason, index)
    return None


def fits(config: Any, board: Any) -> bool:
    """Say whether a learning core of this configuration is estimated to fit a board."""
    from bitlif.fpga.estimate import estimate

    limits = board.limits
    # Where a device counts no flip-flops, each of its cells has one.
    return all(
        used <= limits.get(kind, limits["cells"])
        for kind, used in estimate(config, board.family).total.items()
    )
