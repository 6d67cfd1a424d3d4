"""Warnings about values of a configuration that are valid but probably not intended."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

from bitlif.model.derive import derive
from bitlif.model.gradient_range import error_range, gradient_range, idle_phases, least_rate
from bitlif.model.period import periods
from bitlif.model.sections import Settings
from bitlif.model.table import has_table


def remarks(config: Settings) -> tuple[str, ...]:
    """Return the remarks on a configuration; `Config.load` issues each as a `BitlifWarning`.

    >>> from bitlif.model.config.config import Config
    >>> remarks(Config.load("tiny"))
    ()
    >>> late = [{"windows": 9, "rate": 0.25}, {"sigma": 0.1}]
    >>> print(*remarks(Config.load("tiny").replace(schedule=late)))
    schedule[1].rate is 0 or missing and means learning.rate = 0.5, but earlier phases have rates
    """
    return (*_rates(config), *_repeats(config))


@functools.lru_cache(maxsize=256)
def idle_rate(config: Settings) -> str | None:
    """Return the remark that no rate of the schedule can change a weight, or None if one can.

    `Layer.learn` issues it as a warning, too.
    """
    derived = derive(config)
    least = least_rate(config, derived)
    if math.isinf(least) or len(idle_phases(config, derived)) < len(config.schedule):
        return None
    rates = [phase.rate or config.learning.rate for phase in config.schedule]
    number = rates.index(max(rates))
    field = f"schedule[{number}].rate" if config.schedule[number].rate else "learning.rate"
    return (
        f"no weight can change: with these formats all updates round to 0 if {field} is less than "
        f"about {least:.2g}, and it is {rates[number]:g}"
    )


def _rates(config: Settings) -> Iterator[str]:
    if not has_table(config.error, config.noise):
        return  # It cannot learn, which `bitlif.model.checks.require_learnable` says.
    derived = derive(config)
    gradient = gradient_range(config, derived)
    if gradient.low == gradient.high == 0:
        errors = error_range(derived.table, derived.constants)
        what, section = ("PSP trace", "trace") if errors.high > errors.low else ("error", "error")
        yield (
            f"no weight can change: every {what} rounds to 0 in {section}.format "
            f"'{getattr(config, section).format}'"
        )
        return
    if remark := idle_rate(config):
        yield remark
        return
    for number in idle_phases(config, derived):
        yield (
            f"no weight can change in schedule[{number}]: all updates round to 0 unless its rate "
            f"is at least about {least_rate(config, derived):.2g} with these formats"
        )
    given = False
    for number, phase in enumerate(config.schedule):
        if given and not phase.rate:
            yield (
                f"schedule[{number}].rate is 0 or missing and means learning.rate = "
                f"{config.learning.rate:g}, but earlier phases have rates"
            )
        given = given or phase.rate > 0


def _repeats(config: Settings) -> Iterator[str]:
    found, carried = periods(config), config.window.lfsr == "carry"
    if config.noise.drawn and found.neuron_steps < config.window.steps:
        yield (
            f"the noise of a neuron repeats after {found.neuron_steps} steps, within a window of "
            f"{config.window.steps}: choose a wider noise.lfsr or another leap"
        )
    random_bits = config.learning.random_bits
    if carried and random_bits and found.synapse_windows < 1 << random_bits:
        yield (
            f"the random bits of a synapse repeat after {found.synapse_windows} windows, too soon "
            f"for unbiased rounding with {random_bits} bits: choose a wider learning.lfsr or "
            f"another leap"
        )
