"""Training on spikes and targets from files."""

from __future__ import annotations

import argparse
import contextlib
import math
import time
from typing import Any

from bitlif.model.config.network import outer
from bitlif.model.errors import BitlifError
from bitlif.model.files.target_file import load_targets
from bitlif.model.text import path_text
from bitlif.scripts.console.terminal import chosen_events, progress_bars
from bitlif.scripts.support.resume import Earlier, data_hash, resume
from bitlif.sim.backends.core import Core
from bitlif.tasks.diagnosis import diagnose
from bitlif.tasks.task import Epoch, Examples
from bitlif.tasks.training import orders

from .layers import layer_report
from .outcome import Outcome, summed_counters


def learn_targets(args: argparse.Namespace, core: Core, stack: contextlib.ExitStack) -> Outcome:
    """Train on the spikes of --spikes and the targets of --targets.

    Raises
    ------
    BitlifError
        If a file does not fit the configuration, or there are no windows.
    """
    config = outer(core.config)
    events = chosen_events(args, core.config)
    levels = load_targets(args.targets, config, events.windows)
    if events.windows == 0:
        raise BitlifError(f"spikes '{path_text(args.spikes)}' must hold at least one window, not 0")
    real = core.units == "real"
    targets: Any = levels / (1 << config.error.target_bits) if real else levels
    epochs = args.epochs or 1
    name = data_hash(events, levels)
    earlier = resume(args, core, name, events.windows) if args.resume else Earlier()
    history: list[Epoch] = []
    stack.enter_context(core.fresh()).learn(events.select([0]), targets[:1])
    start = time.perf_counter()
    with progress_bars() as bars:
        bar = bars.add_task("epochs", total=epochs)
        for order in orders(events.windows, epochs, args.seed, first=earlier.epochs):
            result = core.learn(events.select(order), targets[order])
            spikes = int(result.counts.sum()) / events.windows
            number = earlier.epochs + len(history) + 1
            history.append(Epoch(number, math.nan, math.nan, spikes, result.counters))
            bars.update(bar, advance=1)
    seconds = time.perf_counter() - start
    report = {
        "data": args.spikes,
        "data_hash": name,
        "epochs": earlier.epochs + epochs,
        "windows": core.windows_learned(),
        "output_spikes_per_window": history[-1].spikes,
        **summed_counters(core, earlier, [epoch.counters for epoch in history]),
        **layer_report(core, [], 0),
    }
    examples = Examples(
        events, events.select([]), train_targets=levels / (1 << config.error.target_bits)
    )
    return Outcome(
        report, events, seconds, core.windows_learned() - earlier.windows,
        findings=diagnose(core, examples, history),
    )  # fmt: skip
