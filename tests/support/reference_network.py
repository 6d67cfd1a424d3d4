"""The contract of networks written a second time: plain loops over Python integers.

It shares with the model only the configuration, and the constants and tables of single layers. The
constants of the sweep are computed here from the formats, as docs/networks.md says.
"""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from bitlif.model.config.network import NetworkConfig
from bitlif.model.derive import derive, leak_factor
from bitlif.model.events import Events

from reference import Tap, centred, stochastic


def nearest(x: Fraction) -> int:
    return (2 * x.numerator + x.denominator) // (2 * x.denominator)


class Narrow:
    """Rounding and saturation to a format of the sweep, from a number of fractional bits."""

    def __init__(self, sweep: Any, fmt: Any, frac: int) -> None:
        self.mode, self.bits, self.fmt = str(sweep.rounding), sweep.random_bits, fmt
        self.shift, self.take = max(frac - fmt.frac, 0), 1 << max(fmt.frac - frac, 0)

    def __call__(self, x: int, random: int, counts: dict[str, int], name: str) -> int:
        x *= self.take
        if self.mode == "toward_zero":
            y = abs(x) // (1 << self.shift)
            y = -y if x < 0 else y
        elif self.mode == "nearest":
            y = nearest(Fraction(x, 1 << self.shift))
        else:
            y = stochastic(x, self.shift, self.bits, random)
        low, high = self.fmt.raw_min, self.fmt.raw_max
        counts[name] += not low <= y <= high
        return min(max(y, low), high)


class NaiveLayer:
    """A layer of a network with its state."""

    def __init__(self, network: NetworkConfig, number: int, weights: Any) -> None:
        own = network.layers[number]
        self.config, self.sweep = own.config, own.sweep
        self.hidden = number < len(network.layers) - 1
        self.after = network.layers[number + 1] if self.hidden else None
        self.learned = number >= network.learned_from
        self.d = derive(own.config)
        self.w = [[int(x) for x in row] for row in weights]
        noise, learning, lanes = own.config.noise, own.config.learning, own.config.layer.lanes
        self.taps = [Tap(source, noise.leap) for source in noise.lfsr.streams(lanes)]
        if noise.kind == "none":
            self.taps = []
        self.rounders = [Tap(source, learning.leap) for source in learning.lfsr.streams(lanes)]
        self.sweepers = [Tap(source, own.sweep.leap) for source in own.sweep.lfsr.streams(lanes)]
        sizes = own.config.layer
        self.current, self.potential = [0] * sizes.neurons, [0] * sizes.neurons
        # Drive and adjoint membrane of each step and neuron of the last window.
        self.swept: dict[tuple[int, int], tuple[int, int]] = {}
        self.counts = dict.fromkeys(("credit", "membrane", "current", "weight"), 0)
        self._formats()

    def _formats(self) -> None:
        config, sweep = self.config, self.sweep
        self.keep_m, keep_m_bits = leak_factor("membrane.decay", config.membrane.decay)
        self.keep_s, keep_s_bits = leak_factor("synapse.decay", config.synapse.decay)
        self.gain = nearest(Fraction(config.membrane.gain) * (1 << config.membrane.gain_bits))
        taken = sweep.credit.frac if self.hidden else config.error.format.frac
        state = sweep.membrane.frac + keep_m_bits
        self.lam_keep = self.keep_m << (max(state, taken) - state)
        self.lam_take = 1 << (max(state, taken) - taken)
        self.lam_narrow = Narrow(sweep, sweep.membrane, max(state, taken))
        taken = config.membrane.gain_bits + sweep.membrane.frac
        state = sweep.current.frac + keep_s_bits
        self.kap_keep = self.keep_s << (max(state, taken) - state)
        self.kap_take = self.gain << (max(state, taken) - taken)
        self.kap_narrow = Narrow(sweep, sweep.current, max(state, taken))
        if self.after is not None:
            frac = 3 if sweep.feedback == "sign" else self.after.config.synapse.weight.frac
            bits = sweep.surrogate.bits
            frac += self.after.sweep.current.frac + (bits if bits > 1 else 0)
            self.credit_narrow = Narrow(sweep, sweep.credit, frac)
        lsb = config.membrane.format.lsb
        self.width = Fraction(sweep.surrogate.width) / lsb
        # The rate's mantissa and shift for the unit of kap, from its real value.
        self.unit = sweep.current.lsb / config.synapse.weight.lsb

    def rate(self, phase: int) -> tuple[int, int]:
        config = self.config
        rate = config.schedule[phase].rate or config.learning.rate
        ratio = Fraction(repr(rate)) / config.window.steps * self.unit
        bits = config.learning.rate_bits
        shift = 0
        while nearest(ratio * 2 ** (shift + 1)) < 1 << bits and shift < 62:
            shift += 1
        return nearest(ratio * 2**shift), shift

    def derivative(self, potential: int) -> int:
        distance, bits = abs(potential - self.d.constants.threshold), self.sweep.surrogate.bits
        if bits == 1:
            return int(distance < nearest(self.width))
        if distance >= nearest(4 * self.width):
            return 0
        shift = 0
        while shift < 46 and nearest(16 / self.width * 2 ** (shift + 1)) < 1 << 16:
            shift += 1
        index = min((distance * nearest(16 / self.width * 2**shift)) >> shift, 63)
        edges = [
            Fraction(self.config.noise.pmf.probability_above(Decimal(k) / 16)) for k in range(65)
        ]
        mass = [after - before for before, after in itertools.pairwise(edges)]
        return nearest(mass[index] / max(mass) * ((1 << bits) - 1))

    def forward(self, inputs: list[list[int]], goals: Any, phase: Any) -> None:
        """Run a window; keep spikes and potentials."""
        config, c = self.config, self.d.constants
        lanes, slots = config.layer.lanes, config.layer.slots
        self.spikes: list[list[int]] = []
        self.before: list[list[int]] = []
        for t, row in enumerate(inputs):
            bits = config.noise.draw_bits
            words = [[tap.take(bits) for tap in self.taps] or [0] * lanes for _ in range(slots)]
            spikes, potentials = [], []
            for i in range(config.layer.neurons):
                f = c.current
                total = sum(self.w[j][i] for j, spiked in enumerate(row) if spiked)
                x = (f.keep * self.current[i] + f.take * total + f.bias) >> f.shift
                self.current[i] = min(max(x, f.low), f.high)
                f = c.membrane
                x = (f.keep * self.potential[i] + f.take * self.current[i] + f.bias) >> f.shift
                before = min(max(x, f.low), f.high)
                slot, lane = divmod(i, lanes)
                draw = centred(config.noise, words[slot][lane])
                n = (phase.noise_scale * draw + c.noise_bias) >> c.noise_shift
                spike = before + n >= c.threshold
                kept = before + (n if config.membrane.injection == "membrane" else 0)
                subtract = config.membrane.reset == "subtract"
                kept -= c.threshold if subtract and spike else 0
                kept = min(max(kept, f.low), f.high)
                reset = spike and not subtract
                if config.membrane.reset == "teacher":
                    reset = 2 * int(goals[t][i]) >= c.target_one
                self.potential[i] = 0 if reset else kept
                spikes.append(int(spike))
                potentials.append(before)
            self.spikes.append(spikes)
            self.before.append(potentials)

    def errors(self, goals: Any, phase: Any) -> list[list[int]]:
        c, d = self.d.constants, self.d
        found = []
        for t, row in enumerate(self.before):
            errors = []
            for i, potential in enumerate(row):
                q = int(goals[t][i])
                place = ((potential - c.threshold) * phase.reciprocal) >> c.bin_shift
                index = min(max(place, -c.half_bins), c.half_bins - 1) + c.half_bins
                exact = q * d.table[0][index] - (c.target_one - q) * d.table[1][index]
                e = (exact + c.error_bias) >> c.error_shift
                errors.append(min(max(e, c.error_low), c.error_high))
            found.append(errors)
        return found

    def updated(self, weight: int, gradient: int, random: int, phase: int) -> int:
        mantissa, shift = self.rate(phase)
        change = stochastic(mantissa * gradient, shift, self.config.learning.random_bits, random)
        fmt = self.config.synapse.weight
        self.counts["weight"] += not fmt.raw_min <= weight + change <= fmt.raw_max
        return min(max(weight + change, fmt.raw_min), fmt.raw_max)

    def update_draws(self) -> list[int]:
        bits = self.config.learning.random_bits
        return [tap.take(bits) if bits else 0 for tap in self.rounders]


def sweep_step(own: NaiveLayer, t: int, drive: list[int], lam: list[int], kap: list[int]) -> None:
    lanes, slots, neurons = (
        own.config.layer.lanes, own.config.layer.slots, own.config.layer.neurons
    )  # fmt: skip
    randoms: dict[int, list[int]] = {}
    for slot in range(slots):
        for lane, tap in enumerate(own.sweepers):
            draws = [0, 0, 0]
            if str(own.sweep.rounding) == "stochastic":
                kinds = (0, 1, 2) if own.hidden else (1, 2)
                for kind in kinds:
                    draws[kind] = tap.take(own.sweep.random_bits)
            randoms[slot * lanes + lane] = draws
    for i in range(neurons):
        first, second, third = randoms[i]
        d, state = drive[i], lam[i]
        if own.hidden:
            product = own.derivative(own.before[t][i]) * d
            d = own.credit_narrow(product, first, own.counts, "credit")
            state = 0 if own.spikes[t][i] else state
        lam[i] = own.lam_narrow(
            own.lam_keep * state + own.lam_take * d, second, own.counts, "membrane"
        )
        own.swept[t, i] = d, lam[i]
        kap[i] = own.kap_narrow(
            own.kap_keep * kap[i] + own.kap_take * lam[i], third, own.counts, "current"
        )


def run_reference_network(
    network: NetworkConfig, weights: Any, events: Events, targets: Any
) -> dict[str, Any]:
    """Learn all windows; return spikes, adjoints and gradients by layer, and the final state."""
    layers = [NaiveLayer(network, n, own) for n, own in enumerate(weights)]
    window = network.layers[0].config.window
    raster = events.raster()
    out: dict[str, Any] = {"rasters": [], "adjoints": [], "gradients": []}
    for number in range(events.windows):
        goals = targets[number]
        goals = [goals] * window.steps if np.ndim(targets) == 2 else goals
        phases = [sum(number >= end for end in own.d.phase_ends) for own in layers]
        for own in layers:
            if window.state == "clear":
                own.current = [0] * own.config.layer.neurons
                own.potential = [0] * own.config.layer.neurons
            if window.lfsr == "clear":
                for tap in own.taps + own.rounders + own.sweepers:
                    tap.now = tap.start
        inputs = [[[int(x) for x in row] for row in raster[number]]]
        for own, phase in zip(layers, phases, strict=True):
            own.forward(inputs[-1], goals, own.d.phases[phase])
            inputs.append(own.spikes)
        drive = layers[-1].errors(goals, layers[-1].d.phases[phases[-1]])
        found = sweep_window(layers, inputs, drive, phases)
        out["rasters"].append([own.spikes for own in layers])
        out["adjoints"].append([kaps for kaps, _ in found])
        out["gradients"].append([gradient for _, gradient in found])
    out["weights"] = [own.w for own in layers]
    out["counts"] = [own.counts for own in layers]
    out["swept"] = [own.swept for own in layers]
    out["sweep_states"] = [tuple(tap.now.state for tap in own.sweepers) for own in layers]
    return out


def sweep_window(
    layers: list[NaiveLayer], inputs: Any, drive: list[list[int]], phases: list[int]
) -> list[Any]:
    """Sweep all layers back over a window, and update; return adjoints and gradient of each."""
    found: list[Any] = [None] * len(layers)
    for number in reversed(range(len(layers))):
        own = layers[number]
        steps, sizes = len(drive), own.config.layer
        kaps = [[0] * sizes.neurons for _ in range(steps)]
        gradient = [[0] * sizes.neurons for _ in range(sizes.inputs)]
        found[number] = kaps, gradient
        if not own.learned:
            continue
        lam, kap = [0] * sizes.neurons, [0] * sizes.neurons
        credits: list[list[int]] = [[] for _ in range(steps)]
        for t in reversed(range(steps)):
            sweep_step(own, t, drive[t], lam, kap)
            kaps[t] = list(kap)
            if number:
                sign = layers[number - 1].sweep.feedback == "sign"
                for row in own.w:
                    taken = [(w > 0) - (w < 0) for w in row] if sign else row
                    credits[t].append(sum(w * k for w, k in zip(taken, kap, strict=True)))
            for j, spiked in enumerate(inputs[number][t]):
                if spiked and own.sweep.update == "window":
                    gradient[j] = [g + k for g, k in zip(gradient[j], kap, strict=True)]
                elif spiked:
                    for slot in range(sizes.slots):
                        draws = own.update_draws()
                        for lane, random in enumerate(draws):
                            i = slot * sizes.lanes + lane
                            if i < sizes.neurons:
                                own.w[j][i] = own.updated(
                                    own.w[j][i], kap[i], random, phases[number]
                                )
        drive = credits
    for number, own in enumerate(layers):
        if own.learned and own.sweep.update == "window":
            sizes = own.config.layer
            for slot in range(sizes.slots):
                for j in range(sizes.inputs):
                    for lane, random in enumerate(own.update_draws()):
                        i = slot * sizes.lanes + lane
                        if i < sizes.neurons:
                            own.w[j][i] = own.updated(
                                own.w[j][i], found[number][1][j][i], random, phases[number]
                            )
    return found
