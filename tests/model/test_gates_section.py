"""The section ``gates``: what it accepts, and how rows and products follow from it."""

from __future__ import annotations

import re

import pytest

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.gates_section import GatesConfig


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("synapses", -1, "synapses must be in 0 ..= 1024, not -1"),
        ("products", 1025, "products must be in 0 ..= 1024, not 1025"),
        ("single_port", "both", "single_port must be 'none' or 'weights' or 'all', not 'both'"),
    ],
)
def test_values_outside_their_ranges_are_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(BitlifError, match=re.escape(message)):
        GatesConfig(**{field: value})  # type: ignore[arg-type]


def test_widths_are_multiples_of_the_lanes_up_to_all_slots() -> None:
    for width in (0, 3, 6, 9):
        GatesConfig(synapses=width, products=width).check_lanes(3, 3)
    for width in (2, 10, 12):
        with pytest.raises(BitlifError, match=rf"^synapses must .*at most 9, not {width}$"):
            GatesConfig(synapses=width).check_lanes(3, 3)


def test_errors_name_the_field_with_its_section() -> None:
    with pytest.raises(BitlifError, match=r"^gates\.products must be 0 or a multiple of layer\.l"):
        Config.load("tiny").replace(gates__products=3)
