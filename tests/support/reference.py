"""The contract written a second time: one plain loop over Python integers, slow and without tricks.

It shares with the model only the configuration and its derived constants. LFSRs are walked bit by
bit, each neuron's draw is found from its lane and slot, sums are Python's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.events import Events
from bitlif.model.lfsr import Lfsr
from bitlif.model.noise import quantile_table


def sat(x: int, low: int, high: int, count: dict[str, int], name: str) -> int:
    if x < low or x > high:
        count[name] += 1
    return low if x < low else high if x > high else x


class Tap:
    """The bit stream of one lane, read one draw at a time."""

    def __init__(self, source: Lfsr, leap: int) -> None:
        self.start = self.now = source
        self.leap = leap

    def take(self, bits: int) -> int:
        word = self.now.state & ((1 << bits) - 1)
        self.now = self.now.leap(self.leap)
        return word


def run_reference(config: Config, weights: Any, events: Events, targets: Any) -> dict[str, Any]:
    """Learn all windows of `events`; return all signals as nested lists over windows."""
    d = derive(config)
    c = d.constants
    n_inputs, n_neurons, lanes = config.layer.inputs, config.layer.neurons, config.layer.lanes
    slots, steps = config.layer.slots, config.window.steps
    noise, learning = config.noise, config.learning
    taps = [Tap(source, noise.leap) for source in noise.lfsr.streams(lanes)]
    if noise.kind == "none":
        taps = []
    rounders = [Tap(source, learning.leap) for source in learning.lfsr.streams(lanes)]
    w = [[int(x) for x in row] for row in weights]
    current, membrane = [0] * n_neurons, [0] * n_neurons
    synaptic, psp = [0] * n_inputs, [0] * n_inputs
    raster = events.raster()
    count = dict.fromkeys(("current", "membrane", "error", "synaptic", "trace", "weight"), 0)
    out: dict[str, Any] = {
        name: [] for name in ("raster", "membrane", "errors", "traces", "gradient")
    }
    for window in range(events.windows):
        phase = d.phases[sum(window >= end for end in d.phase_ends)]
        if config.window.state == "clear":
            current, membrane = [0] * n_neurons, [0] * n_neurons
        if config.window.trace == "clear":
            synaptic, psp = [0] * n_inputs, [0] * n_inputs
        if config.window.lfsr == "clear":
            for tap in taps + rounders:
                tap.now = tap.start
        gradient = [[0] * n_inputs for _ in range(n_neurons)]
        spikes_w, membrane_w, errors_w, traces_w = [], [], [], []
        for t in range(steps):
            words = [
                [tap.take(noise.draw_bits) for tap in taps] or [0] * lanes for _ in range(slots)
            ]
            inputs = [int(x) for x in raster[window, t]]
            goal = targets[window] if np.ndim(targets) == 2 else targets[window, t]
            for j in range(n_inputs):
                f = c.trace_current
                x = (f.keep * synaptic[j] + f.take * inputs[j] + f.bias) >> f.shift
                synaptic[j] = sat(x, f.low, f.high, count, "synaptic")
                f = c.trace
                x = (f.keep * psp[j] + f.take * synaptic[j] + f.bias) >> f.shift
                psp[j] = sat(x, f.low, f.high, count, "trace")
            spikes, potentials, errors = [], [], []
            for i in range(n_neurons):
                slot, lane = divmod(i, lanes)
                f = c.current
                total = sum(w[j][i] for j in range(n_inputs) if inputs[j])
                x = (f.keep * current[i] + f.take * total + f.bias) >> f.shift
                current[i] = sat(x, f.low, f.high, count, "current")
                f = c.membrane
                x = (f.keep * membrane[i] + f.take * current[i] + f.bias) >> f.shift
                before = sat(x, f.low, f.high, count, "membrane")
                draw = centred(noise, words[slot][lane])
                n = (phase.noise_scale * draw + c.noise_bias) >> c.noise_shift
                spike = before + n >= c.threshold
                q = int(goal[i])
                place = ((before - c.threshold) * phase.reciprocal) >> c.bin_shift
                index = min(max(place, -c.half_bins), c.half_bins - 1) + c.half_bins
                exact = q * d.table[0][index] - (c.target_one - q) * d.table[1][index]
                e = sat(
                    (exact + c.error_bias) >> c.error_shift,
                    c.error_low,
                    c.error_high,
                    count,
                    "error",
                )
                for j in range(n_inputs):
                    gradient[i][j] += e * psp[j]
                kept = before
                subtract = config.membrane.reset == "subtract"
                if config.membrane.injection == "membrane" or subtract:
                    kept += n if config.membrane.injection == "membrane" else 0
                    kept -= c.threshold if subtract and spike else 0
                    kept = sat(kept, f.low, f.high, count, "membrane")
                own = 2 * q >= c.target_one if config.membrane.reset == "teacher" else spike
                membrane[i] = 0 if own and not subtract else kept
                spikes.append(int(spike))
                potentials.append(before)
                errors.append(e)
            spikes_w.append(spikes)
            membrane_w.append(potentials)
            errors_w.append(errors)
            traces_w.append(list(psp))
        bits = learning.random_bits
        shift = phase.rate_right + bits - phase.rate_left
        for slot in range(slots):
            for j in range(n_inputs):
                randoms = [rounders[lane].take(bits) if bits else 0 for lane in range(lanes)]
                for lane in range(lanes):
                    i = slot * lanes + lane
                    if i < n_neurons:
                        change = stochastic(phase.rate * gradient[i][j], shift, bits, randoms[lane])
                        w[j][i] = sat(
                            w[j][i] + change, c.weight_low, c.weight_high, count, "weight"
                        )
        for name, value in zip(
            out, (spikes_w, membrane_w, errors_w, traces_w, gradient), strict=True
        ):
            out[name].append(value)
    return {
        **out,
        "weights": w,
        "counts": count,
        "noise_states": [tap.now.state for tap in taps],
        # Without draws there is no register.
        "update_states": [tap.now.state for tap in rounders if learning.random_bits],
    }


def centred(noise: Any, word: int) -> int:
    """Return the draw computed from a word of bits."""
    if noise.kind == "none":
        return 0
    if noise.kind == "inverse_cdf":
        return quantile_table(noise.word_bits, noise.level_bits)[word]
    if noise.kind == "popcount":
        return 2 * bin(word).count("1") - noise.draw_bits
    mask = (1 << noise.word_bits) - 1
    total = sum((word >> (k * noise.word_bits)) & mask for k in range(noise.words))
    return 2 * total - noise.words * mask


def stochastic(x: int, shift: int, bits: int, random: int) -> int:
    """Return ``x / 2**shift`` rounded to `bits` fractional bits (nearest), plus random, floored."""
    if bits == 0:
        return (2 * x + (1 << shift)) >> (shift + 1)
    fine = (2 * x * (1 << bits) + (1 << shift)) >> (shift + 1)
    return (fine + random) >> bits
