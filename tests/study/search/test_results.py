"""Reading the results of a study, and errors for invalid files."""

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


def test_rows_are_arranged_by_point_and_seed(tmp_path: Path) -> None:
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


def test_file_and_folder_give_the_same_results(tmp_path: Path) -> None:
    folder = line_study(tmp_path)
    both = [read_results(path) for path in (folder, folder / "results.parquet")]
    assert both[0].description == both[1].description


def test_rows_can_be_shuffled_or_missing(tmp_path: Path) -> None:
    folder = line_study(tmp_path / "a")
    table = pq.read_table(folder / "results.parquet")
    (tmp_path / "b").mkdir()
    pq.write_table(table.take([1, 0]), tmp_path / "b" / "results.parquet")
    one, other = read_results(folder), read_results(tmp_path / "b")
    assert one.settings == other.settings
    np.testing.assert_array_equal(one.values["accuracy"], other.values["accuracy"])
    # An unfinished study has points without rows.
    pq.write_table(table.take([1]), tmp_path / "b" / "results.parquet")
    some = read_results(tmp_path / "b")
    assert some.points.tolist() == [1]
    assert some.setting(0) == {"rounds": "nearest"}
    assert some.config(0) == Config.load("digits").replace(learning__random_bits=0)


def test_means_have_student_t_intervals(tmp_path: Path) -> None:
    results = read_results(grid_study(tmp_path))
    means = results.means("accuracy")
    for point in (0, 11, 23):
        own = results.values["accuracy"][point]
        low, high = t.interval(0.95, 2, own.mean(), own.std(ddof=1) / np.sqrt(3))
        # Both results are doubles near 1 and differ by a few roundings.
        assert means.low[point] == pytest.approx(low, rel=1e-12)
        assert means.high[point] == pytest.approx(high, rel=1e-12)
        assert means.mean[point] == pytest.approx(own.mean(), rel=1e-15)
    assert means.count[FAILED_OF_GRID] == 0
    assert np.isnan(means.mean[FAILED_OF_GRID])


def test_equal_values_have_no_spread() -> None:
    # In doubles, the mean of three times 0.1 is not 0.1.
    means = means_of(np.array([[0.1, 0.1, 0.1], [0.1, np.nan, 0.1], [np.nan, 0.3, np.nan]]))
    assert means.mean.tolist() == [0.1, 0.1, 0.3]
    assert means.low[:2].tolist() == means.high[:2].tolist() == [0.1, 0.1]
    assert np.isnan(means.low[2])
    assert means.count.tolist() == [3, 2, 1]


def test_study_of_only_failures_is_read(tmp_path: Path) -> None:
    results = read_results(failed_study(tmp_path))
    assert len(results.failures) == 6
    assert np.isnan(results.values["accuracy"]).all()


def test_missing_integers_stay_missing(tmp_path: Path) -> None:
    def run(point: int, seed: int) -> dict[str, Any]:
        return {"accuracy": 0.5, "bits": 7} if point else {"error": "no"}

    folder = write_study(tmp_path, [axis("noise.words", (1, 2))], [(1,), (2,)], run, seeds=(4,))
    bits = read_results(folder).values["bits"]
    assert np.isnan(bits[0, 0])
    assert bits[1, 0] == 7


def require_error(path: Path, message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        read_results(path)


def test_other_files_raise(tmp_path: Path) -> None:
    require_error(
        tmp_path / "none", r"^a study must be a folder or a file results.parquet, not '.*none'$"
    )
    require_error(tmp_path, r"^a study must be a folder with results.parquet, not '.*'$")
    text = tmp_path / "results.parquet"
    text.write_text("no")
    require_error(text, r"^'.*results.parquet' is not a Parquet file of results, or is damaged$")
    text.write_bytes(b"")
    require_error(text, r"^'.*results.parquet' is not a Parquet file of results, or is damaged$")
    pq.write_table(pa.table({"a": [1]}), text)
    require_error(text, r"does not hold the results of a study: it has no description$")


@pytest.mark.parametrize("part", ["axes", "points", "config"])
def test_missing_key_of_the_description_raises(tmp_path: Path, part: str) -> None:
    table = pq.read_table(line_study(tmp_path) / "results.parquet")
    description = json.loads(table.schema.metadata[METADATA])
    del description[part]
    changed = table.replace_schema_metadata({METADATA: json.dumps(description)})
    pq.write_table(changed, tmp_path / "results.parquet")
    require_error(tmp_path, f"does not hold the results of a study: its description lacks {part}$")


@pytest.mark.parametrize("column", ["rounds", "error", "seed"])
def test_missing_column_raises(tmp_path: Path, column: str) -> None:
    table = pq.read_table(line_study(tmp_path) / "results.parquet")
    pq.write_table(table.drop_columns([column]), tmp_path / "results.parquet")
    require_error(tmp_path, f"it has no column {re.escape(column)}$")


def test_too_many_points_times_seeds_raise(tmp_path: Path) -> None:
    table = pq.read_table(line_study(tmp_path) / "results.parquet")
    count = 1 << 15  # every row has its own point and seed: 2^30 runs
    description = json.loads(table.schema.metadata[METADATA])
    description["points"] = description["points"][:1] * count
    many = table.take(np.zeros(count, int))
    for name in ("point", "seed"):
        place = many.column_names.index(name)
        many = many.set_column(place, name, pa.array(np.arange(count)))
    many = many.replace_schema_metadata({METADATA: json.dumps(description)})
    pq.write_table(many, tmp_path / "results.parquet")
    require_error(tmp_path, r"it has more than 1048576 runs \(points times seeds\)$")


def test_description_that_is_not_json_raises(tmp_path: Path) -> None:
    table = pq.read_table(line_study(tmp_path) / "results.parquet")
    for text in ("{", "3"):
        changed = table.replace_schema_metadata({METADATA: text})
        pq.write_table(changed, tmp_path / "results.parquet")
        require_error(tmp_path, "does not hold the results of a study: ")


def test_study_without_objectives_raises(tmp_path: Path) -> None:
    table = pq.read_table(line_study(tmp_path) / "results.parquet")
    pq.write_table(table.drop_columns(["accuracy"]), tmp_path / "results.parquet")
    require_error(tmp_path, "its first objective is not one of its metrics$")
    description = json.loads(table.schema.metadata[METADATA])
    description["objectives"] = []
    changed = table.replace_schema_metadata({METADATA: json.dumps(description)})
    pq.write_table(changed, tmp_path / "results.parquet")
    require_error(tmp_path, "its first objective is not one of its metrics$")
