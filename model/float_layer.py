"""The float64 twin of `bitlif.model.layer.Layer`: same interface, the rule in real numbers.

Two twins in one class. The *ideal* one is the textbook: Gaussian noise and hazard (up to the
rule's limit), exact leaks, nothing saturates. The *matched* one shares with the integers all that
is not rounding: the noise's own distribution, the ends of every format, the table's span and limit;
fed with the integer model's draws it may differ only by what `bitlif.model.bound` allows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .checks import check_events
from .config import Config, DecayConfig
from .derive import derive
from .engine import compiled
from .errors import BitlifError, BitlifTypeError, require_int
from .events import Events
from .fixed import Format
from .float_step import (
    GAUSSIAN,
    PIECEWISE,
    TABLE,
    FloatArrays,
    FloatConstants,
    FloatRecords,
    run_float_windows,
)
from .result import RECORDS, LayerState, Result, check_records
from .text import quoted

Reals = NDArray[np.float64]


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
    """

    def __init__(self, config: Config, *, seed: int = 0, matched: bool = False) -> None:
        if not isinstance(config, Config):
            raise BitlifTypeError(f"config must be a Config, not {quoted(config)}")
        self._config = config
        self._seed = require_int("seed", seed, 0, (1 << 63) - 1)
        self._matched = matched
        sizes = config.layer
        self._weights: Reals = np.zeros((sizes.inputs, sizes.neurons))
        self.reset()

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
        return self._weights.copy()

    @property
    def windows_learned(self) -> int:
        """Windows learned since `reset`."""
        return self._learned

    @property
    def phase(self) -> int:
        """Index of the schedule's phase that the next window runs in."""
        return sum(self._learned >= end for end in derive(self._config).phase_ends)

    @property
    def state(self) -> LayerState:
        """A copy of all that the next window starts from, but the weights; it has no LFSRs."""
        kept = self._arrays
        return LayerState(
            kept.current.copy(), kept.membrane.copy(), kept.trace_current.copy(),
            kept.trace.copy(), (), (), self.phase,
        )  # fmt: skip

    def load(self, weights: NDArray[np.floating]) -> None:
        """Set the weights: finite real numbers of shape (N, M)."""
        array = np.asarray(weights)
        if array.shape != self._weights.shape or array.dtype.kind not in "fiu":
            raise BitlifTypeError(
                f"weights must be numbers of shape (inputs, neurons) = {self._weights.shape}, "
                f"not {array.dtype} of shape {array.shape}"
            )
        if not np.isfinite(array).all():
            raise BitlifError(f"weights must be finite, not {array[~np.isfinite(array)][0]}")
        self._weights[...] = array

    def reset(self) -> None:
        """Go back to the beginning: state, traces, noise and schedule; the weights stay."""
        self._learned = 0
        self._random = np.random.default_rng(self._seed)
        config = self._config
        inputs, neurons = config.layer.inputs, config.layer.neurons
        pmf = config.noise.pmf
        self._arrays = FloatArrays(
            pmf.knots_in_sigma(),
            pmf.cumulative(),
            np.array(config.error.a, np.float64),
            np.array(config.error.b, np.float64),
            *(np.zeros(n) for n in (neurons, neurons, inputs, inputs)),
        )

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
        if draws is None:
            draws = self._random.standard_normal(shape)
        for name, array in (("draws", draws), ("resets", resets)):
            if array is not None and array.shape != shape:
                raise BitlifTypeError(f"{name} must be of shape {shape}, not {array.shape}")
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
            np.zeros((neurons, inputs)), np.zeros(inputs),
        )  # fmt: skip
        first = 0
        ends = derive(config).phase_ends
        while first < events.windows:
            last = events.windows
            if learn and self.phase < len(ends):
                last = min(last, first + ends[self.phase] - self._learned)
            compiled(run_float_windows)(
                first, last, learn, need_errors, self._weights, events.pointers, events.addresses,
                levels, draws, forced, self._arrays, scratch[0], scratch[1], scratch[2],
                scratch[3], scratch[4], records, clear, self._constants(),
            )  # fmt: skip
            self._learned += (last - first) * learn
            first = last
        given = {name: getattr(records, name) for name in wanted if name != "draws"}
        if "draws" in wanted:
            given["draws"] = draws
        return Result(records.raster, {"synaptic_events": events.count * neurons}, **given)

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

    def _constants(self) -> FloatConstants:
        config, matched = self._config, self._matched
        phase = config.schedule[self.phase]
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
