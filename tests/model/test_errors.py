"""The checks behind every refusal: kind before range, one sentence, a hint if one is near."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.toml import config_hash
from bitlif.model.errors import (
    BitlifError,
    BitlifTypeError,
    located,
    nearest_of,
    require_bool,
    require_choice,
    require_int,
    require_kind,
    require_real,
)
from bitlif.model.fixed import Format

WORDS = ("phase", "polynomial", "shared")


def test_kind_errors_are_value_errors_too() -> None:
    assert issubclass(BitlifError, ValueError)
    assert issubclass(BitlifTypeError, BitlifError)
    assert issubclass(BitlifTypeError, TypeError)
    assert not issubclass(BitlifError, TypeError)


# -- hints -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "nearest"),
    [("phases", "phase"), ("polynom", "polynomial"), ("share", "shared"), ("phase", "phase")],
)
def test_hint_is_the_nearest_word(word: str, nearest: str) -> None:
    assert nearest_of(word, WORDS) == f", did you mean '{nearest}'?"
    assert nearest_of(word, iter(WORDS)) == nearest_of(word, WORDS)


@pytest.mark.parametrize("word", ["", "zzz", "PHASE", "p"])
def test_there_is_no_hint_when_nothing_is_near(word: str) -> None:
    assert nearest_of(word, WORDS) == ""
    assert nearest_of("phase", ()) == ""


# -- integers --------------------------------------------------------------------------------


def test_integers_are_accepted_up_to_both_ends_and_no_further() -> None:
    for low, high in ((-3, 4), (0, 0), (1, 1 << 80)):
        for value in (low, high):
            assert require_int("n", value, low, high) is value
        for value in (low - 1, high + 1):
            with pytest.raises(
                BitlifError, match=rf"^n must be in {low} \.\.= {high}, not {value}$"
            ) as caught:
                require_int("n", value, low, high)
            assert not isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "True"),
        (False, "False"),
        (1.0, r"1\.0"),
        (math.nan, "nan"),
        ("1", "'1'"),
        (None, "None"),
        ([1], r"\[1\]"),
        (Fraction(1), r"Fraction\(1, 1\)"),
    ],
)
def test_anything_but_an_integer_is_a_kind_error(value: object, shown: str) -> None:
    with pytest.raises(BitlifTypeError, match=rf"^n must be an integer in 0 \.\.= 2, not {shown}$"):
        require_int("n", value, 0, 2)


# -- real numbers ----------------------------------------------------------------------------


def test_real_numbers_are_accepted_up_to_both_ends() -> None:
    for value in (0.0, 0.25, 2.5, 0, 2):
        found = require_real("x", value, 0.0, 2.5)
        assert type(found) is float
        assert found == value
    assert require_real("x", 5e-324, 0.0, 2.5, open_low=True) == 5e-324


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-5e-324, "-5e-324"),
        (math.nextafter(2.5, 3), r"2\.5000000000000004"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (3, "3"),
        (10**400, "an integer of 1329 bits"),
        (-(10**400), "an integer of 1329 bits"),
    ],
)
def test_real_numbers_outside_are_refused(value: float, shown: str) -> None:
    with pytest.raises(BitlifError, match=rf"^x must be in 0 \.\.= 2\.5, not {shown}$"):
        require_real("x", value, 0.0, 2.5)
    with pytest.raises(
        BitlifError, match=rf"^x must be above 0 and at most 2\.5, not {shown}$"
    ) as caught:
        require_real("x", value, 0.0, 2.5, open_low=True)
    assert not isinstance(caught.value, TypeError)


@pytest.mark.parametrize("value", [0.0, -0.0, 0])
def test_open_lower_end_is_no_member(value: float) -> None:
    with pytest.raises(BitlifError, match=r"^x must be above 0 and at most 1, not -?0(\.0)?$"):
        require_real("x", value, 0.0, 1.0, open_low=True)


@pytest.mark.parametrize(
    "value", [True, "1", None, [], 1j, Decimal("0.5"), Fraction(1, 2), np.float32(0.5)]
)
def test_anything_but_a_number_is_a_kind_error(value: object) -> None:
    with pytest.raises(BitlifTypeError, match=r"^x must be a number in 0 \.\.= 1, not .+$"):
        require_real("x", value, 0.0, 1.0)
    with pytest.raises(BitlifTypeError, match=r"^x must be a number above 0 and at most 1, not"):
        require_real("x", value, 0.0, 1.0, open_low=True)


def test_negative_zero_does_not_change_the_hash() -> None:
    assert math.copysign(1.0, require_real("x", -0.0, 0.0, 1.0)) == 1.0
    plus, minus = (
        Config().replace(schedule=[{"sigma": 0.2, "rate": zero}]) for zero in (0.0, -0.0)
    )
    assert plus == minus
    assert config_hash(plus) == config_hash(minus)


# -- words, classes and truth values ---------------------------------------------------------


def test_words_are_accepted_as_they_are() -> None:
    for word in WORDS:
        assert require_choice("w", word, WORDS) == word
        assert require_choice("w", word, iter(WORDS)) == word


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("phases", r"'phases', did you mean 'phase'\?"),
        ("Shared", r"'Shared', did you mean 'shared'\?"),
        ("", "''"),
        ("zzz", "'zzz'"),
    ],
)
def test_other_words_are_refused_with_a_hint(value: str, shown: str) -> None:
    with pytest.raises(
        BitlifError, match=rf"^w must be 'phase' or 'polynomial' or 'shared', not {shown}$"
    ) as caught:
        require_choice("w", value, WORDS)
    assert not isinstance(caught.value, TypeError)


@pytest.mark.parametrize("value", [None, 0, True, b"phase", ["phase"], {"phase": 1}])
def test_anything_but_a_word_is_a_kind_error(value: object) -> None:
    with pytest.raises(
        BitlifTypeError, match=r"^w must be 'phase' or 'polynomial' or 'shared', not .+$"
    ):
        require_choice("w", value, WORDS)


def test_class_is_checked_and_named() -> None:
    require_kind("f", Format(8, 2), Format)
    with pytest.raises(BitlifTypeError, match=r"^f must be of type Format, not 's8\.2'$"):
        require_kind("f", "s8.2", Format)


def test_truth_values_are_true_and_false_alone() -> None:
    assert require_bool("b", True) is True
    assert require_bool("b", False) is False
    others: list[Any] = [0, 1, 1.0, None, "true", [], np.True_]
    for value in others:
        with pytest.raises(BitlifTypeError, match=r"^b must be true or false, not .+$"):
            require_bool("b", value)


# -- what is quoted --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10_000_000,
        [1] * 1_000_000,
        1 << 20_000,
        -(1 << 20_000),
        "a\nb\x1b[2J",
        {"k": "v" * 999},
    ],
    ids=["text", "list", "integer", "negative", "control", "dict"],
)
@pytest.mark.parametrize("check", ["int", "real", "choice", "kind", "bool"])
def test_messages_are_one_short_line(check: str, value: object) -> None:
    calls: dict[str, Any] = {
        "int": lambda: require_int("n", value, 0, 2),
        "real": lambda: require_real("x", value, 0.0, 2.0),
        "choice": lambda: require_choice("w", value, WORDS),
        "kind": lambda: require_kind("f", value, Format),
        "bool": lambda: require_bool("b", value),
    }
    with pytest.raises(BitlifError) as caught:
        calls[check]()
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


def test_located_puts_the_place_before_the_message() -> None:
    with (
        pytest.raises(BitlifTypeError, match=r"^my\.toml: n must be an integer in 0"),
        located("my.toml"),
    ):
        require_int("n", "x", 0, 2)
    with pytest.raises(KeyError), located("my.toml"):
        raise KeyError
