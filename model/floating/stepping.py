"""A window of the float64 twin that is run step by step; see `bitlif.model.stepping`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.engine.compile import compiled
from bitlif.model.state import recorded, state_variables

from .constants import error_functions, float_constants
from .snapshot import FloatSnapshot, Reals
from .step import FloatArrays, FloatRecords, float_scratch, run_float_windows


class OpenFloatWindow(NamedTuple):
    """A window of which some steps have run; see `bitlif.model.stepping.OpenWindow`."""

    layer: FloatSnapshot
    learn: bool
    step: int
    records: FloatRecords


class FloatStepper:
    """Runs windows of the ideal twin step by step, one window at a time.

    Parameters
    ----------
    config : Config
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        sizes, steps = config.layer, config.window.steps
        self._random = np.random.default_rng(0)
        self._functions, self._scratch = error_functions(config), float_scratch(config)
        self._pointers = np.zeros(steps + 1, np.int64)
        self._resets = np.zeros((0, 1, 1), np.uint8)
        self._clear = config.window.cleared[:2]
        self._carried = [own.name for own in state_variables("neuron", "input")]
        self.draws = np.zeros((1, steps, sizes.neurons))
        """(1, T, M): the noise of the steps that have run, in sigma."""
        neurons, inputs = (steps, sizes.neurons), (steps, sizes.inputs)
        shapes = {
            **dict.fromkeys((*recorded("neuron"), "errors"), neurons),
            **dict.fromkeys(recorded("input"), inputs),
            "gradient": (sizes.neurons, sizes.inputs),
        }
        self._shapes = shapes
        nothing = {name: np.zeros((0, *shape)) for name, shape in shapes.items()}
        self._records = FloatRecords(np.zeros((1, *neurons), np.uint8), **nothing)

    def begin(self, layer: FloatSnapshot, *, learn: bool) -> OpenFloatWindow:
        """Return a window of a layer before its first step. The window before it is given up."""
        return OpenFloatWindow(layer, learn, 0, self._records)

    def step(
        self,
        before: OpenFloatWindow,
        addresses: Any,
        targets: Reals | None,
        record: tuple[str, ...] = (),
    ) -> OpenFloatWindow:
        """Return the window after its next step; see `bitlif.model.stepping.Stepper.step`.

        Targets are real numbers in 0 ..= 1, of shape (1, 1, M).
        """
        config, t, learn = self._config, before.step, before.learn
        new = [n for n in record if n != "draws" and not getattr(before.records, n).size]
        records = before.records._replace(
            **{name: np.zeros((1, *self._shapes[name])) for name in new}
        )
        now = before.layer.copied()
        self._random.bit_generator.state = now.random
        self._random.standard_normal(out=self.draws[0, t])
        goals = np.zeros((0, 1, config.layer.neurons)) if targets is None else targets
        pointers = self._pointers
        pointers[t], pointers[t + 1] = 0, len(addresses)
        phase = derive(config).phase_at(now.learned)
        arrays = FloatArrays(
            *self._functions, **{name: getattr(now, name) for name in self._carried}
        )
        compiled(run_float_windows)(
            0, 1, t, t + 1, learn, learn, now.weights, pointers, addresses, goals, self.draws,
            self._resets, arrays, *self._scratch, records, self._clear,
            float_constants(config, phase, matched=False),
        )  # fmt: skip
        after = now._replace(
            random=dict(self._random.bit_generator.state),
            learned=now.learned + (learn and t + 1 == config.window.steps),
        )
        return before._replace(layer=after, step=t + 1, records=records)
