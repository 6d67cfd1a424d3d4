"""The command ``bitlif report``: files, output and errors."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from plotly.offline import get_plotlyjs

from bitlif.model.config.config import Config
from bitlif.scripts.drawing.report_figure import _varied
from bitlif.scripts.main import main
from bitlif.study.report.findings import analyse
from bitlif.study.report.labels import GREY
from bitlif.study.report.page import render_page
from bitlif.study.search.results import read_results
from bitlif.tasks.colours import BLUE, VERMILION

from study_rows import (
    BEST_OF_GRID,
    FAILED_OF_GRID,
    axis,
    failed_study,
    grid_study,
    line_study,
    random_study,
    write_study,
)

PICTURES = {f"{name}.{kind}" for name in ("pareto", "effects", "interactions")
            for kind in ("png", "pdf")}  # fmt: skip
FILES = {"report.html", "report.json", "points.csv", "recommended.toml", "bitlif.json", *PICTURES}


def reject_constant(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def strict_json(text: str) -> Any:
    return json.loads(text, parse_constant=reject_constant)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a study with failed runs, its report and the printed summary."""
    folder = grid_study(tmp_path_factory.mktemp("grid"))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["report", str(folder)]) == 1
    (folder / "printed.txt").write_text(printed.getvalue(), "utf-8")
    return folder


def test_report_folder_holds_exactly_the_documented_files(grid: Path) -> None:
    assert {path.name for path in (grid / "report").iterdir()} == FILES
    assert {path.name for path in grid.iterdir()} == {"results.parquet", "report", "printed.txt"}


def test_same_results_give_the_same_bytes(grid: Path, tmp_path: Path) -> None:
    # From the file instead of the folder, in another place.
    shutil.copy(grid / "results.parquet", tmp_path / "moved.parquet")
    assert main(["report", str(tmp_path / "moved.parquet"), "--out", str(tmp_path / "again")]) == 1
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (grid / "report" / name).read_bytes()


def test_json_output_equals_report_json(
    grid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(grid), "--out", str(tmp_path / "r"), "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.err == ""
    told = strict_json(captured.out)
    assert told == strict_json((tmp_path / "r" / "report.json").read_text())
    assert set(told) == {
        "study", "score", "metrics", "confidence", "loss", "points", "failures", "fronts",
        "effects", "sensitivity", "grids", "best", "recommended", "board", "for_board",
        "chance", "diagnosis",
    }  # fmt: skip
    assert told["best"]["point"] == BEST_OF_GRID
    assert [own["cost"] for own in told["fronts"]] == ["bits", "synaptic_operations"]
    assert told["points"][FAILED_OF_GRID]["metrics"]["accuracy"]["mean"] is None
    assert len(told["failures"]) == 3


def test_points_csv_has_every_mean_and_interval(grid: Path) -> None:
    with (grid / "report" / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "point", "synapse.weight.bits", "noise.words", "schedule.sigma", "seeds",
        *(f"{name}_{end}" for name in ("accuracy", "bits", "synaptic_operations")
          for end in ("mean", "low", "high")),
        "error",
    ]  # fmt: skip
    results = read_results(grid)
    means = results.means("accuracy")
    for point, row in enumerate(rows):
        assert int(row["point"]) == point
        if point == FAILED_OF_GRID:
            assert (row["seeds"], row["accuracy_mean"]) == ("0", "")
            assert row["error"] == results.failures[0].error
        else:
            assert float(row["accuracy_mean"]) == means.mean[point]
            assert float(row["accuracy_high"]) == means.high[point]
            assert (row["seeds"], row["error"]) == ("3", "")


def test_recommended_configuration_is_complete(grid: Path) -> None:
    text = (grid / "report" / "recommended.toml").read_text("utf-8")
    told = strict_json((grid / "report" / "report.json").read_text())
    point = told["recommended"]["point"]
    config = Config.load(grid / "report" / "recommended.toml")
    assert config.name == f"made-{point}"
    assert config.synapse.weight.bits == told["recommended"]["setting"]["synapse.weight.bits"]
    assert config == read_results(grid).config(point).replace(name=config.name)
    assert set(tomllib.loads(text)) >= {"layer", "synapse", "schedule"}


def test_larger_loss_recommends_a_cheaper_point(grid: Path) -> None:
    bits = []
    for loss in (0.0, 0.05, 1.0):
        told = analyse(read_results(grid), loss)
        bits.append(told["recommended"]["metrics"]["bits"]["mean"])
    # The best point has 8 bits and 4 words, the cheapest successful one 3 bits and 1 word.
    assert bits[0] == 8 * 24 + 4 * 8
    assert bits[0] > bits[1] > bits[2] == 3 * 24 + 8


def test_loss_and_cost_options_are_used(grid: Path, tmp_path: Path) -> None:
    words = ["report", str(grid), "--loss", "1", "--cost", "synaptic_operations"]
    assert main([*words, "--out", str(tmp_path / "r")]) == 1
    told = strict_json((tmp_path / "r" / "report.json").read_text())
    costs = [
        own["metrics"]["synaptic_operations"]["mean"]
        for own in told["points"]
        if own["metrics"]["accuracy"]["mean"] is not None
    ]
    assert told["recommended"]["metrics"]["synaptic_operations"]["mean"] == min(costs)


def lanes_study(folder: Path, lanes: tuple[int, ...]) -> Path:
    def run(point: int, seed: int) -> dict[str, Any]:
        return {"accuracy": 0.5 + point / 8, "bits": 100 + point}

    settings = [(own,) for own in lanes]
    return write_study(folder, [axis("layer.lanes", lanes)], settings, run)


def test_board_option_recommends_a_point_that_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lanes_study(tmp_path / "a", (1, 2))
    assert main(["report", str(folder), "--board", "icebreaker"]) == 0
    assert Config.load(folder / "report" / "recommended.toml").layer.lanes == 1
    assert "icebreaker: the best mean test accuracy that is estimated to fit" in " ".join(
        capsys.readouterr().out.split()
    )
    large = lanes_study(tmp_path / "b", (2, 5))
    assert main(["report", str(large), "--board", "icebreaker"]) == 1
    assert "no point is estimated to fit icebreaker" in capsys.readouterr().out
    assert not (large / "report" / "recommended.toml").exists()
    assert "No point is estimated to fit it." in (large / "report" / "report.html").read_text()


def test_terminal_shows_best_recommended_and_effects(grid: Path) -> None:
    printed = (grid / "printed.txt").read_text("utf-8")
    assert re.search(r"│ +\d[\d.e-]* %", printed)
    assert "\\x" not in printed
    shown = " ".join(printed.split())
    assert shown.startswith("made: 24 points, 72 runs, 3 failed")
    for part in (
        f"best mean: point {BEST_OF_GRID}", "recommended: point", "test accuracy (% of digits)",
        "3 of 72 runs failed: noise.words must be", "(point 5, seed 0, the first)",
        "shares of the variance of test accuracy", "noise.words × schedule.sigma",
        "from a forest, which predicts", "not distinguishable from the noise", "written: ",
    ):  # fmt: skip
        assert part in shown


def test_report_of_only_failures_exits_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = failed_study(tmp_path)
    assert main(["report", str(folder)]) == 1
    assert "every run failed: learning.random_bits must be" in capsys.readouterr().out
    names = {path.name for path in (folder / "report").iterdir()}
    assert names == {"report.html", "report.json", "points.csv", "bitlif.json"}
    assert "No run succeeded" in (folder / "report" / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "a study must be a folder or a file results.parquet, not 'nowhere'"),
        (["STUDY", "--loss", "-1"], "--loss must be in 0 ..= 1e+06, not -1"),
        (["STUDY", "--loss", "nan"], "--loss must be in 0 ..= 1e+06, not nan"),
        (
            ["STUDY", "--force", "--cost", "bit"],
            "cost must be one of bits, synaptic_operations, not 'bit'",
        ),
        (["STUDY", "--board", "icebraker"], "did you mean 'icebreaker'?"),
        (["STUDY"], "give --force to replace it"),
        (["STUDY", "--out", "STUDY"], "--out must be a new or empty folder, not '"),
    ],
)
def test_bad_arguments_are_reported_in_one_line(
    arguments: list[str], message: str, grid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(grid.rglob("*"))
    assert main(["report", *(own.replace("STUDY", str(grid)) for own in arguments)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert sorted(grid.rglob("*")) == before


def test_unfinished_study_is_reported_as_unfinished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = line_study(tmp_path, complete=False)
    assert main(["report", str(folder)]) == 0
    assert "0 failed, unfinished" in capsys.readouterr().out
    assert "did not finish" in (folder / "report" / "report.html").read_text("utf-8")


def test_force_replaces_only_the_report(tmp_path: Path) -> None:
    folder = line_study(tmp_path)
    assert main(["report", str(folder)]) == 0
    before = (folder / "results.parquet").read_bytes()
    assert main(["report", str(folder), "--loss", "0.5", "--force"]) == 0
    assert strict_json((folder / "report" / "report.json").read_text())["loss"] == 0.5
    assert (folder / "results.parquet").read_bytes() == before


@pytest.mark.parametrize(
    "module", ["pyarrow", "plotly", "jinja2", "scipy", "sklearn", "matplotlib.figure"]
)
def test_missing_package_is_reported_before_writing(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = line_study(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["report", str(folder)]) == 2
    name = module.partition(".figure")[0]
    said = capsys.readouterr().err
    assert said.startswith(f"bitlif report: reports need {module}, which is not installed: pip in")
    assert f"'{name.replace('sklearn', 'scikit-learn')}>=" in said
    assert not (folder / "report").exists()


def html_of(folder: Path) -> tuple[str, str]:
    """Return a page without plotly.js, and the whole page."""
    whole = (folder / "report" / "report.html").read_text("utf-8")
    library = get_plotlyjs()
    assert whole.count(library) == 1
    return whole.replace(library, ""), whole


def test_page_has_no_external_references(grid: Path) -> None:
    own, _ = html_of(grid)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", own)
    assert re.findall(r"""<(?:script|link|img|iframe)[^>]*\b(?:src|href)=""", own) == []
    assert own.count("<script") == own.count("</script>") == 3
    assert "default-src 'none'" in own
    # The error of the failed point is escaped.
    assert "noise.words must be &lt;1 &amp; &quot;2&quot; here&lt;/script&gt;&lt;b&gt;" in own


@pytest.mark.parametrize("make", [grid_study, random_study, line_study])
def test_plotly_accepts_every_plot(make: Callable[..., Path], tmp_path: Path) -> None:
    told = analyse(read_results(make(tmp_path)))
    text = render_page(told).partition('id="data">')[2].partition("</script>")[0]
    plots = strict_json(text)["plots"]
    expected = {f"front-{own['cost']}" for own in told["fronts"]} | {"sensitivity"}
    expected |= {f"effect-{number}" for number in range(len(told["effects"]))}
    expected |= {f"grid-{number}" for number in range(len(told["grids"]))}
    assert set(plots) == expected
    for own in plots.values():
        # It raises on unknown properties.
        plotly.graph_objects.Figure(own)


def test_markup_in_names_is_escaped_everywhere(tmp_path: Path) -> None:
    nasty = "<i>a</i> & 'b' \"c\" </script> $x_1$ %{y}"

    def run(point: int, seed: int) -> dict[str, Any]:
        return {"accuracy": 0.5 + point / 8, "bits": 1}

    axes = [
        axis(nasty, (nasty, "other"), "cases", unit=nasty),
        axis("noise.words", (1, 2)),
    ]
    settings = [(a, b) for a in (nasty, "other") for b in (1, 2)]
    folder = write_study(
        tmp_path, axes, settings, run, edits=[{}] * 4, title=nasty, metrics=[
            ("accuracy", nasty, nasty, "max"), ("bits", nasty, "", "min")
        ],
    )  # fmt: skip
    text = render_page(analyse(read_results(folder))).replace(get_plotlyjs(), "")
    assert "<i>" not in text
    assert text.count("</script>") == 3
    data = text.partition('id="data">')[2].partition("</script>")[0]
    assert "<" not in data
    # Plotly interprets some tags, so text in plots is escaped as well.
    assert "<i>" not in json.dumps(strict_json(data))
    assert "&lt;i&gt;a&lt;/i&gt;" in json.dumps(strict_json(data))
    # Pictures show the text literally, not as formulas.
    assert main(["report", str(folder)]) == 0


def colours_in(image: np.ndarray, colour: str) -> int:
    # PNG colours have a resolution of 1/255.
    near = np.abs(image[..., :3] - np.array(to_rgb(colour))).max(axis=-1) < 0.5 / 255
    return int(near.sum())


def test_pictures_contain_the_expected_colours(grid: Path) -> None:
    fronts = imread(grid / "report" / "pareto.png")
    for panel in np.array_split(fronts, 2, axis=1):
        for colour in (BLUE, GREY, VERMILION):
            assert colours_in(panel, colour) > 0
    effects = imread(grid / "report" / "effects.png")
    for panel in np.array_split(effects, 3, axis=1):
        assert colours_in(panel, BLUE) > 0
    for name in PICTURES:
        if name.endswith("pdf"):
            data = (grid / "report" / name).read_bytes()
            assert data.startswith(b"%PDF")
            assert b"CreationDate" not in data


def test_constant_costs_are_stated_instead_of_drawn(tmp_path: Path) -> None:
    told = analyse(read_results(grid_study(tmp_path)))
    drawn, said = _varied(told)
    assert [own["cost"] for own in drawn] == ["bits", "synaptic_operations"]
    assert said == []
    for own in told["points"]:
        if own["metrics"]["bits"]["mean"] is not None:
            own["metrics"]["bits"] = {"mean": 1200.0, "low": 1200.0, "high": 1200.0}
    drawn, said = _varied(told)
    assert [own["cost"] for own in drawn] == ["synaptic_operations"]
    assert len(said) == 1
    assert said[0].endswith("1,200 bits")
