"""Synthetic study results with known effects."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config

SCORE = ("accuracy", "test accuracy", "share of digits", "max")
BITS = ("bits", "bits that the layer stores", "bits", "min")
OPERATIONS = ("synaptic_operations", "synaptic operations", "a decision", "min")
METRICS = (SCORE, BITS, OPERATIONS)

Run = dict[str, float]
"""Metrics of a run, or ``{"error": message}`` for a failed one."""

WIDTHS, WORDS, SIGMAS = (3, 4, 6, 8), (1, 2, 4), (0.125, 0.25)
BEST_OF_GRID, FAILED_OF_GRID = 23, 5


def axis(
    name: str, labels: Sequence[Any] = (), kind: str = "values", **more: Any
) -> dict[str, Any]:
    made = {"name": name, "fields": [name], "kind": kind, "unit": "", **more}
    return made | ({"labels": list(labels)} if labels else {})


def write_study(
    folder: Path,
    axes: Sequence[dict[str, Any]],
    settings: Sequence[Sequence[Any]],
    run: Callable[[int, int], dict[str, Any]],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    edits: Sequence[dict[str, Any]] | None = None,
    **description: Any,
) -> Path:
    """Write ``results.parquet`` for points with the given settings and return the folder."""
    names = [own["name"] for own in axes]
    metrics = description.pop("metrics", METRICS)
    rows = [(point, seed, run(point, seed)) for point in range(len(settings)) for seed in seeds]
    columns: dict[str, list[Any]] = {
        "point": [point for point, _, _ in rows],
        "seed": [seed for _, seed, _ in rows],
        **{name: [settings[point][n] for point, _, _ in rows] for n, name in enumerate(names)},
        "key": [f"{point:04x}{seed:04x}" for point, seed, _ in rows],
        "error": [got.get("error", "") for _, _, got in rows],
        **{name: [got.get(name) for _, _, got in rows] for name, *_ in metrics},
    }
    told = {
        "name": "made", "title": "A study that nobody ran", "task": "digits", "epochs": 3,
        "config": dump_config(Config.load("digits")), "seeds": list(seeds), "search": "grid",
        "axes": list(axes), "board": None,
        "objectives": [{"name": own[0], "direction": own[3]} for own in metrics[:2]],
        "points": edits or [dict(zip(names, own, strict=True)) for own in settings],
        "metrics": [dict(zip(("name", "title", "unit", "direction"), own, strict=True))
                    for own in metrics],
        **description,
    }  # fmt: skip
    table = pa.table(columns).replace_schema_metadata({"bitlif.study": json.dumps(told)})
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "results.parquet")
    return folder


def noise(point: int, seed: int) -> float:
    """Return standard normal noise of a run plus a standard normal offset of its seed."""
    both = np.random.default_rng((point, seed)).standard_normal()
    return float(both + np.random.default_rng(seed).standard_normal())


def grid_study(folder: Path, *, fail: bool = True, spread: float = 0.002, **more: Any) -> Path:
    """Write a grid of 4 widths x 3 numbers of words x 2 sigmas.

    Widths and words are additive. One word lowers the score only at the larger sigma, which is the
    only interaction.
    """
    settings = list(itertools.product(WIDTHS, WORDS, SIGMAS))

    def run(point: int, seed: int) -> dict[str, Any]:
        if fail and point == FAILED_OF_GRID:
            return {"error": 'noise.words must be <1 & "2" here</script><b>'}
        width, words, sigma = settings[point]
        score = 0.7 + 0.03 * WIDTHS.index(width) + 0.02 * WORDS.index(words)
        score -= 0.06 * (words == 1) * (sigma == 0.25)
        bits = 24 * width + 8 * words
        return {
            "accuracy": score + spread * noise(point, seed),
            "bits": bits,
            "synaptic_operations": 100.0 * words + width + 0.25 * noise(point, seed),
        }

    axes = [
        axis("synapse.weight.bits", WIDTHS, unit="bits"),
        axis("noise.words", WORDS),
        axis("schedule.sigma", SIGMAS, unit="threshold"),
    ]
    return write_study(folder, axes, settings, run, **more)


def random_study(folder: Path, points: int = 60, **more: Any) -> Path:
    """Write a random search over a wide range, a narrow range and a choice."""
    random = np.random.default_rng(7)
    settings = [
        (float(np.exp(random.uniform(-4, 0))), float(random.uniform(2, 6)), kind)
        for kind in random.choice(("floor", "nearest"), points).tolist()
    ]

    def run(point: int, seed: int) -> dict[str, Any]:
        rate, tau, kind = settings[point]
        score = 0.9 - 0.02 * (np.log(rate) + 2) ** 2 - 0.05 * (kind == "floor") + 0.002 * tau
        return {
            "accuracy": float(score) + 0.002 * noise(point, seed),
            "bits": 400 + 10 * point,
            "synaptic_operations": 50.0 * tau,
        }

    axes = [
        axis("learning.rate", kind="range"),
        axis("membrane.decay.tau", kind="range", unit="steps"),
        axis("synapse.rounding", ("floor", "nearest")),
    ]
    return write_study(folder, axes, settings, run, search="random", **more)


def line_study(folder: Path, **more: Any) -> Path:
    """Write a study of one axis with two cases and one seed."""
    axes = [axis("rounds", ("stochastic", "nearest"), "cases", fields=["learning.random_bits"])]
    edits = [{"learning.random_bits": 4}, {"learning.random_bits": 0}]

    def run(point: int, seed: int) -> dict[str, Any]:
        return {"accuracy": 0.9 - 0.125 * point, "bits": 100 - 10 * point,
                "synaptic_operations": 5.0}  # fmt: skip

    settings = [("stochastic",), ("nearest",)]
    return write_study(folder, axes, settings, run, seeds=(0,), edits=edits, **more)


def failed_study(folder: Path) -> Path:
    """Write a study in which every run failed."""

    def run(point: int, seed: int) -> dict[str, Any]:
        return {"error": f"learning.random_bits must be in 0 ..= 24, not {25 + point}"}

    axes = [axis("learning.random_bits", (25, 26))]
    return write_study(folder, axes, [(25,), (26,)], run)
