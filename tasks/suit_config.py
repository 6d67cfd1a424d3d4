"""A configuration that is scaled to the training spikes of one's own data.

It is that of the ready-made ``digits``, with the sizes of the data, and with a gain that gives the
inputs of a typical window the same effect on a membrane as those of a digit have: the sum of the
squared PSP traces is the same. Weights of the same size then give the same membranes, and updates
of the same rate change them by the same amount. So neither the threshold and the noise, nor the
weights' format and the learning rate, depend on how many inputs there are and how often they spike.

The spikes are measured by sums and maxima of integers, which do not depend on the order of the
windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bitlif.model.config.config import Config
from bitlif.model.derive import leak_factor
from bitlif.model.errors import BitlifError, BitlifTypeError, require_int
from bitlif.model.events import Events
from bitlif.model.fixed import Format
from bitlif.model.sections import DecayConfig, PhaseConfig
from bitlif.model.text import quoted

BASE = "digits"
"""Ready-made configuration that all fields are taken from which do not depend on the data."""

EFFECT = 3.5
"""Root of the sum of the squared PSP traces in a step, after the gain; that of the digits."""

GAIN_BITS = 5
"""Significant bits of the gain."""

FIRST_RATE, LAST_RATE = 0.125, 0.0078125
"""Learning rates of the first and of the last phase."""

MOST_PHASES = 20
"""Most phases of the schedule."""

TRACE_BITS = 12
"""Fractional bits of the traces that are measured."""

LONG_TRACE_BITS = 16
"""Bits of the synaptic trace if it lasts as long as a window: rounding must not stop its decay."""

BLOCK = 1 << 20
"""Most windows times inputs whose traces are computed at once."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A field of a configuration that was chosen.

    Attributes
    ----------
    field : str
        With its section, ``"membrane.gain"``; ``"schedule"`` for all phases.
    value : object
        As in a TOML file; a number of phases for the schedule.
    reason : str
        What it was chosen from, in a few words.
    """

    field: str
    value: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Drive:
    """What the spikes of training windows do to a membrane, at a gain and weights of 1.

    Attributes
    ----------
    spikes : float
        Spikes of all inputs per step.
    effect : float
        Root of the mean, over windows and steps, of the sum of the squared PSP traces.
    peak, current : float
        Highest PSP trace, and highest synaptic trace.
    """

    spikes: float
    effect: float
    peak: float
    current: float


def drive_of(events: Events, synapse: DecayConfig, membrane: DecayConfig) -> Drive:
    """Measure the spikes of windows, filtered as the PSP traces of a layer with these decays.

    Raises
    ------
    BitlifError
        If there are no windows, or no spikes.

    Examples
    --------
    >>> spikes = Events.from_times([0], [0], steps=1, units=4)
    >>> drive_of(spikes, DecayConfig(tau=2.0), DecayConfig(tau=4.0))
    Drive(spikes=1.0, effect=1.0, peak=1.0, current=1.0)
    """
    if events.count == 0:
        raise BitlifError(
            f"training windows must have spikes to scale a configuration to, not {events.windows} "
            f"windows without any"
        )
    (keep_current, current_bits), (keep_trace, trace_bits) = (
        leak_factor("decay", own) for own in (synapse, membrane)
    )
    one = 1 << TRACE_BITS
    total, peak, highest = 0, 0, 0
    size = max(1, BLOCK // (events.steps * events.units))
    for first in range(0, events.windows, size):
        some = events.select(range(first, min(first + size, events.windows)))
        raster = some.raster()
        current = np.zeros((some.windows, some.units), np.int64)
        trace = np.zeros_like(current)
        for step in range(events.steps):
            current = (current * keep_current >> current_bits) + one * raster[:, step]
            trace = (trace * keep_trace >> trace_bits) + current
            total += int((trace * trace).sum())
            peak, highest = max(peak, int(trace.max())), max(highest, int(current.max()))
    steps = events.windows * events.steps
    effect = (total / steps) ** 0.5 / one
    return Drive(events.count / steps, effect, peak / one, highest / one)


def is_time_code(events: Events) -> bool:
    """Return whether at least half of the inputs that spike in a window do so once only.

    What they tell is then when they spike, not how often.

    >>> raster = np.zeros((1, 8, 3), bool)
    >>> raster[0, [0, 4], [0, 1]] = True
    >>> is_time_code(Events.from_raster(raster)), is_time_code(Events.from_raster(~raster))
    (True, False)
    """
    counts = events.counts()
    once, active = int((counts == 1).sum()), int((counts > 0).sum())
    return 2 * once >= max(1, active)


def lasting(steps: int) -> DecayConfig:
    """Return the decay of a current that lasts for a window."""
    return DecayConfig(tau=float(steps), bits=min(16, max(8, steps.bit_length() + 3)))


def suit_config(
    events: Events, classes: int, *, epochs: int = 20, name: str = "data"
) -> tuple[Config, list[Choice]]:
    """Return a configuration that suits training windows, and what was chosen from what.

    Parameters
    ----------
    events : Events
        All training windows.
    classes : int
        Number of classes: the neurons of the layer.
    epochs : int
        Passes over the training windows that are intended; the learning rate falls over them.
    name : str
        Name of the configuration.

    Raises
    ------
    BitlifError
        If an argument is out of range, or the windows have no spikes.

    Examples
    --------
    >>> spikes = Events.from_raster(np.ones((8, 32, 20), bool))
    >>> config, choices = suit_config(spikes, 3, epochs=2, name="mine")
    >>> config.layer.inputs, config.membrane.gain, len(config.schedule)
    (20, 0.078125, 2)
    >>> choices[0]
    Choice(field='layer.inputs', value=20, reason='inputs of the training spikes')
    """
    if not isinstance(events, Events):
        raise BitlifTypeError(f"events must be Events, not {quoted(events)}")
    classes = require_int("classes", classes, 1, 1 << 16)
    epochs = require_int("epochs", epochs, 1, 1 << 30)
    base = Config.load(BASE)
    membrane, synapse, trace = base.membrane, base.synapse, base.trace
    timed = events.steps > synapse.decay.tau and is_time_code(events)
    decay = lasting(events.steps) if timed else synapse.decay
    drive = drive_of(events, decay, membrane.decay)
    gain, gain_bits = rounded_gain(EFFECT / drive.effect)
    # The current that holds the highest membrane must fit, or the membrane's range cannot be used;
    # and so must the spikes of two inputs with the largest weight.
    highest = float(membrane.format.real(membrane.format.raw_max))
    weight = float(synapse.weight.real(synapse.weight.raw_max))
    held = highest * (1 - leak_ratio(membrane.decay)) / gain
    current = fitted(synapse.current, max(held, 2 * weight))
    traced = fitted(trace.format, drive.peak * gain)
    bits = LONG_TRACE_BITS if timed else trace.current.bits
    trace_current = fitted(Format(bits, bits, False), max(drive.current, 1.0))
    schedule = _schedule(events.windows, epochs, base.schedule[0].sigma)
    config = base.replace(
        name=name, layer__inputs=events.units, layer__neurons=classes, layer__lanes=1,
        window__steps=events.steps, membrane__gain=gain, membrane__gain_bits=gain_bits,
        synapse__decay={"tau": decay.tau, "bits": decay.bits}, synapse__current=current,
        trace__current=trace_current, trace__format=traced,
        schedule=[
            {"windows": phase.windows, "sigma": phase.sigma, "rate": phase.rate}
            for phase in schedule
        ],
    )  # fmt: skip
    spikes = f"{drive.spikes:.3g} spikes per step of {events.units} inputs"
    first, last = schedule[0].rate, schedule[-1].rate
    return config, [
        Choice("layer.inputs", events.units, "inputs of the training spikes"),
        Choice("layer.neurons", classes, "one for each class"),
        Choice("layer.lanes", 1, "the smallest gates; more lanes are faster"),
        Choice("window.steps", events.steps, "steps of the training spikes"),
        Choice(
            "membrane.gain", gain,
            f"{spikes}: they move a membrane as the pixels of '{BASE}' do, for the same weights",
        ),
        Choice(
            "membrane.threshold", membrane.threshold,
            f"as for '{BASE}': the gain is scaled, not the threshold",
        ),
        Choice("membrane.gain_bits", gain_bits, f"{GAIN_BITS} significant bits of the gain"),
        Choice(
            "synapse.current", str(current),
            f"holds the current of a membrane of {highest:.0f}, and two of the largest weights",
        ),
        *(
            Choice(f"synapse.decay.{field}", value, reason)
            for field, value, reason in (
                ("tau", decay.tau, "most inputs spike once in a window: currents last as long"),
                ("bits", decay.bits, "resolves this decay"),
            )
            if timed
        ),
        Choice(
            "trace.current", str(trace_current),
            f"holds the highest synaptic trace, {drive.current:.2g}",
        ),
        Choice(
            "trace.format", str(traced), f"holds the highest trace, {drive.peak * gain:.2g}"
        ),
        Choice(
            "schedule[0].sigma", schedule[0].sigma,
            f"noise of {schedule[0].sigma / membrane.threshold:g} thresholds in all phases, as for "
            f"'{BASE}'",
        ),
        Choice(
            "schedule", len(schedule),
            f"{events.windows} training windows, {epochs} times; the rate falls from {first:g} "
            f"to {last:g}",
        ),
    ]  # fmt: skip


def leak_ratio(decay: DecayConfig) -> float:
    """Return the factor of a decay as it is computed, rounded to its bits."""
    raw, bits = leak_factor("decay", decay)
    return raw / (1 << bits)


def rounded_gain(wanted: float) -> tuple[float, int]:
    """Return a gain with `GAIN_BITS` significant bits, and its fractional bits.

    >>> rounded_gain(0.1), rounded_gain(70.3)
    ((0.1015625, 8), (70.0, 0))
    """
    bits = 0
    while bits < 16 and round(wanted * (1 << bits)) < 1 << (GAIN_BITS - 1):
        bits += 1
    raw = min(max(round(wanted * (1 << bits)), 1), 1024 << bits)
    return raw / (1 << bits), bits


def fitted(fmt: Format, largest: float) -> Format:
    """Return a format of the same bits with the most fractional bits that holds a number.

    >>> str(fitted(Format(8, 7, False), 2.5))
    'u8.6'
    """
    frac = fmt.bits - int(fmt.signed)
    while frac > 0 and largest * (1 << frac) > (1 << (fmt.bits - int(fmt.signed))) - 1:
        frac -= 1
    return Format(fmt.bits, frac, fmt.signed)


def _schedule(windows: int, epochs: int, sigma: float) -> list[PhaseConfig]:
    """Return phases of whole epochs with geometrically falling rates; the last one is unlimited."""
    count = min(epochs, MOST_PHASES)
    phases = []
    for number in range(count):
        passes = (number + 1) * epochs // count - number * epochs // count
        part = number / max(count - 1, 1)
        rate = float(f"{FIRST_RATE * (LAST_RATE / FIRST_RATE) ** part:.4g}")
        last = number == count - 1
        phases.append(PhaseConfig(windows=0 if last else passes * windows, sigma=sigma, rate=rate))
    return phases
