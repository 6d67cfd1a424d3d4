"""A network with hidden layers that is scaled to the training spikes of one's own data.

As in `bitlif.tasks.suit_config`, each layer has a gain that gives its inputs a certain effect on
a membrane: the root of the sum of the squared PSPs of weights of 1. The effect of the data is
measured. That of a hidden layer is computed from the rate at which hidden neurons usually spike, so
that a network depends on nothing but the spikes and the sizes. Start weights, formats of weights
and of the backward sweep, and learning rates then suit all data.

The constants were chosen on validation data: parts of the training windows of tables from
scikit-learn, and of points in the plane that one layer cannot classify.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.config.network import MAX_LAYERS, NetworkConfig
from bitlif.model.config.network_layer import NetworkLayer
from bitlif.model.errors import BitlifError, BitlifTypeError, require_int
from bitlif.model.events import Events
from bitlif.model.fixed import Format
from bitlif.model.rates import largest_rate
from bitlif.model.sections import MAX_UNITS, DecayConfig, PhaseConfig
from bitlif.model.sweep_sections import InitialConfig, SurrogateConfig, SweepConfig
from bitlif.model.text import quoted

from .suit_config import (
    BASE,
    EFFECT,
    GAIN_BITS,
    Choice,
    drive_of,
    fitted,
    is_time_code,
    lasting,
    leak_ratio,
    rounded_gain,
)

SYNAPSE, MEMBRANE = DecayConfig(shift=2), DecayConfig(shift=3)
"""Leaks of all layers: factors of 3/4 and 7/8, which need no multiplier in gates."""

SIGMA = 0.2
"""Noise of all layers in thresholds, in all phases."""

WIDTH = 0.5
"""Width of the surrogate derivative in thresholds. At that of the noise, most neurons die."""

HIDDEN_RATE = 0.1875
"""Spikes per step of a hidden neuron that are expected, for the gain of the next layer."""

RATES = (0.2, 0.06)
"""First learning rates of hidden layers and of the last layer."""

HALVED = (0.5, 0.7, 0.85, 0.95)
"""Parts of the training after which the rates are halved."""

START = ((-1.1, 1.3), (-0.3, 0.3))
"""Start weights of hidden layers and of the last layer."""

WEIGHT = Format(12, 9)
ADJOINT = Format(10, 4)
"""Format of adjoint membranes. In the last layer they cannot saturate."""

CREDIT = Format(10, 5)

HELD = 0.5
"""Part of the largest adjoint current that its format holds; usual ones are far smaller."""


def hidden_sizes(hidden: object) -> tuple[int, ...]:
    """Return the sizes of hidden layers, given as a number, as several, or as None for no layer.

    >>> hidden_sizes(96), hidden_sizes([64, 32]), hidden_sizes(None)
    ((96,), (64, 32), ())

    Raises
    ------
    BitlifError
        If a size is no integer in 1 ..= 65536, or there are more than 15.
    """
    if hidden is None:
        return ()
    if not isinstance(hidden, Iterable) or isinstance(hidden, (str, bytes, dict, set)):
        return (_size(hidden, hidden),)
    sizes = tuple(_size(own, hidden) for own in hidden)
    if len(sizes) >= MAX_LAYERS:
        raise BitlifError(
            f"hidden must be the sizes of at most {MAX_LAYERS - 1} layers, not of {len(sizes)}"
        )
    return sizes


def _size(size: object, hidden: object) -> int:
    try:
        return require_int("hidden", size, 1, MAX_UNITS)
    except BitlifError as error:
        raise type(error)(
            f"hidden must be the size of a hidden layer, 1 ..= {MAX_UNITS}, or the sizes of "
            f"several, not {quoted(hidden)}"
        ) from error


def suit_network(
    events: Events,
    classes: int,
    *,
    hidden: int | Iterable[int],
    epochs: int = 20,
    name: str = "data",
) -> tuple[NetworkConfig, list[Choice]]:
    """Return a network that suits training windows, and what was chosen from what.

    Parameters
    ----------
    events : Events
        All training windows.
    classes : int
        Number of classes: the neurons of the last layer.
    hidden : int or sequence of int
        Sizes of the hidden layers, from the inputs on; at least one.
    epochs : int
        Passes over the training windows that are intended; the learning rates fall over them.
    name : str
        Name of the network.

    Raises
    ------
    BitlifError
        If an argument is out of range, or the windows have no spikes.

    See Also
    --------
    bitlif.tasks.suit_config.suit_config : the same for a single layer.

    Examples
    --------
    >>> import numpy as np
    >>> spikes = Events.from_raster(np.ones((8, 32, 20), bool))
    >>> network, choices = suit_network(spikes, 3, hidden=16, epochs=2, name="mine")
    >>> network
    <NetworkConfig name='mine' sizes='20-16-3' steps=32>
    >>> choices[0]
    Choice(field='window.steps', value=32, reason='steps of the training spikes')
    """
    if not isinstance(events, Events):
        raise BitlifTypeError(f"events must be Events, not {quoted(events)}")
    classes = require_int("classes", classes, 1, MAX_UNITS)
    epochs = require_int("epochs", epochs, 1, 1 << 30)
    sizes = hidden_sizes(hidden)
    if not sizes:
        raise BitlifError("hidden must be the sizes of at least one layer, not of none")
    timed = events.steps > 1 / (1 - leak_ratio(SYNAPSE)) and is_time_code(events)
    decay = lasting(events.steps) if timed else SYNAPSE
    drive = drive_of(events, decay, MEMBRANE)
    total = events.windows * epochs
    layers = [
        _layer(
            f"{name}.{number}", (inputs, neurons, events.steps), decay if number == 0 else SYNAPSE,
            drive.effect if number == 0 else hidden_effect(inputs, events.steps),
            total, last=number == len(sizes),
        )
        for number, (inputs, neurons) in enumerate(
            zip((events.units, *sizes), (*sizes, classes), strict=True)
        )
    ]  # fmt: skip
    network = NetworkConfig.of(*layers, name=name, seed=name)
    spikes = f"{drive.spikes:.3g} spikes per step of {events.units} inputs"
    choices = [
        Choice("window.steps", events.steps, "steps of the training spikes"),
        Choice("layer.0.inputs", events.units, "inputs of the training spikes"),
    ]
    for number, layer in enumerate(network.layers):
        choices += _choices(
            layer, f"layer.{number}.", spikes, timed=timed and number == 0,
            hidden=network.is_hidden(number),
        )  # fmt: skip
    choices.append(
        Choice(
            "schedule", len(layers[0].config.schedule),
            f"of each layer: {events.windows} training windows, {epochs} times; the rates are "
            f"halved after {', '.join(f'{part:.0%}' for part in HALVED)}",
        )
    )  # fmt: skip
    return network, choices


def hidden_effect(neurons: int, steps: int) -> float:
    """Return the effect that a hidden layer usually has on a membrane of the next one.

    All its neurons are taken to spike at `HIDDEN_RATE`.

    >>> round(hidden_effect(64, 64), 2)
    42.31
    """
    keep_current, keep_trace = leak_ratio(SYNAPSE), leak_ratio(MEMBRANE)
    total = current = trace = 0.0
    for _ in range(steps):
        current = keep_current * current + HIDDEN_RATE
        trace = keep_trace * trace + current
        total += trace * trace
    return float((neurons * total / steps) ** 0.5)


def _layer(
    name: str, sizes: tuple[int, int, int], decay: DecayConfig, effect: float, total: int, *,
    last: bool,
) -> NetworkLayer:  # fmt: skip
    """Return a layer; `sizes` are inputs, neurons and steps, `total` the windows to learn."""
    inputs, neurons, steps = sizes
    base = Config.load(BASE)
    gain, gain_bits = rounded_gain(EFFECT / effect)
    # As in `suit_config`: the current of the highest membrane, and two of the largest weights.
    highest = float(base.membrane.format.real(base.membrane.format.raw_max))
    held = highest * (1 - leak_ratio(MEMBRANE)) / gain
    current = fitted(base.synapse.current, max(held, 2 * float(WEIGHT.real(WEIGHT.raw_max))))
    largest = float(ADJOINT.real(ADJOINT.raw_max)) * gain / (1 - leak_ratio(decay))
    adjoint = fitted(Format(10, 9), HELD * largest)
    rate = _rate(base, adjoint, steps, RATES[last])
    config = base.replace(
        name=name, layer__inputs=inputs, layer__neurons=neurons, layer__lanes=1,
        window__steps=steps, membrane__gain=gain, membrane__gain_bits=gain_bits,
        membrane__decay=_plain(MEMBRANE), synapse__decay=_plain(decay),
        synapse__current=current, synapse__weight=WEIGHT,
        schedule=_schedule(total, rate),
    )  # fmt: skip
    low, high = START[last]
    return NetworkLayer(
        config=config,
        sweep=SweepConfig(
            membrane=ADJOINT, current=adjoint, credit=CREDIT,
            surrogate=SurrogateConfig(width=WIDTH * config.membrane.threshold),
        ),
        initial=InitialConfig(low=low, high=high),
    )  # fmt: skip


def _rate(base: Config, adjoint: Format, steps: int, wanted: float) -> float:
    """Return a first learning rate, or the largest one that the formats hold if it is smaller.

    In short windows and with small gains, a gradient has few steps or few LSBs. The rate must hold
    for both gradients of a layer: that without a sweep, and that of the sweep.
    """
    units = base.error.format.lsb * base.trace.format.lsb, adjoint.lsb
    bits = base.learning.rate_bits
    return min(wanted, *(largest_rate(bits, steps, unit / WEIGHT.lsb) for unit in units))


def _plain(decay: DecayConfig) -> dict[str, Any]:
    return {"tau": decay.tau, "bits": decay.bits, "shift": decay.shift}


def _schedule(total: int, rate: float) -> list[dict[str, Any]]:
    """Return phases of windows with halved rates; the last one is unlimited."""
    phases, first = [], 0
    for number, part in enumerate((*HALVED, 1.0)):
        end = round(total * part)
        unlimited = part == 1.0
        if unlimited or end > first:
            windows = 0 if unlimited else end - first
            phases.append({"windows": windows, "sigma": SIGMA, "rate": rate / 2**number})
            first = end
    return phases


def epochs_of(schedule: Sequence[PhaseConfig], windows: int) -> int | None:
    """Return the passes over training windows that `suit_network` made a schedule for, or None.

    >>> spikes = Events.from_times([0, 1], [0, 1], steps=8, units=2).select([0] * 30)
    >>> network, _ = suit_network(spikes, 2, hidden=3, epochs=7)
    >>> epochs_of(network.outer.schedule, 30), epochs_of(network.outer.schedule, 31)
    (7, None)
    """
    lengths = [phase.windows for phase in schedule]
    about = round(sum(lengths) / HALVED[-1] / windows)
    for epochs in (about, about + 1):
        if epochs and lengths == [own["windows"] for own in _schedule(epochs * windows, 1.0)]:
            return epochs
    return None


def _choices(
    layer: NetworkLayer, prefix: str, spikes: str, *, timed: bool, hidden: bool
) -> list[Choice]:
    """Return what was chosen for a layer; `prefix` is that of its fields."""
    config, sweep = layer.config, layer.sweep
    highest = float(config.membrane.format.real(config.membrane.format.raw_max))
    first = prefix == "layer.0."
    source = spikes if first else f"{config.layer.inputs} neurons at {HIDDEN_RATE} spikes per step"
    low, high = layer.initial.low, layer.initial.high
    spread = EFFECT * (high - low) / 12**0.5
    decays = "the smallest gates, and a PSP of about 10 steps"
    rate, wanted = config.schedule[0].rate, RATES[not hidden]
    suits = "suits this gain" + ("" if hidden else "; hidden layers need a larger one")
    if rate < wanted:
        suits = f"the largest that fits these formats and steps; {wanted:g} is usual"
    own = [
        ("neurons", config.layer.neurons, "as given" if hidden else "one for each class"),
        ("lanes", 1, "the smallest gates"),
        ("synapse.weight", str(WEIGHT), "enough bits for small updates; see docs/networks.md"),
        ("synapse.current", str(config.synapse.current),
         f"holds the current of a membrane of {highest:.0f}, and two of the largest weights"),
        *((("synapse.decay.tau", config.synapse.decay.tau,
            "most inputs spike once in a window: currents last as long"),
           ("synapse.decay.bits", config.synapse.decay.bits, "resolves this decay"))
          if timed else (("synapse.decay.shift", config.synapse.decay.shift, decays),)),
        ("membrane.decay.shift", config.membrane.decay.shift, decays),
        ("membrane.gain", config.membrane.gain,
         f"{source}: weights of 1 move a membrane by about {EFFECT} thresholds"),
        ("membrane.gain_bits", config.membrane.gain_bits, f"{GAIN_BITS} significant bits of it"),
        ("schedule[0].sigma", SIGMA, "noise in thresholds, in all phases"),
        ("schedule[0].rate", rate, suits),
        ("initial.low", low, "least start weight"),
        ("initial.high", high,
         f"largest: membranes differ by about {spread:.2g} thresholds" +
         (", so that all neurons spike in some windows" if hidden else "")),
        ("sweep.membrane", str(sweep.membrane),
         "holds the largest sum of credits seen" if hidden else
         f"holds errors of {config.error.limit:g} in all steps"),
        ("sweep.current", str(sweep.current), f"holds {HELD:g} of the largest adjoint current"),
    ]  # fmt: skip
    if hidden:
        own += [
            ("sweep.credit", str(sweep.credit), "holds the largest credit seen"),
            ("sweep.surrogate.width", sweep.surrogate.width,
             f"{WIDTH / SIGMA:g} times the noise: a narrower one leaves neurons without credit"),
        ]  # fmt: skip
    return [Choice(f"{prefix}{field}", value, reason) for field, value, reason in own]
