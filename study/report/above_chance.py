"""Whether a point is above chance: better than always naming the largest class.

The test windows of all seeds are taken together. The number of correct ones is compared with a
binomial distribution whose success probability is the share of the largest class in the test set
(the largest one over the seeds). The p-values are exact and one-sided. With many points, some are
high by luck: a point is above chance if its p-value is at most 5 % divided by the number of points
(Bonferroni), so the probability that any point is wrongly above chance is at most 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.study.search.results import CONFIDENCE, Results
from bitlif.study.statistics import binomial_tail

NEEDED = ("accuracy", "chance", "test_windows")
"""Metrics that the test needs."""


@dataclass(frozen=True, slots=True, eq=False)
class AboveChance:
    """Which of P points are above chance.

    Attributes
    ----------
    share : (P,) float64
        Share of the largest class in the test set; NaN if every run failed.
    windows, correct : (P,) int64
        Test windows of all seeds, and those that were classified correctly.
    p : (P,) float64
        p-value of the exact binomial test; NaN if every run failed.
    limit : float
        Largest p-value that counts as above chance.
    """

    share: NDArray[np.float64]
    windows: NDArray[np.int64]
    correct: NDArray[np.int64]
    p: NDArray[np.float64]
    limit: float

    @property
    def above(self) -> NDArray[np.bool_]:
        """(P,) bool, which points are above chance."""
        return np.asarray(self.p <= self.limit)

    def describe(self, index: int) -> dict[str, Any] | None:
        """Return the numbers of a point as plain data; None if every run failed."""
        if np.isnan(self.p[index]):
            return None
        return {
            "share": float(self.share[index]),
            "windows": int(self.windows[index]),
            "correct": int(self.correct[index]),
            "p": float(self.p[index]),
            "above": bool(self.above[index]),
        }


def above_chance(results: Results) -> AboveChance | None:
    """Test all points of a study against chance.

    Parameters
    ----------
    results : Results
        Results of P points.

    Returns
    -------
    AboveChance or None
        None if the results do not hold the metrics `NEEDED`: those of tasks without classes, and
        of studies that did not measure them.
    """
    if any(name not in results.metrics for name in NEEDED):
        return None
    accuracy, chance, windows = (results.values[name] for name in NEEDED)
    there = ~(np.isnan(accuracy) | np.isnan(chance) | np.isnan(windows))
    if not there.any():
        return None
    # Tables may be damaged: the numbers are kept in their ranges.
    tested = np.maximum(np.where(there, windows, 0.0), 0.0)
    # An accuracy is a number of windows over their count, so the product is whole but for rounding.
    right = np.rint(np.where(there, accuracy, 0.0) * tested)
    count = tested.sum(axis=1)
    correct = np.clip(right.sum(axis=1), 0.0, count)
    share = np.clip(np.where(there, chance, 0.0).max(axis=1), 0.0, 1.0)
    some = there.any(axis=1)
    p = binomial_tail(correct.astype(np.int64), np.maximum(count, 1).astype(np.int64), share)
    limit = (1 - CONFIDENCE) / int(some.sum())
    return AboveChance(
        np.where(some, share, np.nan), count.astype(np.int64), correct.astype(np.int64),
        np.where(some, p, np.nan), limit,
    )  # fmt: skip
