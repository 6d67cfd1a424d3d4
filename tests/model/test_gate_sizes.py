"""Sizes of the gates: rows, groups, and the host's addresses of weights."""

import pytest

from bitlif import Config
from bitlif.model.config.toml import config_hash, config_to_dict
from bitlif.model.errors import BitlifError
from bitlif.model.gate_sizes import gate_sizes


def test_by_default_rows_and_groups_are_as_wide_as_the_lanes() -> None:
    sizes = gate_sizes(Config.load("digits"))
    assert (sizes.synapses, sizes.products, sizes.rows, sizes.groups) == (2, 2, 5, 5)
    assert [sizes.weight_address(3, slot) for slot in range(5)] == [15, 16, 17, 18, 19]
    assert sizes.weight_addresses == 65 * 5


def test_wide_rows_hold_several_slots() -> None:
    config = Config.load("digits").replace(layer__lanes=1, gates__synapses=4, gates__products=3)
    sizes = gate_sizes(config)
    assert (sizes.row_slots, sizes.rows, sizes.group_slots, sizes.groups) == (4, 3, 3, 4)
    addresses = [sizes.weight_address(n, slot) for n in range(65) for slot in range(10)]
    assert len(set(addresses)) == 650
    assert max(addresses) < sizes.weight_addresses == 65 * 3 * 4


@pytest.mark.parametrize("field", ["synapses", "products"])
@pytest.mark.parametrize("value", [3, 12, -2])
def test_widths_that_do_not_suit_the_lanes_are_refused(field: str, value: int) -> None:
    with pytest.raises(BitlifError, match=f"gates.{field} must be .*not {value}"):
        Config.load("digits").replace(**{f"gates__{field}": value})


def test_results_and_therefore_the_hash_do_not_depend_on_the_gates() -> None:
    usual = Config.load("digits")
    wide = usual.replace(gates__synapses=10, gates__single_port="all")
    assert config_hash(wide) == config_hash(usual)
    assert "gates" not in config_to_dict(usual)
    assert config_to_dict(wide)["gates"] == {
        "synapses": 10, "products": 0, "single_port": "all",
    }  # fmt: skip
