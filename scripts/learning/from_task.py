"""Training on a task, registered or made from own data."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from typing import Any

import numpy as np

from bitlif import tasks
from bitlif.model.config.network import outer
from bitlif.model.errors import BitlifTypeError
from bitlif.model.text import quoted
from bitlif.scripts.console.terminal import progress_bars
from bitlif.scripts.support.resume import Earlier, resume
from bitlif.sim.backends.core import Core
from bitlif.tasks.diagnosis import diagnose
from bitlif.tasks.readouts import readout
from bitlif.tasks.task import Epoch, Examples, Task, run_test
from bitlif.tasks.training import checked_examples, task_config

from .judged import Judged, shown_window
from .layers import layer_report, test_work
from .outcome import Outcome, summed_counters
from .own_data import OwnData, default_epochs


def learn_task(
    args: argparse.Namespace,
    task: Task,
    core: Core,
    stack: contextlib.ExitStack,
    own: OwnData | None = None,
) -> Outcome:
    """Train on a task, and test after each epoch if it has labels.

    `own` is given for own data, of which `task` is made.
    """
    examples = checked_examples(task, task_config(task, core.config), args.seed)
    labelled = examples.train_labels is not None
    earlier = _earlier(args, task, core, examples, own)
    epochs = args.epochs or task.epochs
    if own is not None and args.epochs is None:
        epochs = default_epochs(outer(core.config), examples.train.windows) or epochs
    probe = stack.enter_context(core.fresh())
    # A spare core learns one window first, so that loading the engine is not timed.
    spare = stack.enter_context(core.fresh())
    one = examples.head(1)
    tasks.train(spare, task, epochs=1, seed=args.seed, examples=one, probe=spare)
    start = time.perf_counter()
    with progress_bars() as bars:
        bar = bars.add_task(task.length_field, total=epochs)

        def step(epoch: Epoch) -> None:
            text = f"test accuracy {100 * epoch.test_accuracy:.1f} %" if labelled else None
            bars.update(bar, completed=epoch.number - earlier.epochs, description=text)

        history = tasks.train(
            core, task, epochs=epochs, seed=args.seed, progress=step, examples=examples,
            probe=probe, first=earlier.epochs,
        )  # fmt: skip
    seconds = time.perf_counter() - start
    told = reported(task, task.report(core, probe, examples, history))
    judged = None
    if labelled:
        judged = _judged(task, core, probe, examples, [*earlier.history, *history])
        told |= {
            "test_accuracy_by_epoch": [epoch.test_accuracy for epoch in judged.history],
            "train_accuracy_by_epoch": [epoch.train_accuracy for epoch in judged.history],
            **judged.report(),
        }
    counted = {"epochs": earlier.epochs + epochs} if task.length_field == "epochs" else {}
    source: dict[str, Any] = {"data": task.name}
    if own is not None:
        names = list(own.task.data.names)
        source = {
            "data": own.source, "data_hash": own.data_hash, "features": names, **own.told,
        }  # fmt: skip
    report = {
        **source,
        **counted,
        "windows": core.windows_learned(),
        **told,
        **summed_counters(core, earlier, [epoch.counters for epoch in history]),
        **layer_report(core, [] if judged is None else judged.work, examples.test.windows),
    }
    return Outcome(
        report, examples.test, seconds, core.windows_learned() - earlier.windows, judged,
        diagnose(core, examples, history, task=task),
        own.task.encoder(outer(core.config), args.seed) if own else None,
    )  # fmt: skip


def _earlier(
    args: argparse.Namespace, task: Task, core: Core, examples: Examples, own: OwnData | None
) -> Earlier:
    """Return what the earlier run of --resume learned, after restoring its state."""
    if not args.resume:
        return Earlier()
    return resume(
        args, core, task.name if own is None else own.data_hash, examples.train.windows,
        length=task.length_field, tested=examples.train_labels is not None,
        options={} if own is None else own.told,
    )  # fmt: skip


def _judged(
    task: Task, core: Core, probe: Core, examples: Examples, history: list[Epoch]
) -> Judged:
    """Run the test windows with the final weights."""
    read = readout(task.readout)
    result = run_test(core, probe, examples, read)
    predicted = read.classify(result)
    shown = shown_window(examples.test_labels, predicted)
    classes = getattr(task, "classes", np.arange(outer(core.config).layer.neurons)).tolist()
    return Judged(
        classes, examples.test_labels, predicted, examples.test, result, history,
        examples.independent, test_work(core, probe, examples, shown),
    )  # fmt: skip


def reported(task: Task, told: Any) -> dict[str, Any]:
    """Return what a task reports as values of JSON, with None for NaN and infinity, or raise."""
    if not isinstance(told, dict):
        raise BitlifTypeError(f"report of task '{task.name}' must be a dict, not {quoted(told)}")
    values = {}
    for name, value in told.items():
        plain = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        if isinstance(plain, float) and not np.isfinite(plain):
            plain = None
        try:
            json.dumps({name: plain}, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise BitlifTypeError(
                f"{quoted(name, 40)} in the report of task '{task.name}' must be finite numbers, "
                f"texts and lists, not {quoted(value, 60)}"
            ) from error
        values[name] = plain
    return values
