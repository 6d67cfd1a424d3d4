"""The registry of tasks: by name, by entry point, or by ``MODULE:NAME``."""

from __future__ import annotations

import importlib
from importlib import metadata

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, BitlifTypeError, nearest_of
from bitlif.model.text import quoted, shortened, terminal_text

from .digits import DigitsTask
from .task import Task
from .teacher import HiddenTeacher

ENTRY_POINTS = "bitlif.tasks"
"""Group of entry points in which an installed package names its tasks."""

BUILT_IN = ("digits", "teacher")
"""Names of the tasks that come with bitlif."""

_TASKS: dict[str, Task] = {}


def register(task: Task) -> Task:
    """Add a task to the registry, in this process, under its name; return it.

    A task of the same name is replaced. Other processes, such as the workers of a study, find a
    task by its entry point (group ``bitlif.tasks``) or by ``"MODULE:NAME"``.

    Raises
    ------
    BitlifError
        If it is not a `Task`, or its name is not made of letters, digits, - and _.
    """
    if not isinstance(task, Task):
        raise BitlifTypeError(f"task must be a Task, not {quoted(task)}")
    if not task.name.replace("-", "").replace("_", "").isalnum():
        raise BitlifError(
            f"a task's name must be letters, digits, - and _, not {quoted(task.name)}"
        )
    _TASKS[task.name] = task
    return task


def names() -> list[str]:
    """Return the names of all registered tasks, and of those that installed packages offer."""
    offered = (point.name for point in metadata.entry_points(group=ENTRY_POINTS))
    return list(dict.fromkeys((*_TASKS, *offered)))


def get(task: Task | str) -> Task:
    """Return a task by its name, or by ``"MODULE:NAME"``; a task itself is returned as it is.

    Raises
    ------
    BitlifError
        If there is no such task, or the module cannot be imported.
    """
    if isinstance(task, Task):
        return task
    if not isinstance(task, str):
        raise BitlifTypeError(f"task must be a Task or a name, not {quoted(task)}")
    if task in _TASKS:
        return _TASKS[task]
    for point in metadata.entry_points(group=ENTRY_POINTS):
        if point.name == task:
            return _checked(task, point.load())
    module, colon, name = task.partition(":")
    if not colon:
        raise BitlifError(
            f"task must be one of {', '.join(names())} or MODULE:NAME, "
            f"not {quoted(task)}{nearest_of(shortened(task), names())}"
        )
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        reason = shortened(terminal_text(error))
        raise BitlifError(f"task {quoted(task)} cannot be imported: {reason}") from error
    return _checked(task, found)


def default_task(config: Config) -> Task:
    """Return the first registered task that a layer of this configuration can learn."""
    return next(task for task in _TASKS.values() if task.fits(config))


def _checked(name: str, found: object) -> Task:
    made = found() if isinstance(found, type) else found
    if not isinstance(made, Task):
        raise BitlifTypeError(f"task {quoted(name)} must be a Task, not {quoted(made)}")
    return made


# The first that fits is the default: a teacher can be learned by a layer of any size.
register(DigitsTask())
register(HiddenTeacher())
