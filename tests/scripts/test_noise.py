"""The command ``bitlif noise``."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.noise_report.draws import measure_draws
from bitlif.model.noise_report.report import describe_noise
from bitlif.scripts import noise
from bitlif.tasks.colours import BLACK, BLUE, ORANGE, VERMILION

OFFERED_BY_BOTH = ("tiny", "teacher")
"""Configurations with two lanes and with one."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="bitlif")
    noise.add_parser(made.add_subparsers(dest="command", required=True))
    return made


def bitlif(*arguments: str) -> int:
    args = parser().parse_args(["noise", *arguments])
    code = args.run(args)
    assert isinstance(code, int)
    return code


def refuse(word: str) -> None:
    raise AssertionError(f"JSON has no {word}")


def strict_json(text: str) -> Any:
    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("name", OFFERED_BY_BOTH)
def test_json_is_the_whole_report(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = Config.load(name)
    # First, because the engine may have to be compiled, which is reported on standard error.
    expected = describe_noise(config, measure_draws(config, 2000))
    capsys.readouterr()
    assert bitlif(name, "--draws", "2000", "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert strict_json(captured.out) == expected


def test_json_has_the_documented_keys(capsys: pytest.CaptureFixture[str]) -> None:
    bitlif("tiny", "--draws", "1000", "--json")
    result = strict_json(capsys.readouterr().out)
    assert set(result) == {
        "config", "kind", "words", "word_bits", "distribution", "phases", "streams", "measured",
        "remarks",
    }  # fmt: skip
    assert set(result["distribution"]) == {
        "levels", "lowest", "highest", "sigma", "cutoff_sigma", "excess_kurtosis",
        "total_variation", "kolmogorov", "tails",
    }  # fmt: skip
    assert set(result["phases"][0]) == {
        "phase", "windows", "sigma_asked", "noise_scale", "noise_shift", "sigma_scaled",
        "relative_error", "sigma_rounded", "mean_rounded_lsb",
    }  # fmt: skip
    assert set(result["streams"]) == {
        "sharing", "draw_bits", "bits_shared_with_next_draw", "lanes", "neuron_period_steps",
        "soonest_repeat",
    }  # fmt: skip
    assert set(result["streams"]["lanes"][1]) == {
        "lane", "width", "taps", "leap", "state", "stream_period_bits", "period_draws", "position",
        "bits_to_next_lane", "draws_to_next_lane",
    }  # fmt: skip
    measured = result["measured"]
    assert set(measured) == {
        "draws", "exact", "standard_error", "band", "lanes", "cross_correlation",
        "largest_cross_correlation",
    }  # fmt: skip
    assert set(measured["lanes"][1]) == {
        "lane", "mean", "variance", "excess_kurtosis", "chi_square", "bins", "p",
        "autocorrelation", "largest_autocorrelation", "lags_outside_band",
    }  # fmt: skip


def test_seed_initialises_the_lfsrs_as_learn_does(capsys: pytest.CaptureFixture[str]) -> None:
    reports = []
    for seed in (3, 4):
        assert bitlif("tiny", "--draws", "1000", "--seed", str(seed), "--json") == 0
        reports.append(strict_json(capsys.readouterr().out))
        config = Config.load("tiny").seeded(seed)
        assert reports[-1] == describe_noise(config, measure_draws(config, 1000))
        assert reports[-1]["streams"]["lanes"][0]["state"] == config.noise.lfsr.seed
    # Only where the streams start differs, and so what is measured.
    assert reports[0]["measured"] != reports[1]["measured"]
    assert reports[0]["distribution"] == reports[1]["distribution"]


def colours_in(image: np.ndarray, colour: str) -> int:
    # A PNG keeps colours in 1/255; half of that tells neighbours apart.
    near = np.abs(image[..., :3] - np.array(to_rgb(colour))).max(axis=-1) < 0.5 / 255
    return int(near.sum())


@pytest.mark.parametrize("name", OFFERED_BY_BOTH)
def test_out_writes_the_report_and_a_picture(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "folder"
    assert bitlif(name, "--draws", "5000", "--out", str(out), "--json") == 0
    assert strict_json((out / "noise.json").read_text()) == strict_json(capsys.readouterr().out)
    assert {path.name for path in out.iterdir()} == {"noise.json", "noise.png"}
    image = imread(out / "noise.png")
    # Each panel has axes in black and something in colour.
    rows, columns = (2, 2) if Config.load(name).layer.lanes > 1 else (1, 3)
    for band in np.array_split(image, rows, axis=0):
        for panel in np.array_split(band, columns, axis=1):
            assert colours_in(panel, BLACK) > 0
            assert (np.ptp(panel[..., :3], axis=-1) > 0).any()
    left, right = np.array_split(image, columns, axis=1)[:2]
    for panel in (left, right):
        assert colours_in(panel, BLUE) > 0
        assert colours_in(panel, ORANGE) > 0
    # The cut-off stands in the logarithmic panel.
    assert colours_in(right, VERMILION) > 0


def test_pictures_of_different_noise_differ(tmp_path: Path) -> None:
    images = []
    for name in ("tiny", "digits"):
        bitlif(name, "--draws", "1000", "--out", str(tmp_path / name))
        images.append(imread(tmp_path / name / "noise.png"))
    assert images[0].shape == images[1].shape
    assert not np.array_equal(*images)


def test_second_run_replaces_only_its_files(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for draws in ("1000", "2000"):
        bitlif("tiny", "--draws", draws, "--out", str(tmp_path))
    assert strict_json((tmp_path / "noise.json").read_text())["measured"]["draws"] == 2000
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_tables_show_the_source_beside_the_gaussian(capsys: pytest.CaptureFixture[str]) -> None:
    assert bitlif("digits", "--draws", "1000") == 0
    lines = capsys.readouterr().out.splitlines()

    def cells(start: str) -> list[str]:
        (line,) = (line for line in lines if line.startswith(f"│ {start} "))
        return [cell.strip() for cell in line.strip("│").split("│")]

    assert cells("cut-off (sigma)")[1:] == ["3.4506", "none"]
    assert cells("excess kurtosis")[1:] == ["-0.30001", "0"]
    assert cells("P(beyond 4 sigma)")[1:] == ["0", "6.334e-05"]
    # Twenty phases of one sigma are one row.
    assert cells("0 ..= 19")[1] == "0.25"
    assert any("period of 4294967295 draws" in line for line in lines)
    # Five slots of 32 bits: 5 divides 2**32 - 1.
    assert "the draws of a neuron repeat after 858993459 steps" in lines


def test_first_example_of_the_help_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        parser().parse_args(["noise", "--help"])
    first = capsys.readouterr().out.partition("examples:\n")[2].splitlines()[0]
    monkeypatch.chdir(tmp_path)
    assert shlex.split(first)[:2] == ["bitlif", "noise"]
    assert bitlif(*shlex.split(first)[2:]) == 0
    assert "measured: 1000000 draws per lane" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_invalid_arguments_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BitlifError, match=r"^--draws must be in 1000 \.\.= 1000000000, not 999$"):
        bitlif("tiny", "--draws", "999")
    with pytest.raises(BitlifError, match=r"^--seed must be in 0 \.\.= 2147483647, not -1$"):
        bitlif("tiny", "--seed", "-1")
    with pytest.raises(BitlifError, match=r"not 'tyny', did you mean 'tiny'\?$"):
        bitlif("tyny")
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(BitlifError, match=r"^--out must be a folder, not the file '.*file'$"):
        bitlif("tiny", "--out", str(file))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("scipy.special", r"^the chi-square test needs SciPy, .*: pip install '.*'scipy>=1.14'$"),
        ("matplotlib.figure", r"^pictures need Matplotlib, .*: pip install 'matplotl"),
    ],
)
def test_missing_package_is_named_before_anything_is_written(
    module: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BitlifError, match=message):
        bitlif("tiny", "--out", str(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_report_without_a_picture_needs_no_matplotlib(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert bitlif("tiny", "--draws", "1000", "--json") == 0
    assert strict_json(capsys.readouterr().out)["config"] == "tiny"
