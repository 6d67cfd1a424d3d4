"""The whole noise report of a configuration as one JSON object, with remarks."""

from __future__ import annotations

from typing import Any

from bitlif.model.config.config import Config

from .distribution import describe_distribution
from .draws import Measurement, describe_draws
from .lanes import describe_lanes
from .phases import describe_phases

NOTED_SHARE = 0.01
"""Draws are reported as not independent if they exceed this share of a lane's period."""


def describe_noise(config: Config, measurement: Measurement) -> dict[str, Any]:
    """Return the whole noise report of `config` as one JSON object.

    See `describe_distribution`, `describe_phases`, `describe_lanes` and `describe_draws`.
    """
    lanes = describe_lanes(config)
    return {
        "config": config.name,
        "kind": config.noise.kind,
        "words": config.noise.words,
        "word_bits": config.noise.word_bits,
        "distribution": describe_distribution(config.noise.pmf),
        "phases": describe_phases(config),
        "streams": lanes,
        "measured": describe_draws(measurement),
        "remarks": remarks(config, lanes, measurement.draws),
    }


def remarks(config: Config, lanes: dict[str, Any], draws: int) -> list[str]:
    """Return sentences on what limits the measured numbers; an empty list if nothing does."""
    found = []
    period = lanes["lanes"][0]["period_draws"]
    if draws > NOTED_SHARE * period:
        found.append(
            f"the draws of a lane repeat after {period}, so {draws} of them are not independent; "
            f"the standard errors, the band and p assume that they are"
        )
    if shared := lanes["bits_shared_with_next_draw"]:
        found.append(
            f"successive draws share {shared} of their {config.noise.draw_bits} bits, so they are "
            f"not independent; the standard errors, the band and p assume that they are"
        )
    soonest = lanes["soonest_repeat"]
    if config.noise.lfsr.sharing == "shared" and config.layer.lanes > 1:
        found.append("all lanes use the same draws, so their noise is identical")
    elif soonest and soonest["draws"] < draws:
        a, b = soonest["lanes"]
        found.append(
            f"lane {a} repeats the draws of lane {b} after {soonest['draws']} draws, "
            f"within the measured range"
        )
    return found
