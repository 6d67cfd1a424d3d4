"""Formats, rates and surrogates that suit each other, so that random networks learn.

Formats drawn without regard to each other leave most layers silent: membrane potentials stay far
from the threshold, where errors and surrogate derivatives are 0, and small values round to 0.
Here numbers of bits stay as drawn, and binary points move to the signals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.remarks import idle_rate
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.fixed import Format
from bitlif.model.floating.constants import real_leak
from bitlif.model.lfsr import LfsrConfig
from bitlif.model.network import Network
from bitlif.model.sweep_sections import SurrogateConfig, SweepConfig, SweepRounding

RATE = 0.3
"""Spikes per step and input that weights are scaled to."""


def holding(bits: int, largest: float) -> Format:
    """Return the signed format of `bits` bits that holds numbers up to about `largest`."""
    frac = bits - 1 - math.ceil(math.log2(largest))
    return Format(bits, min(max(frac, 0), bits + 2))


def in_row(base: Config, before: Sequence[Config], *, hidden: bool) -> Config:
    """Return a layer that fits behind the layers `before`."""
    if before:
        shared = {name: getattr(before[0].window, name) for name in ("state", "trace", "lfsr")}
        base = replace(
            base,
            layer=replace(base.layer, inputs=before[-1].layer.neurons),
            window=replace(base.window, steps=before[0].window.steps, **shared),
        )
    return replace(base, membrane=replace(base.membrane, reset="free")) if hidden else base


def largest_rate(config: Config, weight: Format, gradient: float) -> float:
    """Return a learning rate just below those without a shift, for the LSB of a gradient."""
    most = 0.9 * ((1 << config.learning.rate_bits) - 1) * config.window.steps
    return most * float(weight.lsb) / gradient


def suited_layer(base: Config, random: np.random.Generator) -> Config:
    """Return a layer whose membrane potentials reach its threshold.

    Weights over the whole format move the potential by one to four thresholds.
    """
    membrane, synapse, steps = base.membrane, base.synapse, base.window.steps
    leaks = real_leak(synapse.decay), real_leak(membrane.decay)
    current = leaks[0] ** np.arange(steps)
    psp = np.convolve(current, leaks[1] ** np.arange(steps))[:steps]
    reach = membrane.threshold + base.schedule[0].sigma
    effect = [math.sqrt(RATE * base.layer.inputs * float(own @ own)) for own in (current, psp)]
    largest = random.uniform(1.0, 4.0) * reach * math.sqrt(3.0) / (membrane.gain * effect[1])
    weight = holding(synapse.weight.bits, largest)
    drive = holding(synapse.current.bits, largest * effect[0] * random.uniform(0.7, 4.0))
    potential = holding(membrane.format.bits, reach * random.uniform(1.5, 6.0))
    # With more fractional bits than drawn, the noise could be out of the range of its factor.
    potential = Format(potential.bits, min(potential.frac, membrane.format.frac))
    most = largest_rate(base, weight, float(base.error.format.lsb * base.trace.format.lsb))
    suited = replace(
        base,
        synapse=replace(synapse, weight=weight, current=drive),
        membrane=replace(membrane, format=potential),
        learning=replace(base.learning, rate=min(base.learning.rate * largest, most)),
        schedule=tuple(
            replace(own, rate=min(own.rate * largest, most)) for own in base.schedule
        ),
    )  # fmt: skip
    if idle_rate(suited) is not None:
        raise BitlifError("no rate can change a weight")
    return suited


def suited_sweep(config: Config, after: Config | None, random: np.random.Generator) -> SweepConfig:
    """Return a sweep with random options for a layer, before the layer `after` if it is hidden."""
    scale = 1.0
    if after is not None:
        scale = float(after.synapse.weight.real(after.synapse.weight.raw_max))

    def fmt(unit: float) -> Format:
        return holding(int(random.integers(4, 17)), unit * 2.0 ** random.uniform(-1.0, 4.0))

    current = fmt(scale * config.membrane.gain)
    # The rate must fit the LSB of the gradient, too.
    rate = max(config.learning.rate, *(own.rate for own in config.schedule))
    least = rate / largest_rate(config, config.synapse.weight, 1.0)
    current = Format(current.bits, max(current.frac, math.ceil(math.log2(least))))
    reach = config.membrane.threshold + config.schedule[0].sigma
    roundings = ("stochastic", "stochastic", "toward_zero", "nearest")
    return SweepConfig(
        membrane=fmt(scale),
        current=current,
        credit=fmt(scale),
        rounding=SweepRounding(random.choice(roundings)),
        random_bits=int(random.integers(1, 13)),
        lfsr=LfsrConfig(
            width=int(random.integers(16, 65)),
            leap=int(random.choice((0, 16, 40))),
            sharing=str(random.choice(("phase", "polynomial", "shared"))),
        ),
        feedback=str(random.choice(("transpose", "sign", "none"), p=(0.45, 0.4, 0.15))),
        surrogate=SurrogateConfig(
            width=float(reach * random.uniform(0.3, 1.5)),
            bits=int(random.choice((1, 1, 1, 2, 3, 4, 5, 6, 7, 8))),
        ),
        update=str(random.choice(("window", "spike"))),
    )


def active_layers(
    config: NetworkConfig, events: Events, weights: list[np.ndarray], targets: np.ndarray
) -> dict[int, bool]:
    """Return of each learned layer whether it has adjoints and changes weights."""
    model = Network(config)
    model.load(weights)
    adjoints: Any = model.learn(events, targets, record=("adjoints",)).adjoints
    learned = model.weights()
    return {
        n: bool(adjoints[n].any() and (learned[n] != weights[n]).any())
        for n in range(config.learned_from, len(config.layers))
    }
