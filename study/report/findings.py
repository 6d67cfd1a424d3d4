"""The contents of a report, as one dictionary that can be written as JSON."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.study.search.base import dump_base
from bitlif.study.search.results import CONFIDENCE, Means, Results, means_of

from .above_chance import AboveChance, above_chance
from .axis_levels import AxisLevels, axis_levels, ordered_values
from .diagnosis import diagnosed
from .labels import percent
from .pareto import front
from .recommend import Choice, best_of, costs_of, for_board, losses, recommend
from .sensitivity import Sensitivity, sensitivity

Reals = NDArray[np.float64]
Findings = dict[str, Any]


def analyse(
    results: Results, loss: float = 0.01, cost: str | None = None, board: str | None = None
) -> Findings:
    """Analyse the results of a study.

    Parameters
    ----------
    results : Results
        Results of P points and S seeds.
    loss : float
        Largest loss of a recommended point against the best one, in the score's unit.
    cost : str, optional
        Metric to minimise; see `bitlif.study.report.recommend.recommend`.
    board : str, optional
        Board that a second recommendation must fit.

    Returns
    -------
    dict
        Points, fronts, effects, sensitivities and recommendations. The entries that compare points
        are empty or None if every run failed. ``chance`` is None, and ``diagnosis`` is
        empty, unless the study measured them.

    Raises
    ------
    BitlifError
        If `loss` is out of range, or the cost or the board is unknown.
    """
    score = results.score.name
    means = {name: results.means(name) for name in results.metrics}
    best = best_of(results)
    cheapest = recommend(results, loss, cost)
    fitting = for_board(results, board) if board else None
    levels = [axis_levels(results, axis) for axis in results.axes]
    found = None if best is None else sensitivity(results)
    tested = above_chance(results)
    return {
        "study": _study(results),
        "score": score,
        "metrics": [dataclasses.asdict(metric) for metric in results.metrics.values()],
        "confidence": CONFIDENCE,
        "loss": loss,
        "points": _points(results, means, best, tested),
        "failures": [dataclasses.asdict(failure) for failure in results.failures],
        "fronts": [] if best is None else _fronts(results, means),
        "effects": [] if best is None else [_effect(results, axis) for axis in levels],
        "sensitivity": None if found is None else _sensitivity(found),
        "grids": [] if best is None else _grids(levels, means[score].mean, found),
        "best": None if best is None else _point(results, means, best),
        "recommended": None if cheapest is None else _choice(results, means, cheapest),
        "board": board,
        "for_board": None if fitting is None else _choice(results, means, fitting),
        "chance": None if tested is None else _chance(tested, cheapest),
        "diagnosis": diagnosed(results),
    }


def _chance(tested: AboveChance, recommended: Choice | None) -> dict[str, Any]:
    """Return the test against chance, and why nothing is recommended if it is the reason."""
    there = int((~np.isnan(tested.p)).sum())
    above = int(tested.above.sum())
    share = float(np.nanmax(tested.share))
    windows = int(tested.windows.max())
    reason = ""
    if recommended is None:
        seeds = f"{windows} test windows of all seeds together"
        reason = (
            f"no point is recommended: none of {there} is above chance, which is "
            f"{percent(share)} (the largest class; exact binomial test, {seeds})"
            if not above
            else "no point is recommended: those that are good enough are not above chance"
        )
    return {
        "share": share, "windows": windows, "limit": tested.limit, "points": there,
        "points_above": above, "reason": reason,
    }  # fmt: skip


def _study(results: Results) -> dict[str, Any]:
    description = results.description
    kept = ("name", "title", "task", "search", "objectives", "board", "config")
    axes = []
    for axis in results.axes:
        levels = axis_levels(results, axis)
        visited = ordered_values(axis, results.settings[axis.name])
        axes.append(
            {
                **dataclasses.asdict(axis),
                "fields": list(axis.fields),
                "labels": list(levels.labels),
                "values": None if levels.binned else visited,
                "span": [visited[0], visited[-1]] if levels.binned else None,
            }
        )
    score = results.values[results.score.name]
    own = description.get("data")
    return {
        **{name: description[name] for name in kept},
        **({} if own is None else {"data": own}),
        # The length of training has the unit of the task.
        "length": {
            name: description[name] for name in ("epochs", "windows") if name in description
        },
        "seeds": list(results.seeds),
        "axes": axes,
        "complete": bool(description.get("complete", True)),
        "points": len(results.points),
        "runs": int((~np.isnan(score)).sum()) + len(results.failures),
        "failed_runs": len(results.failures),
    }


def number(value: float) -> float | None:
    """Return a number for JSON: None for NaN."""
    return None if math.isnan(value) else float(value)


def _summary(means: Means, index: int) -> dict[str, float | None]:
    return {
        "mean": number(means.mean[index]),
        "low": number(means.low[index]),
        "high": number(means.high[index]),
    }


def _point(results: Results, means: dict[str, Means], index: int) -> dict[str, Any]:
    return {
        "point": int(results.points[index]),
        "setting": results.setting(index),
        "seeds": int(means[results.score.name].count[index]),
        "metrics": {name: _summary(of_metric, index) for name, of_metric in means.items()},
    }


def _points(
    results: Results, means: dict[str, Means], best: int | None, tested: AboveChance | None
) -> list[dict[str, Any]]:
    errors: dict[int, str] = {}
    for failure in results.failures:
        errors.setdefault(failure.point, failure.error)
    missing = np.full(len(results.points), np.nan)
    lost = (missing, missing) if best is None else losses(results, best)
    points = []
    for index in range(len(results.points)):
        point = _point(results, means, index)
        point["loss"], point["loss_high"] = (number(part[index]) for part in lost)
        point["error"] = errors.get(point["point"], "")
        if tested is not None:
            point["chance"] = tested.describe(index)
        points.append(point)
    return points


def _fronts(results: Results, means: dict[str, Means]) -> list[dict[str, Any]]:
    """Return the Pareto fronts of the score against each cost and each further objective."""
    score = results.score.name
    objectives = [objective["name"] for objective in results.description["objectives"][1:]]
    fronts = []
    for cost in dict.fromkeys((*costs_of(results), *objectives)):
        if cost not in results.metrics or cost == score or np.isnan(means[cost].mean).all():
            continue
        both = np.column_stack((means[score].mean, means[cost].mean))
        directions = (results.score.direction, results.metrics[cost].direction)
        inside = np.flatnonzero(front(both, directions))
        inside = inside[np.argsort(both[inside, 1], kind="stable")]
        fronts.append({"cost": cost, "points": results.points[inside].tolist()})
    return fronts


def _effect(results: Results, levels: AxisLevels) -> dict[str, Any]:
    """Return the mean score at each level of an axis, averaged over the other axes.

    The intervals are over the seeds: they use the mean of each seed at the level.
    """
    values = results.values[results.score.name]
    rows = []
    for code, label in enumerate(levels.labels):
        at_level = values[levels.codes == code]
        there = ~np.isnan(at_level)
        count = there.sum(axis=0)
        with np.errstate(invalid="ignore"):
            seeds = np.where(there, at_level, 0.0).sum(axis=0) / count
        rows.append(
            {
                "label": label,
                "place": float(levels.places[code]),
                **_summary(means_of(seeds[None, :]), 0),
                "points": int(there.any(axis=1).sum()),
            }
        )
    return {
        "axis": levels.axis.name, "binned": levels.binned, "scale": levels.scale, "levels": rows,
    }  # fmt: skip


def _sensitivity(found: Sensitivity) -> dict[str, Any]:
    fields = dataclasses.asdict(found)
    return {**fields, **{kind: [{**effect, "axes": list(effect["axes"])} for effect in fields[kind]]
                       for kind in ("mains", "pairs")}}  # fmt: skip


def _grids(
    levels: list[AxisLevels], mean: Reals, found: Sensitivity | None
) -> list[dict[str, Any]]:
    """Return the mean score over each pair of axes, the strongest interaction first."""
    strength = {} if found is None else {pair.axes: pair.share for pair in found.pairs}
    varied = [axis for axis in levels if len(axis.labels) > 1]
    grids = []
    for a, b in itertools.combinations(varied, 2):
        sums = np.zeros((len(a.labels), len(b.labels)))
        count = np.zeros(sums.shape, dtype=np.int64)
        there = ~np.isnan(mean)
        np.add.at(sums, (a.codes[there], b.codes[there]), mean[there])
        np.add.at(count, (a.codes[there], b.codes[there]), 1)
        with np.errstate(invalid="ignore"):
            cells = sums / count
        axes = (a.axis.name, b.axis.name)
        grids.append(
            {
                "axes": list(axes),
                "rows": list(a.labels),
                "columns": list(b.labels),
                "mean": [[number(cell) for cell in row] for row in cells],
                "points": count.tolist(),
                "share": strength.get(axes),
            }
        )
    return sorted(grids, key=lambda grid: -(grid["share"] or 0.0))


def _choice(results: Results, means: dict[str, Means], choice: Choice) -> dict[str, Any]:
    config = results.config(choice.index).replace(
        name=f"{results.description['name']}-{results.points[choice.index]}"
    )
    return {
        **_point(results, means, choice.index),
        "best": int(results.points[choice.best]),
        "loss": number(choice.loss),
        "loss_high": number(choice.loss_high),
        "cost": choice.cost,
        "reason": choice.reason,
        "by_mean": int(results.points[choice.by_mean]),
        "config": dump_base(config),
    }
