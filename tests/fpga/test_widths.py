"""Widths that are chosen for a board."""

from __future__ import annotations

import pytest

from bitlif.fpga.boards import BOARDS
from bitlif.fpga.capacity import Room
from bitlif.fpga.estimate import estimate
from bitlif.fpga.widths import suited_to, useful_widths
from bitlif.model.config.config import Config

DIGITS = Config.load("digits")


def test_useful_widths_need_fewer_rows_than_smaller_ones() -> None:
    assert useful_widths(1) == [1]
    assert useful_widths(7) == [1, 2, 3, 4, 7]
    assert len(useful_widths(1024)) < 70


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("lanes", [1, 2])
def test_chosen_widths_fit_the_board(name: str, lanes: int) -> None:
    board = BOARDS[name]
    own = suited_to(DIGITS.replace(layer__lanes=lanes), board)
    if own.gates.synapses:
        assert not Room(board.family, board.limits).lacking(estimate(own, board.family))
    assert own.layer.lanes == lanes


def test_widths_are_as_large_as_the_board_allows() -> None:
    small = suited_to(DIGITS.replace(layer__lanes=1), BOARDS["icebreaker"])
    large = suited_to(DIGITS.replace(layer__lanes=1), BOARDS["ulx3s-85f"])
    assert (large.gates.synapses, large.gates.products) == (10, 10)
    assert 1 < small.gates.products <= large.gates.products


def test_given_widths_are_kept() -> None:
    board = BOARDS["ulx3s-85f"]
    told = DIGITS.replace(gates__synapses=4, gates__products=2)
    assert suited_to(told, board) is told
    part = suited_to(DIGITS.replace(gates__products=2), board)
    assert (part.gates.synapses, part.gates.products) == (10, 2)
    plain = suited_to(DIGITS.replace(gates__synapses=4), board, learning=False)
    assert (plain.gates.synapses, plain.gates.products) == (4, 0)


def test_layer_that_never_fits_is_returned_as_it_is() -> None:
    huge = DIGITS.replace(layer__inputs=4096, layer__neurons=400)
    assert suited_to(huge, BOARDS["hx8k"]) is huge


def test_large_layers_have_memories_of_one_port() -> None:
    # The formats of the digits leave no room for the margin of the cells.
    wide = Config.load("tiny").replace(layer__inputs=256, layer__neurons=40, layer__lanes=1)
    own = suited_to(wide, BOARDS["icebreaker"])
    assert own.gates.single_port == "all"
    assert suited_to(wide, BOARDS["ulx3s-85f"]).gates.single_port == "none"
