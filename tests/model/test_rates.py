"""Limits of learning rates."""

from __future__ import annotations

from fractions import Fraction

import pytest

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.rates import largest_rate, smallest_rate

TINY = Config.load("tiny")


def unit_of(config: Config) -> Fraction:
    return config.error.format.lsb * config.trace.format.lsb / config.synapse.weight.lsb


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"learning__rate_bits": 1},
        {"window__steps": 7, "error__format": "s12.3"},
        {"window__steps": 999, "trace__format": "u8.1", "learning__rate_bits": 3},
        {"synapse__weight": "s12.9", "window__steps": 3},
    ],
)
def test_limits_are_accepted_and_what_is_beyond_is_refused(changes: dict[str, object]) -> None:
    config = TINY.replace(**changes)
    steps, unit = config.window.steps, unit_of(config)
    largest = largest_rate(config.learning.rate_bits, steps, unit)
    smallest = smallest_rate(steps, unit)
    for rate in (largest, smallest):
        # What is printed is what is computed.
        assert float(f"{rate:g}") == rate
        assert config.replace(learning__rate=rate).learning.rate == rate
    # Both are within one of their three digits from the limits.
    with pytest.raises(BitlifError, match=f"must be at most {largest:g} for these formats"):
        config.replace(learning__rate=largest * 1.01)
    with pytest.raises(BitlifError, match=f"must be at least {smallest:g} for these formats"):
        config.replace(learning__rate=smallest / 1.01)


def test_limits_that_are_exact_are_still_accepted() -> None:
    # 7.5 times 1024 has three digits, but is rounded to a mantissa of 8, which has four bits.
    assert largest_rate(3, 1024, Fraction(1)) == 7670
    assert largest_rate(1, 1, Fraction(1)) == 1.49
    assert smallest_rate(1 << 63, Fraction(1)) == 1
