"""A window of the integer model that is run step by step, for closed loops.

It calls the same functions as `bitlif.model.layer.Layer` does for whole windows
(`bitlif.model.window.run_windows`), so both give the same bits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import window
from .buffers import Buffers
from .config.config import Config
from .counters import COUNTERS
from .derive import derive
from .engine.compile import compiled, jit_disabled
from .snapshot import Snapshot
from .window import INFER, LEARN, Records, Scratch, State


class OpenWindow(NamedTuple):
    """A window of which some steps have run.

    A step writes only its own rows of `records` and `scratch`, and replaces all else. So a step
    that is interrupted has either run or not, and can then be run again.
    """

    layer: Snapshot
    """The layer after the last step; its weights change with the last step of the window."""
    learn: bool
    step: int
    """Number of steps that have run."""
    records: Records
    """The records of one window."""
    scratch: Scratch
    counters: NDArray[np.int64]
    """(len(COUNTERS),) of this window"""


class Stepper:
    """Runs windows of a layer step by step, one window at a time.

    Parameters
    ----------
    config : Config
    interpreted : bool
        See `bitlif.model.layer.Layer`.
    signed : bool
        Whether to compute the digests that the signature needs.
    """

    def __init__(self, config: Config, *, interpreted: bool = False, signed: bool = True) -> None:
        self._config, self._signed = config, signed
        self._interpreted = interpreted or jit_disabled()
        self._buffers = Buffers(config, self._interpreted)
        self._derived = derive(config)
        self._table, self._noise = self._buffers.table(), self._buffers.noise()
        self._pointers = np.zeros(config.window.steps + 1, np.int64)
        self._clear = config.window.cleared
        self._arrays: dict[int, tuple[Records, Scratch]] = {}

    def begin(self, layer: Snapshot, *, learn: bool) -> OpenWindow:
        """Return a window of a layer before its first step. The window before it is given up."""
        mode = LEARN if learn else INFER
        if mode not in self._arrays:
            made = self._buffers.records(1, mode, ("digests",) if self._signed else ())
            self._arrays = {mode: (made, self._buffers.scratch(mode))}
        return OpenWindow(layer, learn, 0, *self._arrays[mode], np.zeros(len(COUNTERS), np.int64))

    def step(
        self,
        before: OpenWindow,
        addresses: NDArray[np.int32],
        targets: NDArray[Any] | None,
        record: tuple[str, ...] = (),
    ) -> OpenWindow:
        """Return the window after its next step; the last step updates the weights.

        Parameters
        ----------
        before : OpenWindow
            A window that has not ended. It must not be used again, except after an interrupt.
        addresses : (n,) int32
            Inputs that spike, in ascending order.
        targets : (1, 1, M) uint16 or None
            Raw targets of the step.
        record : tuple of str
            Names of `bitlif.model.result.RECORDS` whose rows of this step are to be written.
        """
        config, t, learn = self._config, before.step, before.learn
        records = self._with_records(before, record)
        last = t + 1 == config.window.steps
        mode = LEARN if learn else INFER
        now = before.layer
        state, streams, weights, updates = (
            State(*(array.copy() for array in now.state)),
            now.streams._replace(
                buffer=now.streams.buffer.copy(), offset=now.streams.offset.copy()
            ),
            now.weights,
            now.update_streams,
        )
        counters = before.counters.copy()
        if (learn and last) or (t == 0 and self._clear[2]):
            copied = now.copied()
            weights, updates = copied.weights, copied.update_streams
        goals = np.zeros((0, 1, config.layer.neurons), np.uint16) if targets is None else targets
        if self._interpreted:
            goals = goals.astype(object)
        pointers = self._pointers
        pointers[t], pointers[t + 1] = 0, len(addresses)
        phase = self._derived.phase_at(now.learned)
        run = window.run_windows if self._interpreted else compiled(window.run_windows)
        run(
            0, 1, t, t + 1, mode, int(learn), weights, pointers, addresses, goals, state,
            self._table, self._noise, streams, updates, before.scratch, records, counters,
            config.layer.lanes, self._clear, self._derived.phases[phase], self._derived.constants,
        )  # fmt: skip
        after = Snapshot(weights, state, streams, updates, now.learned + (learn and last))
        return before._replace(layer=after, step=t + 1, records=records, counters=counters)

    def _with_records(self, before: OpenWindow, record: tuple[str, ...]) -> Records:
        """Return the records of a window with those in `record` not of size zero."""
        records = before.records
        new = tuple(name for name in record if not getattr(records, name).size)
        if not new:
            return records
        made = self._buffers.records(1, LEARN if before.learn else INFER, new)
        return records._replace(**{name: getattr(made, name) for name in new})
