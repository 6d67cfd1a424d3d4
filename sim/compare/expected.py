"""Computes with the integer model what a core must produce, signal by signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.core_signals import COUNTERS
from bitlif.model.clocks import step_clocks, window_end
from bitlif.model.config.config import Config
from bitlif.model.constants import Constants, Filter, PhaseConstants
from bitlif.model.derive import derive
from bitlif.model.layer import Layer
from bitlif.model.result import LayerState, Result
from bitlif.model.signature import Signature
from bitlif.model.state import recorded, state_variables
from bitlif.tasks.scenario import Work, targets_by_step

RECORD_INFERENCE = (*recorded("neuron"), "draws")
RECORD_LEARNING = (*RECORD_INFERENCE, "errors", "traces", "gradient")


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """The model's run, with the same axes as `bitlif.sim.cocotb.cosim.CosimRun`.

    Attributes
    ----------
    observed : dict of str to array
        Values by name of the probe.
    weights : (N, M) int64
        Weights at the end.
    state : LayerState
        State at the end.
    counters : dict of str to int
        Counters at the end, by name.
    step_signatures : (W, T) int64
        Signature at the end of each step, before the weight update.
    step_clocks : (W, T) int64
        Clock cycles of each step.
    window_end : int
        Clock cycles from the last step of a window to its end.
    raster : (W, T, M) uint8
        Output spikes.
    phases : list of int
        Phase of the schedule in each window.
    targets : (W, T, M) int64
        Raw targets, zeros without targets.
    """

    observed: dict[str, NDArray[Any]]
    weights: NDArray[np.int64]
    state: LayerState
    counters: dict[str, int]
    step_signatures: NDArray[np.int64]
    step_clocks: NDArray[np.int64]
    window_end: int
    raster: NDArray[np.uint8]
    phases: list[int]
    targets: NDArray[np.int64]


def compute_expected(work: Work, *, interpreted: bool = False) -> Expected:
    """Run the integer model over the same windows.

    `interpreted` runs it without compiling it, which is faster for a few small windows.
    """
    config, learn = work.config, work.learns
    layer, signature = Layer(config, interpreted=interpreted), Signature(config.layer)
    layer.load(work.weights)
    seen: dict[str, list[NDArray[Any]]] = {}
    counters = dict.fromkeys(COUNTERS, 0)
    signatures, clocks, rasters, phases = [], [], [], []
    trace_state = np.zeros(config.layer.inputs, np.int64)
    targets = _targets(work)
    for w in range(work.events.windows):
        phase, weights = derive(config).phases[layer.phase], layer.weights
        phases.append(layer.phase)
        one = work.events.select([w])
        # Their dtype says that they are raw; see `bitlif.model.targets`.
        goals = targets[w : w + 1].astype(np.uint16) if work.takes_targets else None
        if learn:
            assert goals is not None
            result = layer.learn(one, goals, record=RECORD_LEARNING)
        else:
            result = layer.run(one, goals, record=RECORD_INFERENCE)
        signatures.append(signature.take_window(result))
        found = neuron_signals(config, result, one.raster()[0], weights, targets[w], phase)
        if learn:
            if config.window.trace == "clear":
                trace_state[:] = 0
            found["synaptic trace"] = _synaptic_trace(config, one.raster()[0], trace_state)
            signature.take_weights(layer.weights)
            assert result.errors is not None
            assert result.traces is not None
            assert result.gradient is not None
            found |= {
                "error": result.errors[0],
                "PSP trace": result.traces[0],
                "gradient": result.gradient[0].T,
                "weight": layer.weights,
            }
        noise, update = layer.lfsr_states
        found["noise LFSR"] = states_as_int64(noise)
        found["update LFSR"] = states_as_int64(update)
        found["signature"] = np.array([signature.value])
        for name, values in found.items():
            seen.setdefault(name, []).append(np.asarray(values, np.int64))
        for name in COUNTERS:
            counters[name] += result.counters[name]
        rasters.append(result.raster[0])
        clocks.append(step_clocks(config, one, result, learn=learn, learning_core=work.learning)[0])
    return Expected(
        observed={name: np.array(values) for name, values in seen.items()},
        weights=layer.weights,
        state=layer.state,
        counters=counters,
        step_signatures=np.array(signatures),
        step_clocks=np.array(clocks),
        window_end=window_end(config, learn=learn),
        raster=np.array(rasters),
        phases=phases,
        targets=targets,
    )


def _targets(work: Work) -> NDArray[np.int64]:
    """Return the raw targets, shape (W, T, M); zeros without targets."""
    config, events = work.config, work.events
    shape = (events.windows, events.steps, config.layer.neurons)
    if work.targets is None:
        return np.zeros(shape, np.int64)
    return targets_by_step(config, events, work.targets).reshape(shape)


def states_as_int64(states: tuple[int, ...]) -> NDArray[np.int64]:
    """Return LFSR states of up to 64 bits reinterpreted as signed integers."""
    return np.array(states, np.uint64).view(np.int64)


def neuron_signals(
    config: Config, result: Result, raster: NDArray[np.bool_], weights: NDArray[np.int64],
    targets: NDArray[np.int64], phase: PhaseConstants,
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """Return the signals of all neurons in one window, each of shape (T, M)."""
    c: Constants = derive(config).constants
    assert result.membrane is not None
    assert result.draws is not None
    before, draws = result.membrane[0], result.draws[0]
    noise = (phase.noise_scale * draws + c.noise_bias) >> c.noise_shift
    resets = 2 * targets >= c.target_one if c.teacher_reset else result.raster[0] > 0
    exact = before + noise * c.keep_noise - c.subtracted * resets
    kept = np.clip(exact, c.membrane.low, c.membrane.high)
    return {
        "weight sum": raster.astype(np.int64) @ weights,
        **{
            own.title: getattr(result, own.record)[0]
            for own in state_variables("neuron")
            if own.record is not None
        },
        "noise draw": draws,
        "spike": result.raster[0],
        "kept membrane": np.where(resets & (c.subtracted == 0), 0, kept),
    }


def _synaptic_trace(
    config: Config, raster: NDArray[np.bool_], state: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the synaptic traces of a window, shape (T, N), and update `state` in place."""
    f: Filter = derive(config).constants.trace_current
    out = np.zeros(raster.shape, np.int64)
    for t, spiked in enumerate(raster):
        total = (f.keep * state + f.take * spiked.astype(np.int64) + f.bias) >> f.shift
        state[:] = np.clip(total, f.low, f.high)
        out[t] = state
    return out
