"""The plan of a study, as its file describes it: task, axes, search and measurements.

A study file is TOML::

    name = "weight-bits"
    title = "How few bits can a weight have?"
    config = "digits"              # ready-made name, or a TOML file beside this one; or a network
    task = "digits"                # or "teacher", "module:Class", or a table [task]
    epochs = 3                     # of the digits; "windows" for the teacher
    seeds = [0, 1, 2]              # each point is run with each
    search = "grid"                # or "random" or "guided", with points = ...
    objectives = ["accuracy", "bits"]
    measure = ["float", "estimate"]    # in addition to the basic metrics
    board = "icebreaker"           # for "estimate" and "synthesis"

    [set]                          # edits of the configuration for all points
    "schedule.sigma" = 0.25

    [[axis]]
    field = "synapse.weight.bits"
    values = [3, 4, 6, 8]

See `bitlif.study.search.axis` for kinds of axes, `bitlif.study.search.space` for fields, and
`bitlif.study.search.task_table` for tasks of your own data.
"""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitlif.model.config.config import ready_made, ready_made_networks
from bitlif.model.config.network import NetworkConfig, load_any_config, outer
from bitlif.model.config.toml import read_source
from bitlif.model.config.toml_tree import parse_toml
from bitlif.model.errors import (
    BitlifError,
    BitlifTypeError,
    located,
    nearest_of,
    require_choice,
    require_int,
)
from bitlif.model.text import quoted, shortened, terminal_text
from bitlif.tasks import registry
from bitlif.tasks.task import Task

from .area import require_board
from .axis import Axis, read_axis, require_name
from .base import AnyConfig, dump_base
from .metrics import EXTRAS, OF_GATES, Metric, metrics_of
from .own_data import OwnData
from .space import Edits, apply_edits, is_drawn, read_edits
from .task_table import StudyTask, read_task, suited

READY = importlib.resources.files("bitlif.study")
SEARCHES = ("grid", "random", "guided")
AUTO = "auto"
"""Name of the configuration that is made for own data."""

COMMON = ("name", "title", "config", "task", "seeds", "search", "points", "seed", "batch",
          "objectives", "measure", "board", "set", "axis")  # fmt: skip

MAX_AXES, MAX_SEEDS, MAX_RUNS = 64, 4096, 1 << 18
"""Limits of a study. Before the first run starts, every run takes about 30 us and 1 KB."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A validated study.

    Attributes
    ----------
    name, title : str
    config : Config or NetworkConfig
        Base configuration, with the edits of ``[set]`` applied.
    task : str
        Name of the task, as `bitlif.study.search.own_data.task_of` takes it.
    length : int
        Epochs or windows.
    seeds : tuple of int
    search : str
    points : int
        Points of a random or guided search; 0 for a grid.
    seed : int
        Seed of the search.
    batch : int
        Points that a guided search requests before it uses their results. It is part of the study:
        the points do not depend on the number of workers.
    objectives : tuple of str
    extras : tuple of str
    board : str
    axes : tuple of Axis
    learned : Task
        The task itself.
    own : OwnData or None
        The data, if the task is one of own data.
    """

    name: str
    title: str
    config: AnyConfig
    task: str
    length: int
    seeds: tuple[int, ...]
    search: str
    points: int
    seed: int
    batch: int
    objectives: tuple[str, ...]
    extras: tuple[str, ...]
    board: str
    axes: tuple[Axis, ...]
    learned: Task
    own: OwnData | None = None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics in the order of the columns."""
        return metrics_of(self.learned, self.extras, network=isinstance(self.config, NetworkConfig))

    @property
    def size(self) -> int:
        """Number of points."""
        if self.search != "grid":
            return self.points
        product = 1
        for axis in self.axes:
            product *= axis.count
        return product

    def metric(self, name: str) -> Metric:
        """Return the metric with a name."""
        return next(metric for metric in self.metrics if metric.name == name)

    def describe(self, points: list[Edits], *, complete: bool) -> dict[str, Any]:
        """Return the description of the study for a file of results, as plain JSON data."""
        return {
            "name": self.name,
            "title": self.title,
            "config": dump_base(self.config),
            "task": self.task if self.own is None else self.learned.name,
            **({} if self.own is None else {"data": self.own.describe()}),
            self.learned.length_field: self.length,
            "seeds": list(self.seeds),
            "search": self.search,
            "axes": [
                {
                    "name": axis.name, "fields": list(axis.fields), "kind": axis.kind,
                    "unit": axis.unit, "log": axis.log,
                    **({"labels": list(axis.labels)} if axis.labels else {}),
                }
                for axis in self.axes
            ],
            "objectives": [
                {"name": name, "direction": self.metric(name).direction}
                for name in self.objectives
            ],
            "measure": list(self.extras),
            "board": self.board or None,
            "metrics": [
                {
                    "name": metric.name, "title": metric.title, "unit": metric.unit,
                    "direction": metric.direction,
                }
                for metric in self.metrics
            ],
            "points": points,
            "complete": complete,
        }  # fmt: skip


def ready_studies() -> list[str]:
    """Return the names of the ready-made studies."""
    return sorted(item.name[:-5] for item in READY.iterdir() if item.name.endswith(".toml"))


def load_plan(source: str | Path) -> tuple[Plan, str]:
    """Read a study file, or a ready-made one by its name; return it with its text.

    Raises
    ------
    BitlifError
        If there is no such file or name, it is not TOML, or a field is refused.
    """
    content, origin, folder = read_source("study", source, READY, ready_studies())
    return parse_plan(content, origin, folder), content


def parse_plan(content: str, origin: str, folder: Path | None = None) -> Plan:
    """Return the study in TOML text; `origin` is for errors, `folder` holds its configuration."""
    tree = parse_toml(content, origin)
    with located(origin):
        return _read(tree, folder)


def _read(tree: dict[str, Any], folder: Path | None) -> Plan:
    source = read_task(tree.get("task", "digits"), folder)
    task, learned = source.name, source.task
    length_field = learned.length_field
    for name in tree:
        if name not in (*COMMON, length_field):
            known = (*COMMON, length_field)
            hint = nearest_of(shortened(name), known) or f"; known are {', '.join(known)}"
            raise BitlifError(f"{terminal_text(shortened(name))} is not a field of a study{hint}")
    name = _text(tree, "name", "study")
    if not name.replace("-", "").replace("_", "").isalnum():
        raise BitlifError(f"name must be of letters, digits, - and _, not {quoted(name)}")
    # The data of most people are small: a study of them trains as long as `bitlif learn` does.
    usual = learned.study_epochs if source.own is None else learned.epochs
    length = require_int(length_field, tree.get(length_field, usual), 1, 1 << 20)
    seeds = _seeds(tree.get("seeds", [0]))
    base = _base(tree, folder, source, length, seeds[0])
    config = apply_edits(base, read_edits(tree.get("set", {}), base, "set"))
    learned.check(outer(config))
    search = require_choice("search", tree.get("search", "grid"), SEARCHES)
    if (search == "grid") == ("points" in tree):
        raise BitlifError(
            "points must be given for a random or guided search and left out for a grid"
        )
    if search != "guided" and "batch" in tree:
        raise BitlifError(f"batch must be left out for search = '{search}', which is not guided")
    if search == "grid" and "seed" in tree:
        raise BitlifError("seed must be left out for a grid, which draws nothing")
    axes = _axes(tree, config, learned)
    network = isinstance(config, NetworkConfig)
    extras = _extras(tree, diagnosed=source.diagnosed, network=network)
    plan = Plan(
        name=name,
        title=_text(tree, "title", name),
        config=config,
        task=task,
        length=length,
        seeds=seeds,
        search=search,
        points=require_int("points", tree.get("points", 0), 0, MAX_RUNS),
        seed=require_int("seed", tree.get("seed", 0), 0, (1 << 31) - 1),
        batch=require_int("batch", tree.get("batch", 8), 1, 1 << 10),
        objectives=_objectives(tree, learned, extras, network=network),
        extras=extras,
        board=_board(tree, extras),
        axes=axes,
        learned=learned,
        own=source.own,
    )
    runs = plan.size * len(plan.seeds)
    if not 1 <= runs <= MAX_RUNS:
        raise BitlifError(
            f"a study must have 1 ..= {MAX_RUNS} runs (points times seeds), not {quoted(runs)}"
        )
    return plan


def _text(tree: dict[str, Any], name: str, usual: str) -> str:
    return require_name(name, tree.get(name, usual))


def _base(
    tree: dict[str, Any], folder: Path | None, task: StudyTask, length: int, seed: int
) -> AnyConfig:
    """Return the base configuration: of a file, or made for the data of the first seed."""
    source = _text(tree, "config", "digits" if task.own is None else AUTO)
    if source == AUTO:
        return suited(task, epochs=length, seed=seed)
    for option, given in (("steps", task.steps), ("hidden", task.hidden)):
        if given:
            raise BitlifError(f"task.{option} must be left out unless config = '{AUTO}'")
    if folder is None or source in (*ready_made(), *ready_made_networks()):
        return load_any_config(source)
    return load_any_config(folder / source)


def _seeds(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise BitlifTypeError(f"seeds must be a list of integers, not {quoted(value)}")
    if len(value) > MAX_SEEDS:
        raise BitlifError(f"seeds must be at most {MAX_SEEDS}, not {len(value)}")
    seeds = tuple(require_int("seeds", seed, 0, (1 << 30) - 1) for seed in value)
    if len(set(seeds)) != len(seeds):
        raise BitlifError(f"seeds must differ from each other, not be {quoted(value)}")
    return tuple(sorted(seeds))


def _axes(tree: dict[str, Any], config: AnyConfig, task: Task) -> tuple[Axis, ...]:
    listed = tree.get("axis", [])
    if not isinstance(listed, list) or not listed:
        raise BitlifTypeError("a study must have at least one [[axis]]")
    if len(listed) > MAX_AXES:
        raise BitlifError(f"a study must have at most {MAX_AXES} axes, not {len(listed)}")
    axes = tuple(read_axis(table, config, f"axis[{number}]") for number, table in enumerate(listed))
    names = [axis.name for axis in axes]
    fields = [name for axis in axes for name in axis.fields]
    for what, words in (("names", names), ("fields", fields)):
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            raise BitlifError(f"{what} of axes must differ: '{twice[0]}' occurs twice")
    for name in fields:
        if is_drawn(name):
            raise BitlifError(f"'{name}' must not vary: it follows from the seed of the run")
    all_tasks: list[Task | str] = [*registry.names(), task]
    reserved = {"point", "seed", "key", "error"} | {
        metric.name
        for known in all_tasks
        for network in (True, False)
        for metric in metrics_of(known, EXTRAS, network=network)
    }
    for name in names:
        if name in reserved:
            raise BitlifError(
                f"an axis must not be named '{name}', which is a column of the results"
            )
    return axes


def _extras(tree: dict[str, Any], *, diagnosed: bool, network: bool) -> tuple[str, ...]:
    listed = tree.get("measure", [])
    if not isinstance(listed, list):
        raise BitlifTypeError(f"measure must be a list of words, not {quoted(listed)}")
    words = tuple(require_choice("measure", word, EXTRAS) for word in listed)
    for word in words:
        if network and word == "synthesis":
            raise BitlifError(
                "measure must not have 'synthesis' in a study of a network: use 'estimate'"
            )
    if set(OF_GATES) <= set(words):
        raise BitlifError("measure must be one of 'estimate' and 'synthesis', not both")
    return tuple(word for word in EXTRAS if word in words or (diagnosed and word == "diagnosis"))


def _objectives(
    tree: dict[str, Any], task: Task, extras: tuple[str, ...], *, network: bool
) -> tuple[str, ...]:
    listed = tree.get("objectives", [task.score.name])
    if not isinstance(listed, list) or not listed:
        raise BitlifTypeError(f"objectives must be a list of metrics, not {quoted(listed)}")
    measured = [metric.name for metric in metrics_of(task, extras, network=network)]
    words = [require_choice("objectives", word, measured) for word in listed]
    return tuple(dict.fromkeys(words))


def _board(tree: dict[str, Any], extras: tuple[str, ...]) -> str:
    board = tree.get("board", "")
    if set(OF_GATES) & set(extras):
        if not board:
            raise BitlifError("board must be given with 'estimate' and 'synthesis'")
        require_board(board)
    elif board:
        raise BitlifError("board must be left out where neither estimate nor synthesis is measured")
    return str(board)
