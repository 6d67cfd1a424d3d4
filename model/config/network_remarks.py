"""Warnings about values of a network that are valid but probably not intended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bitlif.model.initial import raw_bounds
from bitlif.model.period import periods, sweep_draw_steps

from .network_tree import LayerSections


def network_remarks(layers: Sequence[LayerSections]) -> tuple[str, ...]:
    """Return the remarks on a network; `load_any_config` issues each as a `BitlifWarning`."""
    return tuple(
        f"layer.{number}.{remark}"
        for number, own in enumerate(layers)
        for remark in _layer_remarks(own, number, len(layers))
    )


def _layer_remarks(own: LayerSections, number: int, count: int) -> Iterator[str]:
    config, hidden = own.config, number < count - 1
    steps = config.window.steps
    if count > 1 and raw_bounds(config.synapse.weight, own.initial) == (0, 0):
        yield (
            "initial: all weights start at 0, so that no hidden neuron gets a credit: choose low "
            "and high around the threshold divided by the root of the number of active inputs"
        )
    noise = periods(config).neuron_steps
    if config.noise.drawn and noise < steps:
        yield (
            f"noise.lfsr: the noise of a neuron repeats after {noise} steps, within a window of "
            f"{steps}: choose a wider LFSR or another leap"
        )
    swept = sweep_draw_steps(own.sweep, config.layer, hidden=hidden)
    if swept and swept < steps:
        yield (
            f"sweep.lfsr: the random bits of a neuron repeat after {swept} steps, within a window "
            f"of {steps}: choose a wider LFSR or another leap"
        )
