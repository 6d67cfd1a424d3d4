"""Pictures are the same bytes whatever a user has set in Matplotlib."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.noise_report.draws import measure_draws
from bitlif.scripts.drawing import pictures
from bitlif.scripts.drawing.demo_figure import Shown, draw_demo
from bitlif.scripts.drawing.noise_figure import save_figure
from bitlif.scripts.drawing.pictures import own_style, require_matplotlib
from bitlif.scripts.drawing.quantise_figure import draw_trials
from bitlif.scripts.main import main

HOSTILE: dict[str, Any] = {
    "text.usetex": True,
    "text.parse_math": False,
    "text.antialiased": False,
    "font.family": ["Comic Sans MS"],
    "font.size": 31,
    "figure.dpi": 37,
    "figure.facecolor": "black",
    "figure.autolayout": True,
    "savefig.dpi": 41,
    "savefig.bbox": "tight",
    "savefig.format": "pdf",
    "savefig.transparent": True,
    "axes.grid": True,
    "axes.prop_cycle": matplotlib.cycler(color=["red"]),
    "axes.unicode_minus": False,
    "image.cmap": "jet",
    "image.origin": "lower",
    "lines.linewidth": 9,
    "lines.antialiased": False,
    "path.sketch": (5, 100, 2),
    "xtick.direction": "in",
    "pdf.compression": 0,
    "svg.fonttype": "none",
}

Draw = Callable[[Path], None]


def noise(folder: Path) -> None:
    config = Config.load("tiny")
    save_figure(folder / "noise.png", config, measure_draws(config, 1000))


def demo(folder: Path) -> None:
    raster = np.arange(64 * 10).reshape(64, 10) % 7 == 0
    inputs = Events.from_raster(np.arange(64 * 65).reshape(1, 64, 65) % 5 == 0)
    membrane = np.sin(np.arange(640).reshape(64, 10))
    weights = np.arange(650).reshape(65, 10) / 650.0
    accuracy = {"integer": [0.5, 0.9], "float": [0.6, 0.95]}
    shown = Shown(
        3,
        inputs,
        raster.astype(np.uint8),
        membrane,
        1.0,
        accuracy,
        [0.7, 0.97],
        weights,
        -weights,
        "s8.6",
        True,
    )
    draw_demo(folder / "demo.png", shown)


def bins(folder: Path) -> None:
    assert main(["figures", "--quick", "--only", "bins", "--out", str(folder / "figures")]) == 0


def encoding(folder: Path) -> None:
    spikes, picture = folder / "spikes.npz", folder / "spikes.png"
    assert main(["encode", "sklearn:iris", "-o", str(spikes), "--plot", str(picture)]) == 0


def quantise(folder: Path) -> None:
    trials = [{"accuracy": 1 - 0.01 * bits, "cost": 2 - 0.1 * bits} for bits in range(6)]
    report = {
        "trials": trials, "path": trials[::2], "accuracy": {"before": 1.0}, "windows": 300,
    }  # fmt: skip
    draw_trials(folder / "pareto.png", report)


@pytest.mark.parametrize("draw", [noise, demo, bins, encoding, quantise])
def test_pictures_do_not_depend_on_settings(draw: Draw, tmp_path: Path) -> None:
    made = []
    for name, settings in (("plain", {}), ("hostile", HOSTILE)):
        folder = tmp_path / name
        folder.mkdir()
        with matplotlib.rc_context(settings):
            before = dict(matplotlib.rcParams)
            draw(folder)
            assert dict(matplotlib.rcParams) == before
        made.append({path.name: path.read_bytes() for path in folder.rglob("*.png")})
    assert made[0]
    assert made[0] == made[1]


def test_every_picture_is_drawn_in_our_style() -> None:
    folder = Path(pictures.__file__).parent
    writers = [path for path in folder.glob("*.py") if ".savefig(" in path.read_text("utf-8")]
    assert {path.stem for path in writers} == {
        "demo_figure", "encoding_figure", "noise_figure", "quantise_figure", "report_figure",
        "waveform_figure", "figure_style",
    }  # fmt: skip
    for path in writers:
        # `save_page` is called by `figures` alone, in that style.
        user = folder.parent / "figures.py" if path.stem == "figure_style" else path
        assert "own_style()" in user.read_text("utf-8"), path.name


COMMAND = [sys.executable, "-P", "-m", "bitlif", "noise", "tiny", "--draws", "1000"]
COMMAND += ["--out", "out"]

RC = """
text.usetex: True
font.family: Comic Sans MS
no.such.key: 7
figure.dpi: lots
savefig.format: pdf
"""


def test_user_settings_do_not_change_the_pictures(tmp_path: Path) -> None:
    folders = [tmp_path / "plain", tmp_path / "hostile"]
    for folder in folders:
        folder.mkdir()
    (folders[1] / "matplotlibrc").write_text(RC)
    environments: list[dict[str, str]] = [
        {},
        {
            "MPLBACKEND": "module://no_such_backend.of_a_notebook", "MATPLOTLIBRC": "/dev/null/no",
            "MPLCONFIGDIR": "/proc/no/such",
        },
    ]  # fmt: skip
    for folder, more in zip(folders, environments, strict=True):
        done = subprocess.run(
            COMMAND, cwd=folder, env={**os.environ, **more},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    first, second = (
        {path.name: path.read_bytes() for path in (folder / "out").glob("*.png")}
        for folder in folders
    )
    assert first
    assert first == second


def test_settings_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_bytes(b"font.family: \xff\xfe\n")
    done = subprocess.run(
        COMMAND, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "bitlif noise: Matplotlib cannot be loaded; look at your matplotlibrc: "
    )
    assert "Traceback" not in done.stderr


def test_backend_of_the_user_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "mine")
    require_matplotlib()
    with own_style():
        assert matplotlib.rcParams["text.usetex"] is False
    assert os.environ["MPLBACKEND"] == "mine"


def test_missing_matplotlib_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(BitlifError, match=r"^reports need it, which is not installed: pip install"):
        require_matplotlib("reports need it", "study")


def test_user_without_a_home_gets_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    monkeypatch.setattr(pictures, "user_cache", lambda: None)
    monkeypatch.setattr(pictures, "own_cache", lambda: tmp_path)
    require_matplotlib()
    assert os.environ["MPLCONFIGDIR"] == str(tmp_path / "matplotlib")
