"""Scenarios: weights, events and targets for a core to run. Nothing here needs gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.checks import check_weight_shape, check_weights
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError, located, require_bool, require_int, require_real
from bitlif.model.events import Events
from bitlif.model.files.npz_file import ArrayFile, open_arrays
from bitlif.model.targets import raw_targets
from bitlif.model.text import array_kind, path_text

SCALARS = ("windows", "learning", "learn", "stall", "seed")
TASK = (*SCALARS, "weights", "addresses", "pointers", "targets", "false_starts")
"""Arrays of a file that `Work.load` reads."""

NETWORK_TASK = ("learn", "stall", "seed", "addresses", "pointers", "targets", "false_starts")
"""Arrays of a file that `NetworkWork.load` reads, besides the weights of each layer."""

MOST_WINDOWS = 100_000
MOST_STARTS = 100
MOST_CLOCKS = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A scenario: what a core runs.

    Attributes
    ----------
    config : Config
    weights : (N, M) int
    events : Events
    targets : (W, M) or (W, T, M) uint16 or None
        Raw.
    learning : bool
        Whether the core has learning hardware.
    learn : bool
        Whether to use it.
    stall : float
        Probability per clock cycle, 0 ..< 1, that the other side of a stream stalls.
    seed : int
        Seed of the stalls.
    false_starts : tuple of int
        Clock cycles of earlier runs, each of which ends with a reset.
    """

    config: Config
    weights: NDArray[Any]
    events: Events
    targets: NDArray[Any] | None = None
    learning: bool = True
    learn: bool = True
    stall: float = 0.0
    seed: int = 0
    false_starts: tuple[int, ...] = ()

    @property
    def learns(self) -> bool:
        """Whether weights change."""
        return self.learn and self.learning

    @property
    def takes_targets(self) -> bool:
        """Whether the core takes targets."""
        return self.learns or self.config.membrane.reset == "teacher"

    def first_windows(self, count: int) -> Work:
        """Return the same scenario with this many windows."""
        targets = None if self.targets is None else self.targets[:count]
        events = self.events.select(list(range(count)))
        return replace(self, events=events, targets=targets)

    @classmethod
    def load(cls, config: Config, path: Path) -> Work:
        """Read a file that `bitlif.sim.cocotb.cosim.save_task` wrote.

        Raises
        ------
        BitlifError
            If the file cannot be read, is not such a file, or does not fit the configuration.
        """
        where = f"replay '{path_text(path)}'"
        steps, neurons = config.window.steps, config.layer.neurons
        with open_arrays("replay", path) as file:
            _require_arrays(file, TASK, where)
            with located(where):
                _require_scalars(file, SCALARS)
                windows = require_int("windows", file.read("windows").item(), 1, MOST_WINDOWS)
                check_weight_shape(config, file.outline("weights"))
                _require_streams(file, windows * steps, config.layer.inputs, neurons)
            data = {name: file.read(name) for name in TASK}
        with located(where):
            events = Events(data["addresses"], data["pointers"], steps, config.layer.inputs)
            targets = None
            if data["targets"].size:
                targets = data["targets"].reshape(windows, steps, neurons)
                targets = raw_targets(config, targets)
            work = cls(
                config,
                check_weights(config, data["weights"]),
                events,
                targets,
                require_bool("learning", data["learning"].item()),
                require_bool("learn", data["learn"].item()),
                *_bench_facts(data),
            )
            if work.takes_targets and targets is None:
                raise BitlifError("targets must not be empty: the core takes targets")
        return work


def _require_arrays(file: ArrayFile, names: Sequence[str], where: str) -> None:
    """Raise unless a file holds all of these arrays."""
    for name in names:
        if name not in file.headers:
            raise BitlifError(f"{where} must hold the array {name}")


def _require_scalars(file: ArrayFile, names: Sequence[str]) -> None:
    for name in names:
        _require_shape(name, file.outline(name), ())


def _require_streams(file: ArrayFile, steps: int, inputs: int, neurons: int) -> None:
    """Raise unless the spikes, the targets and the false starts have shapes for so many steps."""
    _require_shape("pointers", file.outline("pointers"), (steps + 1,))
    _require_most("addresses", file.outline("addresses"), steps * inputs)
    _require_most("false_starts", file.outline("false_starts"), MOST_STARTS)
    if file.headers["targets"].size:
        _require_shape("targets", file.outline("targets"), (steps, neurons))


def _bench_facts(data: Mapping[str, NDArray[Any]]) -> tuple[float, int, tuple[int, ...]]:
    """Return what the bench alone needs: stall, seed and false starts."""
    starts = data["false_starts"].tolist()
    return (
        require_real("stall", data["stall"].item(), 0.0, 0.99),
        require_int("seed", data["seed"].item(), 0, (1 << 31) - 1),
        tuple(require_int("false_starts", clocks, 0, MOST_CLOCKS) for clocks in starts),
    )


def _require_shape(name: str, values: NDArray[Any], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise BitlifError(f"{name} must be of shape {shape}, not {array_kind(values)}")


def _require_most(name: str, values: NDArray[Any], most: int) -> None:
    if values.ndim != 1 or values.size > most:
        raise BitlifError(f"{name} must have at most {most} values, not {array_kind(values)}")


@dataclass(frozen=True, slots=True, eq=False)
class NetworkWork:
    """What a network runs.

    Attributes
    ----------
    network : NetworkConfig
    weights : list of (N, M) int
        Raw weights of each layer.
    events : Events
        Input spikes of the first layer.
    targets : (W, T, M) uint16
        Raw targets of the last layer.
    learns : bool
    stall : float
        Probability per clock cycle, 0 ..< 1, that the other side of a stream stalls.
    seed : int
        Of what was drawn, and of the stalls.
    false_starts : tuple of int
        Clock cycles of earlier runs, each of which ends with a reset.
    """

    network: NetworkConfig
    weights: list[NDArray[Any]]
    events: Events
    targets: NDArray[Any]
    learns: bool = True
    stall: float = 0.0
    seed: int = 0
    false_starts: tuple[int, ...] = ()

    @property
    def takes_targets(self) -> bool:
        """Whether anything reads the targets."""
        return self.learns or self.network.layers[-1].config.membrane.reset == "teacher"

    def first_windows(self, count: int) -> NetworkWork:
        """Return the same scenario with this many windows."""
        events = self.events.select(list(range(count)))
        return replace(self, events=events, targets=self.targets[:count])

    @classmethod
    def load(cls, network: NetworkConfig, path: Path) -> NetworkWork:
        """Read a file that `bitlif.sim.cocotb.network_cosim.save_network_task` wrote.

        Raises
        ------
        BitlifError
            If the file cannot be read, is not such a file, or does not fit the network.
        """
        where = f"replay '{path_text(path)}'"
        configs = [own.config for own in network.layers]
        steps, inputs, neurons = (
            network.outer.window.steps, configs[0].layer.inputs, configs[-1].layer.neurons
        )  # fmt: skip
        names = [f"weights_{number}" for number in range(len(configs))]
        with open_arrays("replay", path) as file:
            _require_arrays(file, (*NETWORK_TASK, *names), where)
            with located(where):
                _require_scalars(file, ("learn", "stall", "seed"))
                for name, config in zip(names, configs, strict=True):
                    check_weight_shape(config, file.outline(name))
                _require_most("pointers", file.outline("pointers"), MOST_WINDOWS * steps + 1)
                windows = (file.outline("pointers").size - 1) // steps
                require_int("windows", windows, 1, MOST_WINDOWS)
                _require_streams(file, windows * steps, inputs, neurons)
            data = {name: file.read(name) for name in (*NETWORK_TASK, *names)}
        with located(where):
            targets = np.zeros((windows, steps, neurons), np.uint16)
            if data["targets"].size:
                targets = raw_targets(configs[-1], data["targets"].reshape(targets.shape))
            work = cls(
                network,
                [check_weights(c, data[name]) for name, c in zip(names, configs, strict=True)],
                Events(data["addresses"], data["pointers"], steps, inputs),
                targets,
                require_bool("learn", data["learn"].item()),
                *_bench_facts(data),
            )
            if work.takes_targets and not data["targets"].size:
                raise BitlifError("targets must not be empty: the core takes targets")
        return work


def targets_by_step(config: Config, events: Events, targets: NDArray[Any]) -> NDArray[np.int64]:
    """Return raw targets, (W, M) or (W, T, M), as a row per step: (W * T, M)."""
    by_step = targets[:, None, :] if targets.ndim == 2 else targets
    shape = (events.windows, events.steps, config.layer.neurons)
    return np.asarray(np.broadcast_to(by_step, shape).reshape(-1, shape[2]), np.int64)
