"""Metrics: distinct names, and the number of stored bits."""

from __future__ import annotations

from bitlif.model.config.config import Config
from bitlif.study.search.metrics import EXTRAS, metrics_of, stored_bits, weight_bits
from bitlif.tasks.registry import BUILT_IN, get

DIGITS = Config.load("digits")


def test_metrics_have_distinct_names_and_descriptions() -> None:
    for task in BUILT_IN:
        metrics = metrics_of(task, EXTRAS)
        assert len({own.name for own in metrics}) == len(metrics)
        assert {own.direction for own in metrics} == {"max", "min"}
        assert get(task).score.name in {own.name for own in metrics}


def test_stored_bits_of_digits_match_a_count_by_hand() -> None:
    # 65 x 10 weights of 10 bits; gradients sum 64 products of an error in s8 and a trace in u8:
    # |sum| <= 64 * 128 * 255 < 2^21, so 22 bits; 10 currents and membranes of 16 bits; 65 pairs of
    # traces of 8 bits; two columns of 256 entries of 8 bits; 2 lanes of a noise LFSR of 32 bits and
    # of an update LFSR of 31.
    assert weight_bits(DIGITS) == 6500
    by_hand = 6500 + 650 * 22 + 10 * (16 + 16) + 65 * (8 + 8) + 512 * 8 + 2 * (32 + 31)
    assert stored_bits(DIGITS) == by_hand


def test_omitted_parts_store_nothing() -> None:
    assert stored_bits(DIGITS.replace(learning__random_bits=0)) == stored_bits(DIGITS) - 62
    shared = DIGITS.replace(noise__lfsr__sharing="shared")
    assert stored_bits(shared) == stored_bits(DIGITS) - 32
