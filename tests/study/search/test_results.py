"""What a study left is read as it was written, and what is no study is refused in a sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import t

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.study.search.results import METADATA, means_of, read_results

from study_rows import FAILED_OF_GRID, axis, failed_study, grid_study, line_study, write_study


def test_rows_become_points_by_seeds(tmp_path: Path) -> None:
    folder = grid_study(tmp_path)
    results = read_results(folder)
    table = pq.read_table(folder / "results.parquet").to_pylist()
    assert results.points.tolist() == list(range(24))
    assert results.seeds == (0, 1, 2)
    assert [own.name for own in results.axes] == [
        "synapse.weight.bits", "noise.words", "schedule.sigma"
    ]  # fmt: skip
    assert list(results.metrics) == ["accuracy", "bits", "synaptic_operations"]
    assert results.score.direction == "max"
    for row in table:
        for name in results.metrics:
            value = results.values[name][row["point"], row["seed"]]
            assert value == row[name] if row[name] is not None else np.isnan(value)
        for own in results.axes:
            assert results.settings[own.name][row["point"]] == row[own.name]
    assert {own.point for own in results.failures} == {FAILED_OF_GRID}
    assert [own.seed for own in results.failures] == [0, 1, 2]


def test_file_and_folder_are_the_same_study(tmp_path: Path) -> None:
    folder = line_study(tmp_path)
    both = [read_results(path) for path in (folder, folder / "results.parquet")]
    assert both[0].description == both[1].description


def test_order_of_rows_and_missing_runs_do_not_matter(tmp_path: Path) -> None:
    folder = line_study(tmp_path / "a")
    table = pq.read_table(folder / "results.parquet")
    (tmp_path / "b").mkdir()
    pq.write_table(table.take([1, 0]), tmp_path / "b" / "results.parquet")
    one, other = read_results(folder), read_results(tmp_path / "b")
    assert one.settings == other.settings
    np.testing.assert_array_equal(one.values["accuracy"], other.values["accuracy"])
    # A study that is not done has points without rows.
    pq.write_table(table.take([1]), tmp_path / "b" / "results.parquet")
    some = read_results(tmp_path / "b")
    assert some.points.tolist() == [1]
    assert some.setting(0) == {"rounds": "nearest"}
    assert some.config(0) == Config.load("digits").replace(learning__random_bits=0)


def test_means_and_intervals_are_students(tmp_path: Path) -> None:
    results = read_results(grid_study(tmp_path))
    means = results.means("accuracy")
    for point in (0, 11, 23):
        own = results.values["accuracy"][point]
        low, high = t.interval(0.95, 2, own.mean(), own.std(ddof=1) / np.sqrt(3))
        # Both compute in doubles of magnitude 1: some roundings apart.
        assert means.low[point] == pytest.approx(low, rel=1e-12)
        assert means.high[point] == pytest.approx(high, rel=1e-12)
        assert means.mean[point] == pytest.approx(own.mean(), rel=1e-15)
    assert means.count[FAILED_OF_GRID] == 0
    assert np.isnan(means.mean[FAILED_OF_GRID])


def test_what_is_the_same_for_every_seed_has_no_spread() -> None:
    # The mean of three times 0.1 is not 0.1 in doubles.
    means = means_of(np.array([[0.1, 0.1, 0.1], [0.1, np.nan, 0.1], [np.nan, 0.3, np.nan]]))
    assert means.mean.tolist() == [0.1, 0.1, 0.3]
    assert means.low[:2].tolist() == means.high[:2].tolist() == [0.1, 0.1]
    assert np.isnan(means.low[2])
    assert means.count.tolist() == [3, 2, 1]


def test_study_in_which_all_failed_is_read(tmp_path: Path) -> None:
    results = read_results(failed_study(tmp_path))
    assert len(results.failures) == 6
    assert np.isnan(results.values["accuracy"]).all()


def test_integers_that_are_missing_stay_missing(tmp_path: Path) -> None:
    def run(point: int, seed: int) -> dict[str, Any]:
        return {"accuracy": 0.5, "bits": 7} if point else {"error": "no"}

    folder = write_study(tmp_path, [axis("noise.words", (1, 2))], [(1,), (2,)], run, seeds=(4,))
    bits = read_results(folder).values["bits"]
    assert np.isnan(bits[0, 0])
    assert bits[1, 0] == 7


def refused(path: Path, message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        read_results(path)


def test_what_is_no_study_is_refused(tmp_path: Path) -> None:
    refused(
        tmp_path / "none", r"^a study must be a folder or a file results.parquet, not '.*none'$"
    )
    refused(tmp_path, r"^a study must be a folder with results.parquet, not '.*'$")
    text = tmp_path / "results.parquet"
    text.write_text("no")
    refused(text, r"^'.*results.parquet' is not a Parquet file of results, or is damaged$")
    text.write_bytes(b"")
    refused(text, r"^'.*results.parquet' is not a Parquet file of results, or is damaged$")
    pq.write_table(pa.table({"a": [1]}), text)
    refused(text, r"does not hold the results of a study: it has no description$")


@pytest.mark.parametrize("part", ["axes", "points", "config"])
def test_description_that_lacks_a_part_is_refused_by_its_name(tmp_path: Path, part: str) -> None:
    table = pq.read_table(line_study(tmp_path) / "results.parquet")
    told = json.loads(table.schema.metadata[METADATA])
    del told[part]
    changed = table.replace_schema_metadata({METADATA: json.dumps(told)})
    pq.write_table(changed, tmp_path / "results.parquet")
    refused(tmp_path, f"does not hold the results of a study: its description lacks {part}$")


@pytest.mark.parametrize("column", ["rounds", "error", "seed"])
def test_table_that_lacks_a_column_is_refused_by_its_name(tmp_path: Path, column: str) -> None:
    table = pq.read_table(line_study(tmp_path) / "results.parquet")
    pq.write_table(table.drop_columns([column]), tmp_path / "results.parquet")
    refused(tmp_path, f"it has no column {re.escape(column)}$")


def test_table_of_far_more_runs_than_rows_is_refused_before_they_are_made(tmp_path: Path) -> None:
    table = pq.read_table(line_study(tmp_path) / "results.parquet")
    count = 1 << 15  # each row another point and another seed: 2^30 runs
    told = json.loads(table.schema.metadata[METADATA])
    told["points"] = told["points"][:1] * count
    many = table.take(np.zeros(count, int))
    for name in ("point", "seed"):
        place = many.column_names.index(name)
        many = many.set_column(place, name, pa.array(np.arange(count)))
    many = many.replace_schema_metadata({METADATA: json.dumps(told)})
    pq.write_table(many, tmp_path / "results.parquet")
    refused(tmp_path, r"it has more than 1048576 runs \(points times seeds\)$")


def test_description_that_is_no_json_is_refused(tmp_path: Path) -> None:
    table = pq.read_table(line_study(tmp_path) / "results.parquet")
    for text in ("{", "3"):
        changed = table.replace_schema_metadata({METADATA: text})
        pq.write_table(changed, tmp_path / "results.parquet")
        refused(tmp_path, "does not hold the results of a study: ")


def test_study_that_does_not_say_what_it_is_after_is_refused(tmp_path: Path) -> None:
    table = pq.read_table(line_study(tmp_path) / "results.parquet")
    pq.write_table(table.drop_columns(["accuracy"]), tmp_path / "results.parquet")
    refused(tmp_path, "its first objective is none of its metrics$")
    told = json.loads(table.schema.metadata[METADATA])
    told["objectives"] = []
    changed = table.replace_schema_metadata({METADATA: json.dumps(told)})
    pq.write_table(changed, tmp_path / "results.parquet")
    refused(tmp_path, "its first objective is none of its metrics$")
