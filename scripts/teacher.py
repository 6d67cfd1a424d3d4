"""``bitlif teacher``: which rule learns at which noise level, in integers and in float."""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any

import bitlif
from bitlif import tasks
from bitlif.model.config.config import Config
from bitlif.model.errors import require_int
from bitlif.tasks.task import Epoch
from bitlif.tasks.teacher import WINDOWS, conditions

from .console.configuration import load_layer
from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    result_table,
)


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "teacher",
        run,
        "learn a hidden teacher's weights at several noise levels, with both rules",
        """
        A student starts from zero weights and learns when a teacher with hidden weights spikes.
        Prints the correlation between the learned weights and the teacher's for both learning
        rules, with constant sigmas and with cooling, in integers and in float. Each value is the
        median over the seeds.
        """,
        ("bitlif teacher --seeds 1", "bitlif teacher --seeds 5 --json > teacher.json"),
    )
    parser.add_argument("--config", default="teacher", help="configuration (default: teacher)")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (default: 3)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Learn every cell of the table and print it."""
    seeds = require_int("--seeds", args.seeds, 1, 1000)
    base = load_layer(args.config, "a student is a single layer: give one")
    task = tasks.get("teacher")
    rows: list[dict[str, Any]] = []
    names = list(conditions(base))
    with progress_bars() as bars:
        task_bar = bars.add_task("learning", total=2 * len(names) * 2 * seeds * WINDOWS)
        for rule in ("likelihood", "clipped"):
            for name, config in conditions(base.replace(error__rule=rule)).items():
                for model in ("integer", "float"):
                    cells = []
                    for seed in range(seeds):
                        examples = task.load(config, seed)
                        options: dict[str, Any] = {}
                        if model == "float":
                            options = {"units": "real", "seed": seed}
                        backend = "float" if model == "float" else "model"
                        core = bitlif.open(config.seeded(seed), backend, **options)
                        done = 0

                        def step(epoch: Epoch) -> None:
                            nonlocal done
                            bars.update(task_bar, advance=epoch.number - done)
                            done = epoch.number

                        history = tasks.train(core, task, examples=examples, progress=step)
                        told = task.report(core, core, examples, history)
                        cells.append(
                            {
                                "seed": seed,
                                "correlation": told["correlation_with_teacher"],
                                "largest_weight": float(abs(core.real_weights()).max()),
                                "coincident_spikes": told["coincident_spikes"],
                                "teacher_spikes": told["teacher_spikes"],
                            }
                        )
                    rows.append({"rule": rule, "sigma": name, "model": model, "seeds": cells})
    if args.json:
        print_json({"config": args.config, "windows": WINDOWS, "rows": rows})
        return 0
    _print(base, rows, seeds)
    return 0


def _print(base: Config, rows: list[dict[str, Any]], seeds: int) -> None:
    half_lsb = float(base.synapse.weight.lsb) / 2
    lines = []
    for row in rows:
        cells = row["seeds"]
        largest = median(cell["largest_weight"] for cell in cells)
        together = median(cell["coincident_spikes"] for cell in cells)
        teacher = median(cell["teacher_spikes"] for cell in cells)
        lines.append(
            (
                row["rule"],
                row["sigma"],
                row["model"],
                f"{median(cell['correlation'] for cell in cells):.2f}",
                f"{largest:.3f}" if largest >= half_lsb else "silent",
                f"{together:g} / {teacher:g}",
            )
        )
    columns = ("rule", "sigma", "model", "correlation", "largest weight", "coincident spikes")
    title = f"student after {WINDOWS} windows: medians over {seeds} tasks"
    console().print(result_table(title, columns, lines))
    console().print(
        "correlation: learned weights with the teacher's; silent: no weight reached half an LSB"
    )
