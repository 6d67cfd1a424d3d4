"""The task of a study file: names, data files, functions, and what is refused."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.files.event_file import save_events
from bitlif.study.search.metrics import DIAGNOSIS
from bitlif.study.search.plan import load_plan, parse_plan
from bitlif.study.search.task_table import StudyTask, read_task
from bitlif.tasks.arrays import ArrayTask
from bitlif.tasks.data_file import Data
from bitlif.tasks.digits import DigitsTask

from study_data import CLASSES, FEATURES, FLASKS, flasks, write_csv, write_study


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_study(tmp_path)
    return tmp_path


def arrays(read: StudyTask) -> ArrayTask:
    assert isinstance(read.task, ArrayTask)
    return read.task


def test_name_is_a_task_without_data() -> None:
    for tree in ("digits", {"name": "digits"}):
        read = read_task(tree, None)
        assert (read.name, read.own, read.task.name) == ("digits", None, "digits")
        # Tables and descriptions of studies with a plain name do not change.
        assert read.diagnosed == isinstance(tree, dict)


def test_file_is_read_beside_the_study(folder: Path) -> None:
    read = read_task({"data": "flasks.csv", "labels": "kind"}, folder)
    task = arrays(read)
    assert task.classes.tolist() == list(CLASSES)
    assert task.data.digest == flasks().digest
    assert (task.test, task.readout, read.diagnosed) == (0.25, "count", True)
    assert read.name.startswith("data@")


def test_sample_needs_no_file(folder: Path) -> None:
    read = read_task({"data": "sklearn:iris"}, folder)
    assert arrays(read).classes.tolist() == ["setosa", "versicolor", "virginica"]
    assert read.own is not None
    assert read.own.source == "sklearn:iris"


def test_options_are_arguments_of_the_task(folder: Path) -> None:
    write_csv(folder / "more.csv", flasks(1))
    read = read_task(
        {
            "data": "flasks.csv", "labels": "kind", "test": "more.csv", "encoder": "population",
            "encoder_options": {"fields": 4}, "true_target": 0.75,
        },
        folder,
    )  # fmt: skip
    task = arrays(read)
    assert isinstance(task.test, Data)
    assert task.test.digest == flasks(1).digest
    assert (task.inputs, task.true_target) == (4 * FEATURES, 0.75)


@pytest.mark.parametrize(
    ("tree", "parts"),
    [
        ({}, ("name", "data")),
        ({"name": "digits", "data": "flasks.csv"}, ("either name", "data")),
        ({"data": "flasks.csv", "label": "kind"}, ("task.label", "labels")),
        ({"data": "flasks.csv"}, ("flasks.csv", "kind")),
        ({"data": "flasks.csv", "labels": "sort"}, ("'sort'", "kind")),
        ({"data": 3}, ("task.data", "3")),
        ({"data": "missing.csv"}, ("missing.csv",)),
        ({"data": "flasks.csv", "labels": "kind", "test": 1.5}, ("task: test", "1.5")),
        ({"data": "flasks.csv", "labels": "kind", "test": "gone.csv"}, ("gone.csv",)),
        ({"data": "flasks.csv", "labels": "kind", "encoder": "rat"}, ("task: encoder", "'rate'")),
        ({"data": "flasks.csv", "labels": "kind", "steps": 0}, ("task.steps", "0")),
        ({"data": "flasks.csv", "labels": "kind", "hidden": [0]}, ("task: hidden", "[0]")),
        ({"name": "digits", "hidden": 8}, ("task.hidden", "left out", "'digits'")),
        ({"name": "digits", "encoder": "rate"}, ("task.encoder", "left out", "'digits'")),
        ({"name": "digit"}, ("'digit'", "did you mean 'digits'")),
        ({"name": "no_module:make"}, ("no_module:make", "cannot be imported")),
        ({"name": 3}, ("task.name", "3")),
        (["digits"], ("task", "digits")),
    ],
)
def test_bad_table_is_refused_in_words(tree: Any, parts: tuple[str, ...], folder: Path) -> None:
    with pytest.raises(BitlifError) as caught:
        read_task(tree, folder)
    for part in parts:
        assert part in str(caught.value)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that makes a module of one function and returns its name."""

    def make(function: Callable[[], Any]) -> str:
        made = types.ModuleType("own_flasks")
        made.__dict__["make"] = function
        monkeypatch.setitem(sys.modules, "own_flasks", made)
        return "own_flasks:make"

    return make


def test_function_may_return_arrays_data_or_a_task(module: Callable[..., str]) -> None:
    data = flasks()
    for made in (data, (data.inputs, data.labels)):
        read = read_task({"name": module(lambda made=made: made), "test": 0.5}, None)
        assert arrays(read).test == 0.5
        assert read.own is not None
        assert read.own.source == "own_flasks:make"
    # The data of an array task travel too, so workers need no module.
    read = read_task({"name": module(lambda: ArrayTask(data, true_target=0.25, name="beer"))}, None)
    assert read.own is not None
    assert (read.own.task().true_target, read.task.name) == (0.25, "beer")
    read = read_task({"name": module(DigitsTask)}, None)
    assert (read.own, read.name, read.task.name) == (None, "own_flasks:make", "digits")


def test_function_that_fails_or_returns_something_else_is_refused(
    module: Callable[..., str],
) -> None:
    with pytest.raises(BitlifError, match="cannot be called: ZeroDivisionError"):
        read_task({"name": module(lambda: 1 // 0)}, None)
    with pytest.raises(BitlifError, match="must return a Task, Data, or a pair"):
        read_task({"name": module(lambda: "digits")}, None)
    with pytest.raises(BitlifError, match=r"task\.readout must be left out"):
        read_task({"name": module(DigitsTask), "readout": "count"}, None)


def test_configuration_is_made_for_the_data(folder: Path) -> None:
    plan, _ = load_plan(folder / "flasks.toml")
    sizes = plan.config.layer
    # Two inputs per feature and a bias.
    assert (sizes.inputs, sizes.neurons) == (2 * FEATURES + 1, len(CLASSES))
    assert plan.config.window.steps == 16
    assert plan.learned.fits(plan.config)
    longer = parse_plan(FLASKS.replace("epochs = 2\n", "").replace("steps = 16\n", ""), "x", folder)
    assert (longer.length, longer.config.window.steps) == (longer.learned.epochs, 64)


def test_hidden_layers_make_a_network_for_the_data(folder: Path) -> None:
    text = FLASKS.replace("steps = 16\n", "steps = 16\nhidden = [6, 4]\n").replace(
        "synapse.weight.bits", "layer.1.synapse.weight.bits"
    ).replace("schedule.sigma", "layer.*.schedule.sigma")  # fmt: skip
    plan = parse_plan(text, "x", folder)
    assert isinstance(plan.config, NetworkConfig)
    sizes = [own.config.layer for own in plan.config.layers]
    assert [(own.inputs, own.neurons) for own in sizes] == [(7, 6), (6, 4), (4, 3)]
    assert plan.config.outer.window.steps == 16
    with pytest.raises(BitlifError, match=r"task\.hidden must be left out unless config = 'auto'"):
        parse_plan(f'config = "digits"\n{text.replace("steps = 16", "")}', "x", folder)


def test_configuration_of_other_sizes_is_refused(folder: Path) -> None:
    text = FLASKS.replace("steps = 16\n", "")
    with pytest.raises(BitlifError, match=r"needs a layer of 7 inputs and 3 neurons"):
        parse_plan(f'config = "digits"\n{text}', "x", folder)
    with pytest.raises(BitlifError, match=r"task\.steps must be left out unless config = 'auto'"):
        parse_plan(f'config = "digits"\n{FLASKS}', "x", folder)
    with pytest.raises(BitlifError, match="config = 'auto' needs own data"):
        parse_plan('config = "auto"\n[[axis]]\nfield="noise.words"\nvalues=[1]', "x", folder)


def test_ready_spikes_set_the_steps(tmp_path: Path) -> None:
    raster = np.random.default_rng(0).random((12, 10, 5)) < 0.4
    save_events(tmp_path / "spikes.npz", Events.from_raster(raster))
    with np.load(tmp_path / "spikes.npz") as file:
        parts = dict(file)
    np.savez(tmp_path / "spikes.npz", **parts, y=np.arange(12) % 2)
    text = '[task]\ndata = "spikes.npz"\n[[axis]]\nfield="noise.words"\nvalues=[1]\n'
    plan = parse_plan(text, "x", tmp_path)
    assert (plan.config.window.steps, plan.config.layer.inputs) == (10, 5)
    with pytest.raises(BitlifError, match=r"task\.steps must be 10"):
        parse_plan(text.replace('"spikes.npz"\n', '"spikes.npz"\nsteps = 11\n'), "x", tmp_path)


def test_chance_is_measured_for_every_table(folder: Path) -> None:
    plan, _ = load_plan(folder / "flasks.toml")
    assert plan.extras == ("diagnosis",)
    assert plan.metrics[-len(DIAGNOSIS) :] == DIAGNOSIS
    table = '[task]\nname = "digits"\n[[axis]]\nfield="noise.words"\nvalues=[1]\n'
    assert parse_plan(table, "x").extras == ("diagnosis",)
    assert parse_plan(table.replace("[task]\nname", "task"), "x").extras == ()
