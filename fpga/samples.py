"""Seeded random configurations that size estimates are fitted to and tested on."""

from __future__ import annotations

import random
from typing import Any

from bitlif.model.config.config import Config, config_from_dict
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError

READY = ("tiny", "digits", "digits-4bit", "teacher")
"""Ready-made configurations that are measured besides the random ones."""

SKIPPED = (16,)
"""Random configurations that are not measured: on an iCE40, Yosys leaves a part of the 18 x 9 bit
update to logic, where the rules count a multiplier."""


def sample(number: int) -> tuple[Config, bool]:
    """Return the configuration of a seed, and whether its core has learning hardware."""
    source = random.Random(number)
    while True:
        learning = source.random() < 0.75
        try:
            config = config_from_dict(draw_layer(source, f"sample-{number}"))
        except BitlifError:
            # The drawn formats are incompatible: draw again.
            continue
        # Cores without a noise shift could not be measured once. They stay excluded, so that each
        # seed keeps its configuration.
        if derive(config).constants.noise_shift:
            return config, learning


def draw_layer(source: random.Random, name: str) -> dict[str, Any]:
    """Draw the fields of a layer."""
    choose = source.choice
    neurons = round(2 ** source.uniform(0, 6))
    lanes = min(neurons, choose((1, 1, 1, 2, 2, 3, 4)))
    kind = choose(("sum", "sum", "sum", "popcount", "inverse_cdf"))
    words = 1 if kind == "inverse_cdf" else choose((1, 2, 3, 4, 6, 8))
    word_bits = choose((4, 6, 8))
    random_bits = choose((0, 4, 8, 12))
    phases = choose((1, 1, 2, 5, 12))
    schedule = [{"windows": choose((8, 100, 1347)), "sigma": source.uniform(0.1, 0.4),
                 "rate": source.uniform(0.05, 1.0)} for _ in range(phases)]  # fmt: skip
    return {
        "name": name,
        "layer": {
            "inputs": round(2 ** source.uniform(1, 7.64)), "neurons": neurons, "lanes": lanes,
        },
        "window": {
            "steps": choose((16, 64, 200, 1000)),
            **{own: choose(("clear", "carry")) for own in ("state", "trace", "lfsr")},
        },
        "synapse": {
            "weight": draw_format(source, "s", 4, 12), "current": draw_format(source, "s", 10, 18),
            "decay": _leak(source), "rounding": choose(("floor", "nearest")),
        },
        "membrane": {
            "format": draw_format(source, "s", 10, 18), "decay": _leak(source),
            "gain": choose((0.05, 0.1, 0.25, 1.0)), "gain_bits": choose((4, 8, 12)),
            "reset": choose(("free", "free", "teacher")),
            "injection": choose(("threshold", "threshold", "membrane")),
            "rounding": choose(("floor", "nearest")),
        },
        "trace": {
            "current": draw_format(source, "u", 8, 13), "format": draw_format(source, "u", 6, 13),
        },
        "noise": {
            "kind": kind, "words": words, "word_bits": word_bits,
            "level_bits": choose((6, 8, 10)), "scale_bits": choose((6, 8, 10, 12)),
            "overlap": True,
            "lfsr": {
                "width": max(words * word_bits, choose((16, 24, 32, 48, 64))),
                "sharing": choose(("phase", "polynomial", "shared")),
                "leap": choose((0, 0, 0, 16, 64)),
            },
        },
        "error": {
            "rule": choose(("likelihood", "clipped")), "index_bits": choose((6, 7, 8, 9)),
            "span": choose((2, 3)), "entry": choose(("u6.3", "u8.5", "u10.7", "u12.8")),
            "limit": choose((2.0, 3.0, 7.5)), "format": choose(("s7.4", "s8.5", "s10.6", "s13.8")),
            "reciprocal_bits": choose((8, 10, 12, 16)), "target_bits": choose((4, 6, 8)),
        },
        "learning": {
            "rate": source.uniform(0.05, 1.0), "rate_bits": choose((1, 3, 4, 6)),
            "random_bits": random_bits,
            "lfsr": {
                "width": choose((17, 24, 31, 40)),
                "sharing": choose(("phase", "polynomial", "shared")),
            },
        },
        "schedule": [*schedule[:-1], {**schedule[-1], "windows": 0}],
    }  # fmt: skip


def draw_format(source: random.Random, kind: str, low: int, high: int) -> str:
    """Draw a format of `low` to `high` bits, 1 to 6 of them integer bits."""
    bits = source.randint(low, high)
    return f"{kind}{bits}.{bits - source.randint(1, min(bits, 6))}"


def _leak(source: random.Random) -> dict[str, Any]:
    if source.random() < 0.3:
        return {"shift": source.randint(1, 5)}
    return {"tau": source.uniform(1.5, 40.0), "bits": source.choice((6, 8, 10, 12))}
