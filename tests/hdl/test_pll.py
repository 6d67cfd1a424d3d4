"""PLL settings against every combination of dividers, and the domain that comes of them."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from bitlif.hdl.pll import reachable, settings


def ice40_by_force(reference: int) -> set[Fraction]:
    """Return what an SB_PLL40 makes, by the data sheet's formula and limits."""
    made = set()
    for divr in range(16):
        detector = Fraction(reference, divr + 1)
        for divf in range(128):
            oscillator = detector * (divf + 1)
            for divq in range(1, 7):
                output = oscillator / 2**divq
                if 10 <= detector <= 133 and 533 <= oscillator <= 1066 and 16 <= output <= 275:
                    made.add(output)
    return made


def ecp5_by_force(reference: int) -> set[Fraction]:
    """Return what an EHXPLLL makes with CLKOP fed back and CLKOS given out."""
    made = set()
    for divider in range(1, 129):
        detector = Fraction(reference, divider)
        if not 8 <= detector <= 400:
            continue
        rates = {
            detector * feedback * fed
            for feedback in range(1, 129)
            for fed in range(1, 129)
            if 3.125 <= detector * feedback <= 400
        }
        for oscillator in rates:
            if 400 <= oscillator <= 800:
                outputs = (oscillator / own for own in range(1, 129))
                made |= {output for output in outputs if 3.125 <= output <= 400}
    return made


FORCE = {"ice40": ice40_by_force, "ecp5": ecp5_by_force}


@pytest.mark.parametrize(
    ("kind", "reference"),
    [("ice40", 12), ("ice40", 48), ("ice40", 100), ("ecp5", 12), ("ecp5", 25), ("ecp5", 48)],
)
def test_every_clock_within_the_limits_is_found_and_no_other(kind: str, reference: int) -> None:
    made = reachable(kind, reference)
    assert [own.output for own in made] == sorted(FORCE[kind](reference))
    for own in made:
        numbers = dict(own.parameters)
        if kind == "ice40":
            assert own.detector == Fraction(reference, numbers["DIVR"] + 1)
            assert own.oscillator == own.detector * (numbers["DIVF"] + 1)
            assert own.output == own.oscillator / 2 ** numbers["DIVQ"]
        else:
            assert own.detector == Fraction(reference, numbers["CLKI_DIV"])
            fed_back = own.detector * numbers["CLKFB_DIV"]
            assert own.oscillator == fed_back * numbers["CLKOP_DIV"]
            assert own.output == own.oscillator / numbers["CLKOS_DIV"]
            assert 3.125 <= fed_back <= 400


@pytest.mark.parametrize("wanted", [16.125, 24.0, 24.3, 59.99, 100.0, 275.0, 1000.0])
def test_the_highest_clock_not_above_the_wanted_one_is_taken(wanted: float) -> None:
    below = [output for output in ice40_by_force(12) if output <= Fraction(wanted)]
    assert settings("ice40", 12, wanted).output == max(below)


def test_settings_are_those_of_icepll() -> None:
    # icepll -i 12 -o 24, 60, 96: the filter's range among them.
    for wanted, divf, divq in ((24, 63, 5), (60, 79, 4), (96, 63, 3)):
        numbers = (("DIVR", 0), ("DIVF", divf), ("DIVQ", divq), ("FILTER_RANGE", 1))
        assert settings("ice40", 12, wanted).parameters == numbers


def test_filter_follows_the_detector() -> None:
    ranges = {
        float(own.detector): dict(own.parameters)["FILTER_RANGE"]
        for reference in (10, 16, 17, 25, 43, 65, 100, 101, 133)
        for own in reachable("ice40", reference)
    }
    assert ranges[16] == 1
    assert ranges[17] == ranges[25] == 2
    assert ranges[43] == 3
    assert ranges[65] == 4
    assert ranges[100] == 5
    assert ranges[101] == ranges[133] == 6


def test_a_clock_that_will_not_do_is_passed_over() -> None:
    whole = settings("ice40", 12, 25.6, lambda mhz: math.isclose(mhz, round(mhz)))
    assert whole.mhz == 24.0
    with pytest.raises(ValueError, match=r"^no clock up to 25\.6 MHz will do$"):
        settings("ice40", 12, 25.6, lambda mhz: False)


def test_what_a_pll_cannot_do_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 16\.125 MHz, the least .* of 12 MHz, not 16$"):
        settings("ice40", 12, 16)
    with pytest.raises(ValueError, match=r"^reference of an ice40 PLL must be 10 .*, not 8"):
        settings("ice40", 8, 24)
    with pytest.raises(ValueError, match=r"^reference of an ecp5 PLL must be 8 .*, not 500"):
        settings("ecp5", 500, 100)
