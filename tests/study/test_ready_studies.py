"""The shipped results match the ready-made studies and this model."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bitlif.fpga import estimate
from bitlif.study.search.evaluate import evaluate
from bitlif.study.search.metrics import TWIN
from bitlif.study.search.plan import load_plan, ready_studies
from bitlif.study.search.results import read_results
from bitlif.study.search.run import jobs_of
from bitlif.study.search.search import make_search

SHIPPED = Path(__file__).parents[2] / "docs" / "studies"
CALIBRATION = SHIPPED / "estimate.toml"
"""Calibration of the area estimate behind the shipped tables."""

NAMES = [name for name in ready_studies() if name != "quickstart"]
REPEATED = 3
"""Runs of each study that are repeated."""


def test_every_study_but_quickstart_ships_results() -> None:
    assert sorted(path.name for path in SHIPPED.iterdir() if path != CALIBRATION) == NAMES
    text = SHIPPED.with_suffix(".md").read_text("utf-8")
    for name in NAMES:
        files = {path.name for path in (SHIPPED / name).iterdir()}
        assert files == {
            "results.parquet", "points.csv", "recommended.toml", "pareto.png", "effects.png",
            "interactions.png",
        }  # fmt: skip
        for file in files - {"recommended.toml", "results.parquet", "points.csv"}:
            assert (SHIPPED / name / file).stat().st_size < 150_000
        assert f"studies/{name}/" in text


@pytest.mark.parametrize("name", NAMES)
def test_shipped_results_describe_the_current_study(name: str) -> None:
    plan, _ = load_plan(name)
    results = read_results(SHIPPED / name / "results.parquet")
    points = next(make_search(plan).batches())
    assert results.description == plan.describe([own.edits for own in points], complete=True)
    keys = [job.key for point in points for job in jobs_of(plan, point)]
    assert pq.read_table(SHIPPED / name / "results.parquet")["key"].to_pylist() == keys


@pytest.mark.parametrize("name", NAMES)
def test_shipped_results_are_reproduced_exactly(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tomllib.loads(CALIBRATION.read_text("utf-8"))
    monkeypatch.setattr(estimate, "calibration", lambda *, networks: {False: shipped}[networks])
    plan, _ = load_plan(name)
    rows = pq.read_table(SHIPPED / name / "results.parquet").to_pylist()
    points = next(make_search(plan).batches())
    jobs = [job for point in points for job in jobs_of(plan, point)]
    # The columns of the float twin depend on the exp of the machine.
    names = [own.name for own in plan.metrics if own not in TWIN]
    for number in random.Random(name).sample(range(len(rows)), REPEATED):
        outcome = evaluate(jobs[number])
        assert outcome.error == rows[number]["error"]
        assert {own: outcome.values.get(own) for own in names} == {
            own: rows[number][own] for own in names
        }
