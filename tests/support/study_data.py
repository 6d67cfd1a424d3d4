"""Small data of three classes, and studies of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bitlif.study.search.plan import load_plan
from bitlif.study.search.run import run_study
from bitlif.study.search.store import open_store
from bitlif.tasks.data_file import Data

from study_plans import Here

WINDOWS, FEATURES, CLASSES = 36, 3, ("ale", "bock", "kriek")

FLASKS = """\
name = "flasks"
epochs = 2
seeds = [3, 1]
objectives = ["accuracy", "bits"]

[task]
data = "flasks.csv"
labels = "kind"
test = 0.25
steps = 16

[[axis]]
field = "synapse.weight.bits"
values = [4, 8]

[[axis]]
field = "schedule.sigma"
values = [0.1, 0.4]
"""
"""Four points that take milliseconds."""


def flasks(seed: int = 0) -> Data:
    """Return a table of three classes that the means of the features tell apart."""
    random = np.random.default_rng(seed)
    kinds = np.arange(WINDOWS) % len(CLASSES)
    values = random.normal(0.0, 0.5, (WINDOWS, FEATURES))
    values[np.arange(WINDOWS), kinds] += 2.0
    return Data.of(values.round(3), [CLASSES[kind] for kind in kinds], ("a", "b", "c"))


def unrelated() -> Data:
    """Return the same table with labels that have nothing to do with it."""
    data = flasks()
    labels = np.random.default_rng(5).permutation(data.labels)
    return Data(data.inputs, labels, data.names)


def write_csv(path: Path, data: Data) -> None:
    """Write a table with its labels in a column ``kind``."""
    assert data.labels is not None
    assert not hasattr(data.inputs, "addresses")
    rows = [",".join((*data.names, "kind"))]
    for values, label in zip(data.inputs, data.labels, strict=True):
        rows.append(",".join((*map(repr, map(float, values)), str(label))))
    path.write_text("\n".join(rows) + "\n", "utf-8")


def write_study(folder: Path, text: str = FLASKS, data: Data | None = None) -> Path:
    """Write a study file with its data beside it; return the path of the study file."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "flasks.csv", flasks() if data is None else data)
    file = folder / "flasks.toml"
    file.write_text(text, "utf-8")
    return file


def run_here(folder: Path, data: Data | None = None) -> Path:
    """Run the study `FLASKS` in this process; return its folder."""
    plan, text = load_plan(write_study(folder, data=data))
    with open_store(folder / "s", text, own=plan.own) as store:
        run_study(plan, store, Here())
    return folder / "s"
