"""The float64 twin of `bitlif.model.layer.Layer`: same interface, the rule in real numbers.

Two twins in one class. The *ideal* one is the textbook: Gaussian noise and hazard (up to the
rule's limit), exact leaks, nothing saturates. The *matched* one shares with the integers all that
is not rounding: the noise's own distribution, the ends of every format, the table's span and limit;
fed with the integer model's draws it may differ only by what `bitlif.model.floating.bound` allows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.checks import check_events
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.engine.compile import compiled
from bitlif.model.errors import BitlifError, BitlifTypeError, require_int, require_kind, warn
from bitlif.model.events import Events
from bitlif.model.files.save_file import Arrays, load_saved, save_arrays
from bitlif.model.fixed import Format
from bitlif.model.result import RECORDS, LayerState, Result, check_records
from bitlif.model.sections import DecayConfig
from bitlif.model.text import quoted

from .snapshot import FloatSnapshot
from .step import (
    GAUSSIAN,
    PIECEWISE,
    TABLE,
    FloatArrays,
    FloatConstants,
    FloatRecords,
    run_float_windows,
)

Reals = NDArray[np.float64]

PIECE_WORK = 1 << 26
"""Products of the windows between which an interrupt is answered: about 0.1 s."""


def real_leak(decay: DecayConfig) -> float:
    """Return the leak factor that the time constant or shift stands for, unrounded."""
    return 1.0 - 2.0**-decay.shift if decay.shift else math.exp(-1.0 / decay.tau)


class FloatLayer:
    """A layer in float64 that runs and learns windows as `Layer` does, on real numbers.

    Parameters
    ----------
    config : Config
    seed : int
        Seed of the twin's own noise, used where no draws are given.
    matched : bool
        False: the ideal twin. True: the matched one; see the module.

    Notes
    -----
    An interrupt or an error leaves a whole number of windows done, as in `Layer`; the noise belongs
    to what agrees.
    """

    def __init__(self, config: Config, *, seed: int = 0, matched: bool = False) -> None:
        if not isinstance(config, Config):
            raise BitlifTypeError(f"config must be a Config, not {quoted(config)}")
        self._config = config
        self._seed = require_int("seed", seed, 0, (1 << 63) - 1)
        self._matched = matched
        sizes = config.layer
        inputs, neurons = sizes.inputs, sizes.neurons
        self._random = np.random.default_rng(self._seed)
        pmf = config.noise.pmf
        self._functions = (
            pmf.knots_in_sigma(),
            pmf.cumulative(),
            np.array(config.error.a, np.float64),
            np.array(config.error.b, np.float64),
        )
        self._fresh = FloatSnapshot(
            weights=np.zeros((inputs, neurons)),
            current=np.zeros(neurons),
            membrane=np.zeros(neurons),
            trace_current=np.zeros(inputs),
            trace=np.zeros(inputs),
            random=dict(self._random.bit_generator.state),
            learned=0,
        )
        # All that changes, replaced as a whole by one assignment: see `snapshot`.
        self._now = self._fresh

    @property
    def config(self) -> Config:
        """The configuration."""
        return self._config

    @property
    def records(self) -> tuple[str, ...]:
        """What `run` and `learn` can record."""
        return RECORDS

    @property
    def weights(self) -> Reals:
        """A copy of the weights: shape (N, M), float64."""
        return self._now.weights.copy()

    @property
    def windows_learned(self) -> int:
        """Windows learned since `reset`."""
        return self._now.learned

    @property
    def phase(self) -> int:
        """Index of the schedule's phase that the next window runs in."""
        return self._phase(self._now)

    @property
    def state(self) -> LayerState:
        """A copy of all that the next window starts from, but the weights; it has no LFSRs."""
        now = self._now
        return LayerState(
            now.current.copy(), now.membrane.copy(), now.trace_current.copy(),
            now.trace.copy(), (), (), self._phase(now),
        )  # fmt: skip

    def load(self, weights: NDArray[np.floating]) -> None:
        """Set the weights: finite real numbers of shape (N, M)."""
        array = np.asarray(weights)
        shape = self._now.weights.shape
        if array.shape != shape or array.dtype.kind not in "fiu":
            raise BitlifTypeError(
                f"weights must be numbers of shape (inputs, neurons) = {shape}, "
                f"not {array.dtype} of shape {array.shape}"
            )
        if not np.isfinite(array).all():
            raise BitlifError(f"weights must be finite, not {array[~np.isfinite(array)][0]}")
        fmt = self._config.synapse.weight
        low, high = (float(fmt.real(raw)) for raw in (fmt.raw_min, fmt.raw_max))
        if (
            array.dtype.kind in "iu"
            and array.size
            and not low <= array.min() <= array.max() <= high
        ):
            warn(
                f"integer weights are read as real numbers here, up to {abs(array).max()}; raw "
                f"weights must be multiplied by their LSB, {float(fmt.lsb):g}"
            )
        self._now = self._now._replace(weights=np.array(array, np.float64))

    def reset(self) -> None:
        """Go back to the beginning: state, traces, noise and schedule; the weights stay."""
        self._now = self._fresh._replace(weights=self._now.weights)

    def snapshot(self) -> FloatSnapshot:
        """Return where the layer stands, weights included, for `restore`. Nothing is copied."""
        return self._now

    def restore(self, snapshot: FloatSnapshot) -> None:
        """Go back, or on, to a snapshot of this layer."""
        require_kind("snapshot", snapshot, FloatSnapshot)
        self._now = snapshot

    @property
    def kind(self) -> str:
        """Of the files that it writes: with another seed, the noise is another."""
        return f"{'matched' if self._matched else 'ideal'} float twin of seed {self._seed}"

    def save(self, path: str | Path) -> None:
        """Write where the layer stands to an ``.npz`` file, for `resume`."""
        save_arrays(path, self.kind, self._config, self.to_arrays())

    def resume(self, path: str | Path) -> None:
        """Go on from where a twin of the same configuration and seed stood at its `save`.

        Raises
        ------
        BitlifError
            If the file cannot be read, is of another configuration, kind of layer or seed, or holds
            what no layer could. The layer is then as it was.
        """
        self._now = self.from_arrays(load_saved(path, self.kind, self._config))

    def to_arrays(self) -> Arrays:
        """Return where the layer stands as plain arrays; see `bitlif.model.floating.snapshot`."""
        return self._now.to_arrays()

    def from_arrays(self, arrays: Arrays) -> FloatSnapshot:
        """Return the snapshot that arrays from elsewhere stand for, if they fit; else raise."""
        return self._fresh.from_arrays(arrays)

    def __getstate__(self) -> dict[str, Any]:
        own = {"config": self._config, "seed": self._seed, "matched": self._matched}
        return {**own, "arrays": self.to_arrays()}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        arrays = saved.pop("arrays")
        FloatLayer.__init__(self, **saved)
        self._now = self.from_arrays(arrays)

    def run(
        self,
        events: Events,
        targets: Reals | None = None,
        *,
        gradient: bool = False,
        record: Sequence[str] = (),
        draws: Reals | None = None,
        resets: NDArray[np.uint8] | None = None,
    ) -> Result:
        """Run windows without changing a weight.

        Parameters
        ----------
        events : Events
        targets : (W, M) or (W, T, M) float
            In 0 ..= 1.
        gradient : bool
            Also give each window's gradient.
        record : names of `bitlif.model.result.RECORDS`
        draws : (W, T, M) float
            Noise in sigma, for instance the integer model's; default: the twin's own, Gaussian.
        resets : (W, T, M) uint8
            Steps that reset each membrane, in place of the spikes: to follow another run.
        """
        wanted = check_records((*record, "gradient") if gradient else tuple(record))
        return self._run(events, targets, False, wanted, draws, resets)

    def learn(
        self,
        events: Events,
        targets: Reals,
        *,
        record: Sequence[str] = (),
        draws: Reals | None = None,
        resets: NDArray[np.uint8] | None = None,
    ) -> Result:
        """Run windows one after another, each ending with the update of all weights."""
        return self._run(events, targets, True, check_records(tuple(record)), draws, resets)

    def _run(
        self,
        events: Events,
        targets: Reals | None,
        learn: bool,
        wanted: tuple[str, ...],
        draws: Reals | None,
        resets: NDArray[np.uint8] | None,
    ) -> Result:
        config = self._config
        check_events(config, events)
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
            np.zeros(shape, np.uint8),
            optional("current", steps, neurons),
            optional("membrane", steps, neurons),
            optional("errors", steps, neurons),
            optional("traces", steps, inputs),
            optional("gradient", neurons, inputs),
        )
        keeps = config.window
        clear = (keeps.state == "clear", keeps.trace == "clear")
        scratch = (
            np.zeros(neurons), np.zeros((steps, neurons)), np.zeros((steps, inputs)),
            np.zeros((neurons, inputs)), np.zeros(inputs), np.zeros((2, inputs)),
        )  # fmt: skip
        most = max(1, PIECE_WORK // (steps * inputs * neurons))
        first = 0
        ends = derive(config).phase_ends
        while first < events.windows:
            # An interrupt comes between two windows: it finds the layer before or after a piece.
            now = self._now.copied()
            phase = self._phase(now)
            last = min(events.windows, first + most)
            if learn and phase < len(ends):
                last = min(last, first + ends[phase] - now.learned)
            if draws is None:
                now = now._replace(random=self._draw(now.random, noise[first:last]))
            arrays = FloatArrays(
                *self._functions, now.current, now.membrane, now.trace_current, now.trace
            )
            compiled(run_float_windows)(
                first, last, learn, need_errors, now.weights, events.pointers, events.addresses,
                levels, noise, forced, arrays, *scratch, records, clear, self._constants(phase),
            )  # fmt: skip
            self._now = now._replace(learned=now.learned + (last - first) * learn)
            first = last
        given = {name: getattr(records, name) for name in wanted if name != "draws"}
        if "draws" in wanted:
            given["draws"] = noise
        return Result(records.raster, {"synaptic_events": events.count * neurons}, **given)

    def _draw(self, state: dict[str, Any], noise: Reals) -> dict[str, Any]:
        """Fill `noise` with what follows the generator's `state`; return its state afterwards."""
        self._random.bit_generator.state = state
        self._random.standard_normal(out=noise)
        return dict(self._random.bit_generator.state)

    def _phase(self, now: FloatSnapshot) -> int:
        return sum(now.learned >= end for end in derive(self._config).phase_ends)

    def _targets(self, targets: Reals | None, windows: int, needed: bool) -> Reals:
        config = self._config
        neurons, steps = config.layer.neurons, config.window.steps
        if targets is None:
            if needed or config.membrane.reset == "teacher":
                raise BitlifError("targets must be given for learning or a teacher's reset")
            return np.zeros((0, 1, neurons))
        array = np.asarray(targets, np.float64)
        shapes = ((windows, neurons), (windows, steps, neurons))
        if array.shape not in shapes:
            raise BitlifTypeError(
                f"targets must be of shape {shapes[0]} or {shapes[1]}, not {array.shape}"
            )
        if array.size and not (array.min() >= 0.0 and array.max() <= 1.0):
            raise BitlifError("targets must be in 0 ..= 1 and not NaN")
        return np.ascontiguousarray(array[:, None, :] if array.ndim == 2 else array)

    def _constants(self, number: int) -> FloatConstants:
        config, matched = self._config, self._matched
        phase = config.schedule[number]
        error = config.error
        rule = PIECEWISE if matched else GAUSSIAN
        rule = TABLE if error.rule == "table" else rule

        def ends(fmt: Format) -> tuple[float, float]:
            if not matched:
                return -math.inf, math.inf
            return float(fmt.real(fmt.raw_min)), float(fmt.real(fmt.raw_max))

        current, membrane = ends(config.synapse.current), ends(config.membrane.format)
        weight, errors = ends(config.synapse.weight), ends(error.format)
        return FloatConstants(
            leak_s=real_leak(config.synapse.decay),
            leak_m=real_leak(config.membrane.decay),
            gain=config.membrane.gain,
            threshold=config.membrane.threshold,
            sigma=phase.sigma,
            rate=(phase.rate or config.learning.rate) / config.window.steps,
            teacher_reset=config.membrane.reset == "teacher",
            keep_noise=config.membrane.injection == "membrane",
            rule=rule,
            clipped=error.rule == "clipped",
            guard=error.guard,
            limit=error.limit,
            span=float(1 << error.span),
            current_low=current[0],
            current_high=current[1],
            membrane_low=membrane[0],
            membrane_high=membrane[1],
            trace_current_high=ends(config.trace.current)[1],
            trace_high=ends(config.trace.format)[1],
            error_low=errors[0],
            error_high=errors[1],
            weight_low=weight[0],
            weight_high=weight[1],
        )
