"""The windows that ``bitlif golden``, ``verify`` and ``crosscheck`` run: drawn, or from files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bitlif.model.errors import BitlifError, require_int
from bitlif.model.text import path_text
from bitlif.scripts.console.terminal import add_duplicates, chosen_events

from .learnable import require_learnable_any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bitlif.model.config.config import Config
    from bitlif.model.config.network import NetworkConfig
    from bitlif.model.events import Events
    from bitlif.tasks.scenario import NetworkWork, Work

STIMULI = ("weights", "spikes", "targets")
"""Inputs of a run; each has an option of its name."""

TRAINED = "bitlif learn tiny --out tiny-run --force"
"""A shell command that writes weights and spikes for the layer `tiny`, for examples."""

HELP = """
        Inputs are drawn at random from --seed. --weights, --spikes and --targets read them from
        files instead, in the formats of docs/files.md; what has no file is still drawn. All windows
        of the files are run, or the first --windows of them.
        """
"""A paragraph for the descriptions of the commands, indented as they are."""


def add_stimuli(parser: argparse.ArgumentParser, windows: int, verb: str = "run") -> None:
    """Add the options that choose the windows; `windows` is the default number of drawn ones."""
    parser.add_argument(
        "--windows",
        type=int,
        help=f"windows to {verb} (default: {windows}, or all windows of the files)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of spikes, weights and targets (default: 0)"
    )
    parser.add_argument("--weights", metavar="FILE", help="initial weights (.npz)")
    parser.add_argument("--spikes", metavar="FILE", help="input spikes")
    parser.add_argument("--targets", metavar="FILE", help="targets (.npz)")
    add_duplicates(parser)


def given_stimuli(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the names of the inputs that come from files."""
    return tuple(name for name in STIMULI if getattr(args, name) is not None)


def check_numbers(args: argparse.Namespace, most: int) -> None:
    """Raise unless ``--windows``, at most `most`, and ``--seed`` are in range."""
    if args.windows is not None:
        require_int("--windows", args.windows, 1, most)
    require_int("--seed", args.seed, 0, (1 << 31) - 1)


def check_conformance(args: argparse.Namespace, others: Sequence[str] = ()) -> None:
    """Raise unless either a CONFIG or ``--conformance`` is given, and the latter without inputs.

    `others` names more options that ``--conformance`` does not go with.
    """
    if args.conformance == (args.config is not None):
        raise BitlifError(f"{args.parser.prog.split()[-1]} needs either a CONFIG or --conformance")
    given = [name for name in (*STIMULI, "windows", "seed", *others) if getattr(args, name)]
    if args.conformance and given:
        raise BitlifError(
            f"--{given[0]} cannot be used with --conformance, whose windows are fixed"
        )


def chosen_work(
    args: argparse.Namespace, config: Config, *, windows: int, most: int, stall: float = 0.0,
    learning: bool = True,
) -> Work:  # fmt: skip
    """Return the windows to run: from files, the rest drawn by `bitlif.tasks.stimulus.random_work`.

    Parameters
    ----------
    args : argparse.Namespace
        With the options of `add_stimuli`, checked by `check_numbers`.
    config : Config
    windows : int
        Number of windows if neither an option nor a file says it.
    most : int
        Largest number of windows.
    stall : float
        See `bitlif.tasks.scenario.Work`.
    learning : bool
        Whether the windows are learned.

    Raises
    ------
    BitlifError
        If the windows are learned and the configuration cannot learn, a file cannot be read or
        does not fit the configuration, the files and ``--windows`` do not agree, or targets are
        given that nothing reads.
    """
    from bitlif.model.files.weight_file import load_weights
    from bitlif.tasks.stimulus import random_work

    if learning:
        require_learnable_any(config)
    _check_targets(args, config, learning=learning)
    weights = None if args.weights is None else load_weights(args.weights, config)
    events, targets, windows = _files(args, config, windows, most)
    work = random_work(config, args.seed, windows, stall=stall)
    if weights is not None:
        work = replace(work, weights=weights)
    if events is not None:
        work = replace(work, events=events)
    if targets is not None:
        work = replace(work, targets=_by_step(config, work.events, targets))
    return work if learning else replace(work, learning=False, learn=False)


def chosen_network_work(
    args: argparse.Namespace, network: NetworkConfig, *, windows: int, most: int,
    learning: bool = True,
) -> NetworkWork:  # fmt: skip
    """Return the windows that a network runs; parameters and errors are those of `chosen_work`.

    What no file gives is drawn by `bitlif.sim.compare.network_expected.random_network_work`.
    """
    from bitlif.model.files.weight_file import load_network_weights
    from bitlif.sim.compare.network_expected import random_network_work

    outer = network.outer
    if learning:
        require_learnable_any(network)
    _check_targets(args, outer, learning=learning)
    weights = None if args.weights is None else load_network_weights(args.weights, network)
    events, targets, windows = _files(args, network, windows, most)
    work = random_network_work(network, args.seed, windows, learns=learning)
    if weights is not None:
        work = replace(work, weights=weights)
    if events is not None:
        work = replace(work, events=events)
    if targets is not None:
        work = replace(work, targets=_by_step(outer, work.events, targets))
    return work


def _check_targets(args: argparse.Namespace, config: Config, *, learning: bool) -> None:
    """Raise if there are targets that nothing reads."""
    if args.targets is not None and not learning and config.membrane.reset != "teacher":
        raise BitlifError(
            "--targets can only be used with --inference if membrane.reset is 'teacher', "
            f"not '{config.membrane.reset}'"
        )


def _files(
    args: argparse.Namespace, config: Config | NetworkConfig, windows: int, most: int
) -> tuple[Events | None, NDArray[Any] | None, int]:
    """Return spikes and targets from files, or None, and the number of windows to run."""
    from bitlif.model.config.network import outer

    events = None if args.spikes is None else chosen_events(args, config)
    found = {"--spikes": events.windows} if events is not None else {}
    targets = None
    if args.targets is not None:
        from bitlif.model.files.target_file import load_targets

        stored = _stored_windows(args.targets) if events is None else events.windows
        found["--targets"] = stored
        targets = load_targets(args.targets, outer(config), stored)
    for option, count in found.items():
        _check_count(option, getattr(args, option[2:]), count, args.windows, most)
        windows = count
    windows = args.windows or windows
    chosen = None if events is None else events.select(range(windows))
    return chosen, None if targets is None else targets[:windows], windows


def _by_step(config: Config, events: Events, targets: NDArray[Any]) -> NDArray[Any]:
    """Return raw targets with a row per step: (W, T, M) uint16."""
    import numpy as np

    from bitlif.tasks.scenario import targets_by_step

    shape = (events.windows, config.window.steps, config.layer.neurons)
    return targets_by_step(config, events, targets).reshape(shape).astype(np.uint16)


def _stored_windows(path: str) -> int:
    """Return the number of windows of a target file, 0 if it has none."""
    from bitlif.model.files.npz_file import open_arrays

    with open_arrays("targets", path) as file:
        shape = file.headers["targets"].shape if "targets" in file.headers else ()
    return int(shape[0]) if shape else 0


def _check_count(option: str, path: str, count: int, wanted: int | None, most: int) -> None:
    """Raise unless a file has windows, enough of them, and not too many."""
    what = f"{option[2:]} '{path_text(path)}'"
    if count == 0:
        raise BitlifError(f"{what} must hold at least one window, not 0")
    if wanted is None and count > most:
        raise BitlifError(f"{what} must have at most {most} windows, not {count}: use --windows")
    if wanted is not None and wanted > count:
        raise BitlifError(
            f"--windows must be in 1 ..= {count}, the number of windows of {option}, not {wanted}"
        )
