"""Small noise sources whose draws can be enumerated."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np

from bitlif.model.config.config import Config, config_from_dict
from bitlif.model.noise import quantile_table

EPS = float(np.finfo(float).eps)

SMALL_SOURCES = (
    {"kind": "sum", "words": 1, "word_bits": 5},
    {"kind": "sum", "words": 3, "word_bits": 3},
    {"kind": "popcount", "words": 3, "word_bits": 4},
    {"kind": "inverse_cdf", "words": 1, "word_bits": 7, "level_bits": 5},
)


def configured(noise: dict[str, Any], lanes: int = 1, **lfsr: Any) -> Config:
    width = lfsr.pop("width", 32)
    return config_from_dict(
        {
            "layer": {"neurons": lanes, "lanes": lanes},
            "noise": {"level_bits": 6, **noise, "lfsr": {"width": width, **lfsr}},
        }
    )


def draw_of(noise: dict[str, Any], words: tuple[int, ...]) -> int:
    """Return the draw that the given words make, computed as the contract states it."""
    if noise["kind"] == "inverse_cdf":
        return quantile_table(noise["word_bits"], noise["level_bits"])[words[0]]
    if noise["kind"] == "popcount":
        return 2 * sum(word.bit_count() for word in words) - noise["words"] * noise["word_bits"]
    return 2 * sum(words) - noise["words"] * (2 ** noise["word_bits"] - 1)


def all_draws(noise: dict[str, Any]) -> list[int]:
    words = range(1 << noise["word_bits"])
    return [draw_of(noise, each) for each in itertools.product(words, repeat=noise["words"])]


def mean_of(values: list[Any]) -> Fraction:
    return Fraction(sum(values)) / len(values)
