"""The float64 twin of `bitlif.model.layer.Layer`: the same interface on real numbers.

There are two variants. The *ideal* twin follows the textbook: Gaussian noise and hazard (up to the
limit of the learning rule), exact leaks, no saturation. The *matched* twin shares everything but
rounding with the integer model: the distribution of the noise, the range of every format, and the
span and limit of the error table. Given the draws of the integer model, its results differ from
that model by no more than the bounds of `bitlif.model.floating.bound`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.base_layer import BaseLayer
from bitlif.model.checks import (
    Reals,
    Spikes,
    check_events,
    check_real_targets,
    check_real_weights,
    require_learnable,
    require_no_targets,
)
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.engine.compile import compiled
from bitlif.model.errors import BitlifTypeError, require_bool, require_int
from bitlif.model.files.save_file import Arrays
from bitlif.model.result import LayerState, Result, check_records
from bitlif.model.state import recorded, require_fields, state_variables

from .constants import error_functions, float_constants
from .snapshot import FloatSnapshot
from .step import FloatArrays, FloatRecords, float_scratch, run_float_windows

_CARRIED = state_variables("neuron", "input")
"""The variables that a layer carries from step to step."""

PIECE_WORK = 1 << 26
"""Products between two checks for an interrupt: about 0.1 s."""


class FloatLayer(BaseLayer[FloatSnapshot]):
    """A layer in float64 that runs and learns windows like `Layer`, on real numbers.

    Parameters
    ----------
    config : Config
    seed : int
        Seed of the noise that is used if no draws are passed, 0 ..= 2**63 - 1.
    matched : bool
        Whether this is the matched twin rather than the ideal one; see the module's docstring.

    Raises
    ------
    BitlifError
        If an argument has the wrong type or is out of range.

    Notes
    -----
    Layers can be pickled and copied at any moment; copies continue to the bit, noise included.

    After an interrupt or an error, the state is that after a whole number of windows, as in
    `Layer`; the state of the noise generator is consistent with it.
    """

    _snapshot_type = FloatSnapshot

    def __init__(self, config: Config, *, seed: int = 0, matched: bool = False) -> None:
        super().__init__(config)
        self._seed = require_int("seed", seed, 0, (1 << 63) - 1)
        self._matched = require_bool("matched", matched)
        sizes = config.layer
        inputs, neurons = sizes.inputs, sizes.neurons
        self._random = np.random.default_rng(self._seed)
        self._functions = error_functions(config)
        for kind in (FloatSnapshot, FloatArrays):
            require_fields(kind, (own.name for own in _CARRIED))
        require_fields(FloatRecords, (*recorded("neuron"), *recorded("input")))
        self._fresh = FloatSnapshot(
            weights=np.zeros((inputs, neurons)),
            **{own.name: np.zeros(own.shape(config)) for own in _CARRIED},
            random=dict(self._random.bit_generator.state),
            learned=0,
        )
        # The complete state, only ever replaced as a whole: see `BaseLayer`.
        self._now = self._fresh

    @property
    def weights(self) -> Reals:
        """A copy of the weights: shape (N, M), float64; row j belongs to input j."""
        return self._now.weights.copy()

    @property
    def state(self) -> LayerState:
        """A copy of the state before the next window, without the weights; it has no LFSRs."""
        now = self._now
        return LayerState(
            **{own.name: getattr(now, own.name).copy() for own in _CARRIED},
            noise_lfsr=(), update_lfsr=(), phase=self._phase(now),
        )  # fmt: skip

    def load(self, weights: NDArray[np.floating]) -> None:
        """Set the weights: finite real numbers of shape (N, M).

        Raises
        ------
        BitlifError
            If the shape or dtype is wrong, or a weight is infinite or NaN.

        Warns
        -----
        BitlifWarning
            If the weights are integers outside the weight format.
        """
        self._now = self._now._replace(weights=check_real_weights(self._config, weights))

    def reset(self) -> None:
        """Reset state, traces, noise and schedule to their initial values; keep the weights."""
        self._now = self._fresh._replace(weights=self._now.weights)

    @property
    def kind(self) -> str:
        """Kind of the files that `save` writes; it includes the seed, which decides the noise."""
        return f"{'matched' if self._matched else 'ideal'} float twin of seed {self._seed}"

    def to_arrays(self) -> Arrays:
        """Return the complete state as arrays; see `bitlif.model.floating.snapshot`."""
        return self._now.to_arrays()

    def from_arrays(self, arrays: Arrays) -> FloatSnapshot:
        """Return the snapshot that arrays of `to_arrays` describe."""
        return self._fresh.from_arrays(arrays)

    def _arguments(self) -> dict[str, Any]:
        return {"seed": self._seed, "matched": self._matched}

    def _facts(self) -> dict[str, object]:
        variant = "matched" if self._matched else "ideal"
        return {**super()._facts(), "variant": variant, "seed": self._seed}

    def run(
        self,
        events: Spikes,
        targets: Reals | None = None,
        *,
        gradient: bool = False,
        record: Sequence[str] = (),
        draws: Reals | None = None,
        resets: NDArray[np.uint8] | None = None,
    ) -> Result:
        """Run windows without changing the weights.

        Parameters
        ----------
        events : Events or Result
            Input spikes, or the result of another layer whose output spikes are the input.
        targets : (W, M) or (W, T, M) float
            Target spike probabilities in 0 ..= 1, per window or per step; or labels, (W,).
        gradient : bool
            Also return the gradient of each window.
        record : sequence of str
            Signals to return for each step: names of `bitlif.model.result.RECORDS`.
        draws : (W, T, M) float
            Noise in sigma, for instance that of the integer model. By default the twin draws
            Gaussian noise.
        resets : (W, T, M) uint8
            Steps in which each membrane is reset, instead of the neuron's spikes; used to follow
            another run.

        Returns
        -------
        Result
            With real numbers (float64) instead of raw integers.

        Raises
        ------
        BitlifError
            If an argument has the wrong type, shape or range, or required targets are missing.
        """
        wanted = check_records(record)
        if gradient:
            wanted = (*wanted, "gradient")
        return self._run(events, targets, False, wanted, draws, resets)

    def learn(
        self,
        events: Spikes,
        targets: Reals,
        *,
        record: Sequence[str] = (),
        draws: Reals | None = None,
        resets: NDArray[np.uint8] | None = None,
    ) -> Result:
        """Run windows one after another, and update all weights at the end of each.

        Parameters, return value and errors are those of `run`.
        """
        return self._run(events, targets, True, check_records(record), draws, resets)

    def _run(
        self,
        spikes: Spikes,
        targets: Reals | None,
        learn: bool,
        wanted: tuple[str, ...],
        draws: Reals | None,
        resets: NDArray[np.uint8] | None,
    ) -> Result:
        config = self._config
        events = check_events(config, spikes)
        neurons, inputs, steps = config.layer.neurons, config.layer.inputs, config.window.steps
        shape = (events.windows, steps, neurons)
        need_errors = learn or bool({"errors", "traces", "gradient"} & set(wanted))
        levels = self._targets(targets, events.windows, need_errors)
        for name, array in (("draws", draws), ("resets", resets)):
            if array is not None and array.shape != shape:
                raise BitlifTypeError(f"{name} must be of shape {shape}, not {array.shape}")
        noise = np.zeros(shape) if draws is None else draws
        forced = np.zeros((0, 1, 1), np.uint8) if resets is None else resets

        def optional(name: str, *size: int) -> Reals:
            return np.zeros((events.windows if name in wanted else 0, *size))

        records = FloatRecords(
            raster=np.zeros(shape, np.uint8),
            **{name: optional(name, steps, neurons) for name in recorded("neuron")},
            errors=optional("errors", steps, neurons),
            **{name: optional(name, steps, inputs) for name in recorded("input")},
            gradient=optional("gradient", neurons, inputs),
        )
        clear = config.window.cleared[:2]
        scratch = float_scratch(config)
        most = max(1, PIECE_WORK // (steps * inputs * neurons))
        first = 0
        ends = derive(config).phase_ends
        while first < events.windows:
            # An interrupt is handled between two pieces, each of a whole number of windows.
            now = self._now.copied()
            phase = self._phase(now)
            last = min(events.windows, first + most)
            if learn and phase < len(ends):
                last = min(last, first + ends[phase] - now.learned)
            if draws is None:
                now = now._replace(random=self._draw(now.random, noise[first:last]))
            arrays = FloatArrays(
                *self._functions, **{own.name: getattr(now, own.name) for own in _CARRIED}
            )
            compiled(run_float_windows)(
                first, last, 0, steps, learn, need_errors, now.weights, events.pointers,
                events.addresses, levels, noise, forced, arrays, *scratch, records, clear,
                float_constants(config, phase, matched=self._matched),
            )  # fmt: skip
            self._now = now._replace(learned=now.learned + (last - first) * learn)
            first = last
        given = {name: getattr(records, name) for name in wanted if name != "draws"}
        if "draws" in wanted:
            given["draws"] = noise
        return Result(records.raster, {"synaptic_events": events.count * neurons}, **given)

    def _draw(self, state: dict[str, Any], noise: Reals) -> dict[str, Any]:
        """Fill `noise` from the generator in the given state; return its state afterwards."""
        if not self._config.noise.drawn:
            return state
        self._random.bit_generator.state = state
        self._random.standard_normal(out=noise)
        return dict(self._random.bit_generator.state)

    def _targets(self, targets: Reals | None, windows: int, needed: bool) -> Reals:
        """Return checked real targets, an empty array if there are none."""
        if needed:
            require_learnable(self._config)
        if targets is None:
            require_no_targets(self._config, needed=needed)
            return np.zeros((0, 1, self._config.layer.neurons))
        return check_real_targets(self._config, targets, windows)
