"""The registry of tasks: by name, by entry point, or by ``MODULE:NAME``."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from importlib import metadata

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer
from bitlif.model.errors import BitlifError, BitlifTypeError, nearest_of
from bitlif.model.text import quoted, shortened, terminal_text

from .digits import DigitsTask
from .gunpoint import GunPointTask
from .patterns import PatternsTask
from .randman import RandmanTask
from .task import Measure, Task
from .teacher import HiddenTeacher
from .yin_yang import YinYangTask

ENTRY_POINTS = "bitlif.tasks"
"""Group of entry points in which an installed package names its tasks."""

BUILT_IN = ("digits", "teacher", "patterns", "yin_yang", "randman", "gunpoint")
"""Names of the tasks that come with bitlif."""

_TASKS: dict[str, Task] = {}


def register(task: Task) -> Task:
    """Add a task to the registry, in this process, under its name; return it.

    A task of the same name is replaced. Other processes, such as the workers of a study, find a
    task by its entry point (group ``bitlif.tasks``) or by ``"MODULE:NAME"``.

    Raises
    ------
    BitlifError
        If it is not a `Task`, its name is not made of letters, digits, - and _, or it has no
        measures.
    """
    if not isinstance(task, Task):
        raise BitlifTypeError(f"task must be a Task, not {quoted(task)}")
    _TASKS[_checked(task).name] = task
    return task


def names() -> list[str]:
    """Return the names of all registered tasks and of those of installed packages."""
    offered = (point.name for point in metadata.entry_points(group=ENTRY_POINTS))
    return list(dict.fromkeys((*_TASKS, *offered)))


def get(task: Task | str) -> Task:
    """Return a task by its name, or by ``"MODULE:NAME"``; a `Task` is returned unchanged.

    NAME is a task, a subclass of `Task`, or a function that returns a task. Functions are called
    once, without arguments.

    Raises
    ------
    BitlifError
        If there is no such task, the module cannot be imported, or the task lacks a valid name or
        measures.
    """
    if isinstance(task, Task):
        return _checked(task)
    if not isinstance(task, str):
        raise BitlifTypeError(f"task must be a Task or a name, not {quoted(task)}")
    if task in _TASKS:
        return _TASKS[task]
    for point in metadata.entry_points(group=ENTRY_POINTS):
        if point.name == task:
            return _imported(task, point.load)
    module, colon, name = task.partition(":")
    if not colon:
        raise BitlifError(
            f"task must be one of {', '.join(names())} or MODULE:NAME, "
            f"not {quoted(task)}{nearest_of(shortened(task), names())}"
        )
    return _imported(task, lambda: getattr(importlib.import_module(module), name))


def default_task(config: Config | NetworkConfig) -> Task:
    """Return the task whose ready-made configuration this is, or else one that fits.

    Of registered tasks that name this configuration as theirs (`Task.config`), or else of all, it
    is the first that the layer or the network can learn.

    Raises
    ------
    BitlifError
        If none fits a network; one fits every layer.
    """
    network, seen = isinstance(config, NetworkConfig), outer(config)
    known = [task for task in _TASKS.values() if task.networks or not network]
    own = [task for task in known if task.config and task.config == config.name]
    for task in (*own, *known):
        if task.fits(seen):
            return task
    raise BitlifError(
        f"a task must be named: none of {', '.join(_TASKS)} fits a network of {seen.layer.inputs} "
        f"inputs and {seen.layer.neurons} outputs"
    )


def _imported(name: str, find: Callable[[], object]) -> Task:
    """Return the task that `find` imports; a class or function is called without arguments."""
    done = "imported"
    try:
        made = find()
        if isinstance(made, type) and issubclass(made, Task):
            done = "created"
            made = made()
        elif callable(made) and not isinstance(made, Task | type) and _needs_no_argument(made):
            done = "created"
            made = _called(made)
    # The module is the user's code: it can raise anything, and even exit.
    except (Exception, SystemExit) as error:
        reason = shortened(terminal_text(f"{type(error).__name__}: {error}"))
        package = name.partition(":")[0].partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            reason += "; it must be installed, or its absolute folder be in PYTHONPATH"
        raise BitlifError(f"task {quoted(name)} cannot be {done}: {reason}") from error
    if not isinstance(made, Task):
        raise BitlifTypeError(f"task {quoted(name)} must be a Task, not {quoted(made)}")
    return _checked(made)


def _needs_no_argument(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):  # it needs arguments, or has no signature
        return False
    return True


@functools.cache
def _called(function: Callable[[], object]) -> object:
    """Return what a function returns; it is called once in each process."""
    return function()


def _checked(task: Task) -> Task:
    """Return a task, or raise unless it has a valid name and measures."""
    name = getattr(task, "name", None)
    if not isinstance(name, str) or not name.replace("-", "").replace("_", "").isalnum():
        raise BitlifError(f"a task's name must be letters, digits, - and _, not {quoted(name)}")
    measures = getattr(task, "measures", None)
    if not (
        isinstance(measures, tuple) and measures and all(isinstance(m, Measure) for m in measures)
    ):
        raise BitlifError(
            f"measures of task {quoted(name)} must be a tuple of at least one Measure, "
            f"not {quoted(measures, 60)}"
        )
    return task


# The first task that fits a layer is the default. The teacher fits layers of any size.
register(DigitsTask())
register(HiddenTeacher())
# After the teacher, so that only their own configurations learn these tasks by default.
register(PatternsTask())
register(YinYangTask())
register(RandmanTask())
register(GunPointTask())
