"""The surrogate derivative: the window of one bit, and the table of more bits."""

from __future__ import annotations

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.derive_sweep import derive_sweep
from bitlif.model.errors import BitlifError
from bitlif.model.sections import NoiseConfig
from bitlif.model.surrogate import BINS, SPAN, Surrogate, surrogate_table, surrogate_value
from bitlif.model.sweep_sections import SurrogateConfig, SweepConfig


def derived(width: float, bits: int) -> Surrogate:
    sweep = SweepConfig(surrogate=SurrogateConfig(width=width, bits=bits))
    config = Config.load("digits")
    return derive_sweep(config, sweep, config.synapse.weight, sweep.current, 10).constants.surrogate


def test_one_bit_is_a_window_of_its_width_on_both_sides() -> None:
    s = derived(0.5, 1)
    assert s.width == 512
    found = [surrogate_value(v, 1024, s) for v in (512, 513, 1024, 1535, 1536)]
    assert found == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("bits", [2, 5, 8])
@pytest.mark.parametrize("words", [1, 4])
def test_table_is_the_density_of_the_noise(bits: int, words: int) -> None:
    pmf = NoiseConfig(words=words).pmf
    table = np.array(surrogate_table(pmf, bits))
    edges = np.arange(BINS + 1) * SPAN / BINS
    mass = np.diff(np.interp(edges, pmf.knots_in_sigma(), pmf.cumulative()))
    expected = ((1 << bits) - 1) * mass / mass.max()
    # An entry is rounded to nearest; float64 has an error of a few 1e-16 of 255.
    assert np.abs(table - expected).max() <= 0.5 + 1e-12


def test_value_follows_the_table_out_to_four_widths() -> None:
    s = derived(0.25, 8)
    # The width is 256 LSBs, so each of the 64 bins has 16.
    for distance in range(1200):
        value = surrogate_value(1024 + distance, 1024, s)
        assert value == surrogate_value(1024 - distance, 1024, s)
        assert value == (s.table[distance // 16] if distance < 1024 else 0)


@pytest.mark.parametrize("bits", [1, 4])
def test_width_below_the_membrane_format_is_refused(bits: int) -> None:
    with pytest.raises(BitlifError, match=r"surrogate\.width"):
        derived(1e-5 if bits == 1 else 1e-6, bits)
