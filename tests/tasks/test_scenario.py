"""Windows for a core, read back from a file that others may have written."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError
from bitlif.scripts.main import main
from bitlif.sim.cocotb.cosim import Sample, save_task
from bitlif.tasks.scenario import Work
from bitlif.tasks.stimulus import random_work

TINY = Config.load("tiny")


def saved(folder: Path, **changes: Any) -> Path:
    """Write a task of two windows, with some of its arrays changed or (None) left out."""
    path = folder / "task.npz"
    save_task(random_work(TINY, 3, 2, stall=0.25), path, Sample())
    with np.load(path) as data:
        arrays = {name: data[name] for name in data} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.mark.parametrize("learning", [True, False])
def test_saved_scenario_is_read_back(learning: bool, tmp_path: Path) -> None:
    work = random_work(TINY, 3, 2, stall=0.25)
    work = dataclasses.replace(work, learning=learning, learn=learning, false_starts=(3, 70))
    save_task(work, tmp_path / "task.npz", Sample())
    again = Work.load(TINY, tmp_path / "task.npz")
    np.testing.assert_array_equal(again.weights, work.weights)
    np.testing.assert_array_equal(again.events.raster(), work.events.raster())
    if work.takes_targets:
        assert again.targets is not None
        assert work.targets is not None
        np.testing.assert_array_equal(
            again.targets, np.broadcast_to(work.targets, again.targets.shape)
        )
    for name in ("learning", "learn", "stall", "seed", "false_starts"):
        assert getattr(again, name) == getattr(work, name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": None}, r" must hold the array weights$"),
        ({"stall": None}, r" must hold the array stall$"),
        ({"weights": np.zeros((4, 6), int)}, r": weights must be integers of shape .* = \(6, 4\),"),
        ({"weights": np.full((6, 4), 32)}, r": weights must be in -32 \.\.= 31, not 32$"),
        ({"weights": np.zeros((6, 4))}, r": weights must be integers of shape .*, not float64"),
        ({"windows": [2]}, r": windows must be of shape \(\), not int64 of shape \(1,\)$"),
        ({"windows": 2.0}, r": windows must be an integer in 1 \.\.= 100000, not 2\.0$"),
        ({"windows": 0}, r": windows must be in 1 \.\.= 100000, not 0$"),
        ({"windows": 3}, r": pointers must be of shape \(49,\), not int64 of shape \(33,\)$"),
        ({"windows": 1 << 62}, r": windows must be in 1 \.\.= 100000, not 4611686018427387904$"),
        ({"pointers": np.zeros(33, int)}, r": pointers must rise from 0 to the number of addr"),
        ({"pointers": np.zeros((33, 1), int)}, r": pointers must be of shape \(33,\), not int64"),
        ({"pointers": np.zeros(33), "addresses": np.zeros(0, int)},
         r": pointers must be integers in one dimension, not float64 of shape \(33,\)$"),
        ({"addresses": np.zeros((3, 3), int)}, r": addresses must have at most 192 values"),
        ({"addresses": np.zeros(193, int)}, r": addresses must have at most 192 values"),
        ({"targets": np.zeros((31, 4), int)}, r": targets must be of shape \(32, 4\), not int64"),
        ({"targets": np.full((32, 4), 17)}, r": targets must be in 0 \.\.= 16, not 17$"),
        ({"targets": np.zeros((0, 0), int)}, r": targets must not be empty"),
        ({"learning": 1}, r": learning must be true or false, not 1$"),
        ({"learn": "yes"}, r": learn must be true or false, not 'yes'$"),
        ({"stall": np.nan}, r": stall must be in 0 \.\.= 0\.99, not nan$"),
        ({"stall": 1.0}, r": stall must be in 0 \.\.= 0\.99, not 1\.0$"),
        ({"seed": -1}, r": seed must be in 0 \.\.= 2147483647, not -1$"),
        ({"seed": np.array(3, "M8[s]")}, r": seed must be an integer in "),
        ({"false_starts": [1 << 40]}, r": false_starts must be in 0 \.\.= 10000000, not 1099"),
        ({"false_starts": [0.5]}, r": false_starts must be an integer in 0 \.\.= 10000000, not 0"),
        ({"false_starts": np.zeros(101, int)}, r": false_starts must have at most 100 values"),
        ({"seed": np.array([None])}, r" must hold plain numbers, not Python objects as in 'seed'$"),
    ],
    ids=range(28),
)  # fmt: skip
def test_scenario_that_does_not_fit_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BitlifError, match=rf"^replay '.*task\.npz'{message}"):
        Work.load(TINY, saved(tmp_path, **changes))


@pytest.fixture
def replay(tmp_path: Path) -> Path:
    """Make a folder that looks as if verify had left it."""
    folder = tmp_path / "replay"
    folder.mkdir()
    saved(folder)
    (folder / "config.toml").write_text(dump_config(TINY))
    (folder / "core.sv").write_text("module bitlif_tiny; endmodule\n")
    (folder / "difference.json").write_text("{}\n")
    return folder


@pytest.mark.parametrize(
    "damage",
    [
        "rm config.toml", "rm task.npz", "truncate -s 0 task.npz",
        "truncate -s 400 task.npz", "cp task.npz config.toml", "cp config.toml task.npz",
        "rm config.toml; mkfifo config.toml", "rm task.npz; mkfifo task.npz",
        "rm core.sv; mkfifo core.sv", "cp task.npz core.sv", "rm task.npz; mkdir task.npz",
        "ln -sf /dev/zero task.npz", "ln -sf /dev/zero core.sv", "ln -sf nowhere task.npz",
        "echo '[layer]\nneurons = 5' > config.toml", "rm -r $PWD; touch $PWD",
        "printf '\\377' > core.sv", "truncate -s 70000000 core.sv", "rm -r $PWD",
    ],
)  # fmt: skip
def test_damaged_file_raises_one_sentence(
    damage: str, replay: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["sh", "-c", damage], cwd=replay, check=True)
    assert main(["verify", "--replay", str(replay), "--simulator", "icarus"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("bitlif verify: ")
    assert said.err.count("\n") == 1
