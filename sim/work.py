"""Windows that a core is to run; nothing here needs gates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config import Config
from bitlif.model.events import Events


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What a core is to run.

    Attributes
    ----------
    config : Config
    weights : (N, M) int
    events : Events
    targets : (W, M) or (W, T, M) int or None
    learning : bool
        Whether the core has learning hardware.
    learn : bool
        Whether to use it.
    stall : float
        Chance of each clock, 0 ..< 1, that a stream's other side hesitates.
    seed : int
        Of the hesitation.
    false_starts : tuple of int
        Before the run that is looked at: run for so many clocks, then reset.
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
        """Whether the core asks for targets."""
        return self.learns or self.config.membrane.reset == "teacher"

    def first_windows(self, count: int) -> Work:
        """Return the same work, ended after this many windows."""
        targets = None if self.targets is None else self.targets[:count]
        events = self.events.select(list(range(count)))
        return replace(self, events=events, targets=targets)

    @classmethod
    def load(cls, config: Config, path: Path) -> Work:
        """Read what `bitlif.sim.cosim.save_task` wrote."""
        with np.load(path) as data:
            steps, windows = config.window.steps, int(data["windows"])
            shape = (windows, steps, config.layer.neurons)
            targets = data["targets"].reshape(shape) if data["targets"].size else None
            events = Events(data["addresses"], data["pointers"], steps, config.layer.inputs)
            return cls(config, data["weights"], events, targets, bool(data["learning"]),
                       bool(data["learn"]), float(data["stall"]), int(data["seed"]),
                       tuple(data["false_starts"].tolist()))  # fmt: skip


def targets_by_step(config: Config, events: Events, targets: NDArray[Any]) -> NDArray[np.int64]:
    """Return raw targets (W, M) or (W, T, M) as a row for each step: (W * T, M)."""
    by_step = targets[:, None, :] if targets.ndim == 2 else targets
    shape = (events.windows, events.steps, config.layer.neurons)
    return np.asarray(np.broadcast_to(by_step, shape).reshape(-1, shape[2]), np.int64)
