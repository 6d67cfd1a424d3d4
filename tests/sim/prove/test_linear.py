"""Linear forms over GF(2), on which the model's LFSR runs."""

from __future__ import annotations

import random

import pytest

from bitlif.model.lfsr import Lfsr, LfsrConfig
from bitlif.sim.prove.linear import Bits, LinearAlgebra, NotLinearError


@pytest.mark.parametrize(("width", "leap"), [(8, 1), (16, 16), (31, 8), (64, 100)])
def test_leap_of_forms_is_the_leap_of_states(width: int, leap: int) -> None:
    taps, rng = LfsrConfig(width=width).streams(1)[0].taps, random.Random(width)
    forms = Lfsr(taps, Bits(tuple(2 << bit for bit in range(width)))).leap(leap).state  # type: ignore[arg-type]
    for _ in range(20):
        state = rng.randrange(1, 1 << width)
        assert forms.at(state << 1) == Lfsr(taps, state).leap(leap).state  # type: ignore[attr-defined]


def test_what_is_not_linear_raises() -> None:
    x = Bits((2, 4))
    with pytest.raises(NotLinearError, match="OR of two bits"):
        x | x
    with pytest.raises(NotLinearError, match="lowest bit of a number of ones"):
        x.bit_count() & 3
    with pytest.raises(NotLinearError, match="operation and is not linear"):
        LinearAlgebra().made("and", 2, [x, x], [])
