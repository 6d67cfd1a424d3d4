"""Running a study: interruptions, resumption and reuse give identical tables."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bitlif.study.search.results import METADATA
from bitlif.study.search.run import Progress, jobs_of, run_study
from bitlif.study.search.search import make_search
from bitlif.study.search.store import open_store

from study_plans import GUIDED, SMALL, Here, small


def run(folder: Path, text: str, workers: Here | None = None) -> tuple[bytes, Progress]:
    with open_store(folder, text) as store:
        path, progress = run_study(small(text), store, workers or Here())
    return path.read_bytes(), progress


def rows(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "results.parquet").to_pylist()  # type: ignore[no-any-return]


def test_table_has_one_row_per_point_and_seed(tmp_path: Path) -> None:
    _, progress = run(tmp_path / "s", SMALL)
    assert (progress.total, progress.computed, progress.failed) == (18, 18, 6)
    table = rows(tmp_path / "s")
    assert [(row["point"], row["seed"]) for row in table] == [
        (point, seed) for point in range(9) for seed in (1, 3)
    ]
    for row in table:
        assert bool(row["error"]) == (row["noise.words"] == 12)
        assert (row["correlation"] is None) == bool(row["error"])
        if row["error"]:
            assert row["error"].startswith("noise.words * word_bits must be at most")


def test_runs_of_other_gates_have_other_keys() -> None:
    plan = small()
    (point, *_) = next(make_search(plan).batches())
    wide = replace(plan, config=plan.config.replace(gates__single_port="all"))
    keys = [{job.key for job in jobs_of(one, point)} for one in (plan, wide)]
    assert len(keys[0] | keys[1]) == 2 * len(plan.seeds)


def test_table_describes_its_study(tmp_path: Path) -> None:
    run(tmp_path / "s", SMALL)
    schema = pq.read_schema(tmp_path / "s" / "results.parquet")
    text = json.loads(schema.metadata[METADATA])
    assert (text["name"], text["windows"], text["seeds"]) == ("small", 2, [1, 3])
    assert text["objectives"][0] == {"name": "correlation", "direction": "max"}
    assert text["points"][4] == {"synapse.weight.bits": 8, "noise.words": 4}
    assert text["complete"] is True
    assert [str(schema.field(name).type) for name in ("point", "noise.words", "bits")] == [
        "int64"
    ] * 3


@pytest.mark.parametrize("text", [SMALL, GUIDED])
def test_interrupted_study_resumes_to_the_same_table(text: str, tmp_path: Path) -> None:
    whole, progress = run(tmp_path / "whole", text)
    computed: list[str] = []
    for most in (0, 1, 5, 3, 2):
        workers = Here(most)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut", text, workers)
        assert len(workers.computed) == most
        computed += workers.computed
    workers = Here()
    last, rest = run(tmp_path / "cut", text, workers)
    assert last == whole
    computed += workers.computed
    assert len(set(computed)) == len(computed) == progress.computed
    assert rest.reused == 11
    assert run(tmp_path / "cut", text, Here(0))[0] == whole


def test_interrupted_study_leaves_a_partial_table(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "s", SMALL, Here(5))
    assert len(rows(tmp_path / "s")) == 5
    metadata = pq.read_schema(tmp_path / "s" / "results.parquet").metadata
    assert json.loads(metadata[METADATA])["complete"] is False


def test_larger_study_reuses_common_runs(tmp_path: Path) -> None:
    run(tmp_path / "s", SMALL)
    more = SMALL.replace("[6, 8, 12]", "[12, 5, 8]").replace("seeds = [3, 1]", "seeds = [1, 2]")
    _, progress = run(tmp_path / "s", more)
    # Two of three weights, three numbers of words and one of two seeds are reused.
    assert (progress.reused, progress.computed) == (6, 12)


def test_equal_points_are_computed_once(tmp_path: Path) -> None:
    alike = SMALL.replace("values = [6, 8, 12]", "low = 6\nhigh = 7").replace(
        "windows = 2", 'windows = 2\nsearch = "random"\npoints = 12'
    )
    workers = Here()
    _, progress = run(tmp_path / "s", alike, workers)
    assert progress.computed == progress.total == 24
    assert len(workers.computed) == len(set(workers.computed)) <= 12
    assert len(rows(tmp_path / "s")) == 24


def test_key_depends_on_everything_that_affects_a_result(tmp_path: Path) -> None:
    run(tmp_path / "s", SMALL)
    for old, new in (
        ("windows = 2", "windows = 3"),
        ('"window.steps" = 40', '"window.steps" = 41'),
        ("windows = 2", 'windows = 2\nmeasure = ["float"]'),
    ):
        _, progress = run(tmp_path / "s", SMALL.replace(old, new))
        assert progress.reused == 0


def test_metrics_in_the_table_are_finite(tmp_path: Path) -> None:
    run(tmp_path / "s", GUIDED)
    for row in rows(tmp_path / "s"):
        assert math.isfinite(row["correlation"])
        assert row["bits"] > row["weight_bits"] > 0
