"""Common to the integer model and the float twin as backends: a layer, and its bookkeeping."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.clocks import one_step_clocks, step_clocks, window_end
from bitlif.model.config.config import Config
from bitlif.model.counters import COUNTERS
from bitlif.model.events import Events
from bitlif.model.files.save_file import (
    Arrays,
    load_saved,
    require_array,
    require_names,
)
from bitlif.model.result import Result
from bitlif.model.signature import MASK, Signature

from .kept_core import KeptCore
from .result import StepResult, Tally

CALL_STEPS = 1 << 20
"""Maximum steps per call of the engine, which handles interrupts by itself."""

CALL_VALUES = 1 << 24
"""Maximum errors that a learning call of the engine records, to compute clock cycles from."""


class Stand(NamedTuple):
    """The state of a model's core, replaced as a whole so that an interrupt cannot tear it."""

    layer: Any
    """a snapshot of the layer"""
    counted: dict[str, int]
    lanes: tuple[int, ...]
    """states of the signature's lanes"""
    clocks: int
    window: Any = None
    """the window that `step` has begun; `layer` and `clocks` are those before it"""
    spent: int = 0
    """clock cycles of the steps of that window"""


class Modelled(KeptCore):
    """Common to both models: a layer of `bitlif.model`, and counters that are kept here."""

    _now: Stand

    @abstractmethod
    def _new_layer(self) -> Any:
        """Return a new layer of the current configuration."""

    @abstractmethod
    def _new_stepper(self) -> Any:
        """Return what runs windows of the current configuration step by step."""

    @property
    def _layer(self) -> Any:
        """The layer in the core's state: an interrupted run may have left it in a later one."""
        self._worker.restore(self._now.layer)
        return self._worker

    def _begin(self) -> None:
        self._worker = self._new_layer()
        self._own_stepper: Any = None
        self._now = self._fresh(self._worker)

    @property
    def _stepper(self) -> Any:
        """Runs windows step by step; made for the first one."""
        if self._own_stepper is None:
            self._own_stepper = self._new_stepper()
        return self._own_stepper

    def _fresh(self, layer: Any) -> Stand:
        lanes = Signature(self._config.layer).lanes
        return Stand(layer.snapshot(), dict.fromkeys(COUNTERS, 0), lanes, 0)

    def _load(self, weights: NDArray[Any]) -> None:
        layer = self._layer
        layer.load(weights)
        self._now = self._now._replace(layer=layer.snapshot())

    def _load_tables(self) -> None:
        layer = self._new_layer()
        layer.load(self._layer.weights)
        self._worker, self._own_stepper, self._now = layer, None, self._fresh(layer)

    def _reset(self) -> None:
        layer = self._layer
        layer.reset()
        self._now = self._fresh(layer)

    def save_layer(self, path: str | Path) -> None:
        """Write the layer's state, without counters, clock cycles and signature, to a file."""
        self._require_open()
        self._layer.save(path)

    def resume_layer(self, path: str | Path) -> None:
        """Restore a layer's state; counters, clock cycles and signature start at 0.

        Raises
        ------
        BitlifError
            See `resume`.
        """
        self._require_open()
        arrays = load_saved(path, self._worker.kind, self._config)
        snapshot = self._worker.from_arrays(arrays)
        self._now = self._fresh(self._worker)._replace(layer=snapshot)

    def _to_arrays(self) -> Arrays:
        now = self._now
        return {
            **self._layer.to_arrays(),
            "counters": np.array([now.counted[name] for name in COUNTERS], np.int64),
            "signature": np.array(now.lanes, np.uint32),
            "clocks": np.array(now.clocks, np.int64),
        }

    def _from_arrays(self, arrays: Arrays) -> Stand:
        own = ("counters", "signature", "clocks")
        require_names(arrays, {*arrays, *own})
        layer = {name: array for name, array in arrays.items() if name not in own}
        top, lanes = (1 << 62) - 1, len(self._now.lanes)
        counted = require_array(arrays, "counters", (len(COUNTERS),), 0, top)
        signature = require_array(arrays, "signature", (lanes,), 0, MASK)
        return Stand(
            self._worker.from_arrays(layer),
            dict(zip(COUNTERS, (int(count) for count in counted), strict=True)),
            tuple(int(lane) for lane in signature),
            int(require_array(arrays, "clocks", (), 0, top)),
        )

    def _windows_at_once(self, events: Events) -> int:
        window = events.steps * self._config.layer.neurons
        return max(1, min(CALL_STEPS // events.steps, CALL_VALUES // window))

    def _after_step(
        self,
        window: Any,
        addresses: NDArray[np.int32],
        counted: dict[str, int],
        lanes: tuple[int, ...],
        facts: dict[str, Any],
    ) -> StepResult:
        """Take over the state after a step, and return its result.

        Parameters
        ----------
        window : OpenWindow or OpenFloatWindow
            Records ``errors`` if it is learned and clock cycles are counted.
        addresses : (n,) int32
        counted : dict of str to int
            The core's counters, up to this step.
        lanes : tuple of int
            States of the signature's lanes.
        facts : dict
            Signature and recorded signals: attributes of the result.
        """
        config, now, t, learn = self._config, self._now, window.step - 1, window.learn
        ended = window.step == config.window.steps
        spikes = window.records.raster[0, t]
        clocks, spent, whole = None, 0, None
        if self.counts_clocks:
            errors = window.records.errors[0, t] if learn else None
            if errors is not None and errors.dtype == object:
                errors = errors.astype(np.int64)
            clocks = one_step_clocks(
                config, len(addresses), spikes, errors, learning_core=self._learning
            )
            spent = now.spent + clocks
            if ended:
                whole = spent + window_end(config, learn=learn)
        if ended:
            self._now = Stand(window.layer, counted, lanes, now.clocks + (whole or 0))
        else:
            self._now = Stand(now.layer, counted, lanes, now.clocks, window, spent)
        return StepResult(spikes.astype(np.bool_), t, ended, clocks, whole, **facts)

    def _counters(self) -> dict[str, int]:
        return self._now.counted

    def _tally(self) -> Tally:
        now = self._now
        return Tally(now.layer.learned, now.clocks, now.counted["synaptic_events"])


def clock_cycles(
    config: Config, events: Events, result: Result, *, learn: bool, hardware: bool
) -> dict[str, NDArray[np.int64]]:
    """Return the clock cycles that gates take for these spikes and errors."""
    steps = step_clocks(config, events, result, learn=learn, learning_core=hardware)
    return {
        "step_clocks": steps,
        "window_clocks": steps.sum(axis=1) + window_end(config, learn=learn),
    }


def no_clock_cycles(events: Events) -> dict[str, NDArray[np.int64]]:
    """Return the arrays of a core that counts no clock cycles."""
    return {
        "step_clocks": np.zeros((0, events.steps), np.int64),
        "window_clocks": np.zeros(0, np.int64),
    }


def recorded_rows(window: Any, record: tuple[str, ...], ended: bool) -> dict[str, NDArray[Any]]:
    """Return copies of the recorded signals of a window's last step."""
    rows = {name: getattr(window.records, name)[0] for name in record if name != "gradient"}
    found = {name: array[window.step - 1].copy() for name, array in rows.items()}
    if "gradient" in record and ended:
        found["gradient"] = window.records.gradient[0].copy()
    return found


def unpadded(targets: NDArray[Any]) -> NDArray[Any]:
    """Return checked targets, (W, 1 or T, M), in the shape a layer takes: (W, M) or (W, T, M)."""
    return targets[:, 0] if targets.shape[1] == 1 else targets
