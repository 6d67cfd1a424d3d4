"""Seeds by number or name give each layer different noise, and never change."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.layer import Layer

TINY = Config.load("tiny")
DIGITS = Config.load("digits")


def seeds(config: Config) -> tuple[int, int]:
    return config.noise.lfsr.seed, config.learning.lfsr.seed


def test_seeds_of_numbers_and_names_never_change() -> None:
    # Results of studies, figures and the demo rest on the numbers.
    assert seeds(DIGITS.seeded(0)) == (2582151375, 1519685095)
    assert seeds(DIGITS.seeded(7)) == (4242700229, 1587017564)
    assert seeds(DIGITS.seeded("hidden")) == (2561249649, 985247579)
    wide = DIGITS.replace(noise__lfsr__width=64)
    assert seeds(wide.seeded("hidden")) == (8463212263097602417, 985980419)


def test_a_name_is_the_number_that_its_hash_is() -> None:
    digest = hashlib.sha256("Schicht 1 µ".encode()).digest()
    random = np.random.default_rng([int.from_bytes(digest, "big"), 0x11F5])
    states = [int(random.integers(1, 2**w - 1, endpoint=True, dtype=np.uint64)) for w in (16, 17)]
    assert seeds(TINY.seeded("Schicht 1 µ")) == tuple(states)


def test_seeds_differ_and_fit_the_register() -> None:
    keys = [*range(500), *(f"layer {n}" for n in range(500)), "0", "1"]
    found = [seeds(DIGITS.seeded(key)) for key in keys]
    assert len(set(found)) == len(keys)
    small = TINY.replace(noise={"words": 1, "lfsr": {"width": 8, "seed": 1}})
    assert all(1 <= seeds(small.seeded(key))[0] <= 255 for key in keys[:200])


def test_nothing_but_the_seeds_changes() -> None:
    own = TINY.seeded("hidden")
    assert own == TINY.replace(
        noise__lfsr__seed=own.noise.lfsr.seed, learning__lfsr__seed=own.learning.lfsr.seed
    )
    # Whatever seeds the configuration had.
    assert own.seeded(3) == TINY.seeded(3)


def test_layers_draw_identical_noise_unless_seeded() -> None:
    events = Events.from_times([0], [0], steps=16, units=6, windows=4)

    def draws(config: Config) -> np.ndarray:
        recorded = Layer(config).run(events, record=("draws",)).draws
        assert recorded is not None
        return recorded

    np.testing.assert_array_equal(draws(TINY), draws(TINY))
    a, b = draws(TINY.seeded("hidden")), draws(TINY.seeded("output"))
    assert (a != b).mean() > 0.9


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (-1, r"^seed must be in 0 \.\.= 2147483647, not -1$"),
        (1 << 31, r"^seed must be in 0 \.\.= 2147483647, not 2147483648$"),
        (1.0, r"^seed must be an integer in 0 \.\.= 2147483647, not 1\.0$"),
        (True, r"^seed must be an integer in 0 \.\.= 2147483647, not True$"),
        ("", r"^the name that gives a layer its seeds must not be empty$"),
    ],
)
def test_what_is_neither_number_nor_name_is_refused(which: object, message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        TINY.seeded(which)  # type: ignore[arg-type]
