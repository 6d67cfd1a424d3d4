"""Clocks from a board's oscillator: PLL settings by the data sheets, and the domain ``sync``.

A kind of PLL is one record in `PLLS`: the settings that it accepts, and how its primitive is
connected.

Sources: Lattice FPGA-TN-02052 (iCE40 sysCLOCK PLL) and the timing tables of the iCE40 LP/HX and
UltraPlus data sheets; Lattice FPGA-TN-02200 and FPGA-DS-02012 (ECP5 sysCLOCK PLL); Gowin UG286
(rPLL), DS117 (GW1NR-9, grade C6/I5) and DS226 (GW2AR-18, grade C8/I7).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from amaranth.hdl import ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer

from bitlif.model.errors import BitlifError

WAIT_US = 15
"""Reset after lock, in µs: block RAMs of an iCE40 read as zeros in their first 3 µs."""

ICE40_PFD, ICE40_VCO, ICE40_OUT = (10, 133), (533, 1066), (16, 275)
ICE40_FILTERS = ((17, 1), (26, 2), (44, 3), (66, 4), (101, 5))
"""Frequency limit at the phase detector in MHz, and filter range below it; above, it is 6."""

ECP5_IN, ECP5_PFD, ECP5_VCO, ECP5_OUT = (8, 400), (8, 400), (400, 800), (Fraction(25, 8), 400)
ECP5_DIVIDER = 128

RPLL_IN, RPLL_PFD, RPLL_VCO, RPLL_OUT = (3, 400), (3, 400), (500, 1200), (Fraction(125, 32), 600)
"""Limits in MHz that hold for both a GW1NR-9 and a GW2AR-18."""
RPLL_DIVIDER = 64
RPLL_OUTPUTS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)


@dataclass(frozen=True, slots=True)
class PllSettings:
    """Settings of a PLL.

    Attributes
    ----------
    kind : str
        A key of `PLLS`.
    reference, output, detector, oscillator : Fraction
        Frequencies in MHz of the reference, the output, the phase detector and the VCO.
    parameters : tuple of (str, int)
        Parameters of the primitive.
    """

    kind: str
    reference: Fraction
    output: Fraction
    detector: Fraction
    oscillator: Fraction
    parameters: tuple[tuple[str, int], ...]

    @property
    def mhz(self) -> float:
        """Return the output frequency in MHz."""
        return float(self.output)


@functools.cache
def reachable(kind: str, reference_mhz: float) -> tuple[PllSettings, ...]:
    """Return settings for every output frequency that a PLL can make, in ascending order.

    Parameters
    ----------
    kind : str
        A key of `PLLS`.
    reference_mhz : float

    Raises
    ------
    BitlifError
        If the reference is out of the PLL's range.
    """
    reference = Fraction(reference_mhz).limit_denominator(1_000_000)
    least, most = PLLS[kind].reference
    if not least <= reference <= most:
        raise BitlifError(
            f"reference of an {kind} PLL must be {least} to {most} MHz, not {reference_mhz:g}"
        )
    found: dict[Fraction, PllSettings] = {}
    for own in PLLS[kind].all_settings(reference):
        known = found.get(own.output)
        if known is None or _quality(own) > _quality(known):
            found[own.output] = own
    return tuple(found[output] for output in sorted(found))


def _quality(own: PllSettings) -> tuple[Fraction, Fraction]:
    """Return the preference among settings of one output: a fast detector, then a slow VCO."""
    return own.detector, -own.oscillator


def settings(
    kind: str,
    reference_mhz: float,
    wanted_mhz: float,
    accept: Callable[[float], bool] = lambda mhz: True,
) -> PllSettings:
    """Return settings for the highest output frequency that is not above the wanted one.

    Parameters
    ----------
    kind, reference_mhz
        As in `reachable`.
    wanted_mhz : float
    accept : callable
        Takes a frequency in MHz; returns whether it is acceptable.

    Raises
    ------
    BitlifError
        If there is no such frequency.

    Examples
    --------
    >>> settings("ice40", 12, 24).parameters
    (('DIVR', 0), ('DIVF', 63), ('DIVQ', 5), ('FILTER_RANGE', 1))
    """
    found = reachable(kind, reference_mhz)
    below = [own for own in found if own.output <= Fraction(wanted_mhz)]
    for own in reversed(below):
        if accept(own.mhz):
            return own
    if below:
        raise BitlifError(f"no clock of up to {wanted_mhz:g} MHz is acceptable")
    raise BitlifError(
        f"clock must be at least {found[0].mhz:g} MHz, the lowest output of the PLL for "
        f"{reference_mhz:g} MHz, not {wanted_mhz:g}"
    )


def _within(value: Fraction, limits: tuple[int | Fraction, int | Fraction]) -> bool:
    return limits[0] <= value <= limits[1]


def _ice40(reference: Fraction) -> Iterator[PllSettings]:
    """Yield all settings of an SB_PLL40 with simple feedback."""
    for divr in range(16):
        detector = reference / (divr + 1)
        if not _within(detector, ICE40_PFD):
            continue
        fit = [number for most, number in ICE40_FILTERS if detector < most]
        for divf in range(128):
            oscillator = detector * (divf + 1)
            if not _within(oscillator, ICE40_VCO):
                continue
            for divq in range(1, 7):
                output = oscillator / (1 << divq)
                if _within(output, ICE40_OUT):
                    numbers = (
                        ("DIVR", divr), ("DIVF", divf), ("DIVQ", divq),
                        ("FILTER_RANGE", fit[0] if fit else 6),
                    )  # fmt: skip
                    yield PllSettings("ice40", reference, output, detector, oscillator, numbers)


def _ecp5(reference: Fraction) -> Iterator[PllSettings]:
    """Yield settings of an EHXPLLL with feedback from CLKOP and output CLKOS.

    The VCO runs at the detector's frequency times a product of two dividers; the divider of CLKOS
    is independent.
    """
    for divider in range(1, ECP5_DIVIDER + 1):
        detector = reference / divider
        if not _within(detector, ECP5_PFD):
            continue
        products: dict[int, tuple[int, int]] = {}
        for feedback in range(1, ECP5_DIVIDER + 1):
            for fed in range(1, ECP5_DIVIDER + 1):
                oscillator = detector * feedback * fed
                if _within(oscillator, ECP5_VCO) and _within(oscillator / fed, ECP5_OUT):
                    products.setdefault(feedback * fed, (feedback, fed))
        for product, (feedback, fed) in products.items():
            oscillator = detector * product
            for own in range(1, ECP5_DIVIDER + 1):
                output = oscillator / own
                if _within(output, ECP5_OUT):
                    numbers = (
                        ("CLKI_DIV", divider), ("CLKFB_DIV", feedback),
                        ("CLKOP_DIV", fed), ("CLKOS_DIV", own),
                    )  # fmt: skip
                    yield PllSettings("ecp5", reference, output, detector, oscillator, numbers)


def _rpll(reference: Fraction) -> Iterator[PllSettings]:
    """Yield settings of an rPLL with internal feedback and output CLKOUT.

    The output divider is in the loop: it decides the frequency of the VCO only.
    """
    for divider in range(1, RPLL_DIVIDER + 1):
        detector = reference / divider
        if not _within(detector, RPLL_PFD):
            continue
        for feedback in range(1, RPLL_DIVIDER + 1):
            output = detector * feedback
            if not _within(output, RPLL_OUT):
                continue
            for own in RPLL_OUTPUTS:
                if _within(output * own, RPLL_VCO):
                    numbers = (
                        ("IDIV_SEL", divider - 1), ("FBDIV_SEL", feedback - 1), ("ODIV_SEL", own),
                    )  # fmt: skip
                    yield PllSettings("rpll", reference, output, detector, output * own, numbers)


class PllClock(wiring.Component):
    """Clock and reset of the parent's domain ``sync``, from an oscillator.

    Parameters
    ----------
    made : PllSettings
    port : amaranth.lib.io.SingleEndedPort
        The oscillator's pin.
    pad : bool
        iCE40 only: the pin is the PLL's dedicated pin, which no other logic can read.

    No members.

    Latency, Throughput, Handshake: not applicable.

    Reset: asserted until `WAIT_US` after lock, and again when lock is lost.
    """

    def __init__(self, made: PllSettings, port: Any, *, pad: bool) -> None:
        self._made, self._port, self._pad = made, port, pad
        super().__init__({})

    def elaborate(self, platform: Any) -> Module:
        """Elaborate the PLL and the timer that ends the reset."""
        m = Module()
        made = self._made
        clock = Signal()
        lock = Signal()
        locked = Signal()
        m.d.comb += ClockSignal().eq(clock)
        PLLS[made.kind].connect(m, made, self._port, self._pad, clock, lock)
        # These registers run while the domain is in reset, and must not be reset with it.
        m.submodules.lock_sync = FFSynchronizer(lock, locked, reset_less=True)
        wait = int(made.output * WAIT_US)
        waited = Signal(range(wait + 1), reset_less=True)
        held = Signal(init=1, reset_less=True)
        with m.If(~locked):
            m.d.sync += [waited.eq(0), held.eq(1)]
        with m.Elif(waited != wait):
            m.d.sync += waited.eq(waited + 1)
        with m.Else():
            m.d.sync += held.eq(0)
        m.d.comb += ResetSignal().eq(held)
        return m


def _connect_ice40(
    m: Module, made: PllSettings, port: Any, pad: bool, clock: Signal, lock: Signal
) -> None:
    ports: dict[str, Any]
    if pad:
        ports = {"i_PACKAGEPIN": port.io}
    else:
        m.submodules.pin = pin = io.Buffer("i", port)
        ports = {"i_REFERENCECLK": pin.i}
    m.submodules.pll = Instance(
        "SB_PLL40_PAD" if pad else "SB_PLL40_CORE",
        p_FEEDBACK_PATH="SIMPLE",
        p_PLLOUT_SELECT="GENCLK",
        **{f"p_{name}": value for name, value in made.parameters},
        **ports,
        i_RESETB=1,
        i_BYPASS=0,
        o_PLLOUTGLOBAL=clock,
        o_LOCK=lock,
    )


def _connect_ecp5(
    m: Module, made: PllSettings, port: Any, pad: bool, clock: Signal, lock: Signal
) -> None:
    m.submodules.pin = pin = io.Buffer("i", port)
    numbers = dict(made.parameters)
    fed = Signal()
    m.submodules.pll = Instance(
        "EHXPLLL",
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        a_MFG_ENABLE_FILTEROPAMP="1",
        a_MFG_GMCREF_SEL="2",
        a_FREQUENCY_PIN_CLKI=f"{float(made.reference):g}",
        p_FEEDBK_PATH="CLKOP",
        p_PLLRST_ENA="DISABLED",
        p_INTFB_WAKE="DISABLED",
        p_STDBY_ENABLE="DISABLED",
        p_DPHASE_SOURCE="DISABLED",
        p_OUTDIVIDER_MUXA="DIVA",
        p_OUTDIVIDER_MUXB="DIVB",
        p_OUTDIVIDER_MUXC="DIVC",
        p_OUTDIVIDER_MUXD="DIVD",
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOS_ENABLE="ENABLED",
        **{f"p_{name}": value for name, value in numbers.items()},
        # No phase shift: phases are counted from the end of the period.
        p_CLKOP_CPHASE=numbers["CLKOP_DIV"] - 1,
        p_CLKOP_FPHASE=0,
        p_CLKOS_CPHASE=numbers["CLKOS_DIV"] - 1,
        p_CLKOS_FPHASE=0,
        i_CLKI=pin.i,
        i_CLKFB=fed,
        i_RST=0,
        i_STDBY=0,
        i_PHASESEL0=0,
        i_PHASESEL1=0,
        i_PHASEDIR=1,
        i_PHASESTEP=1,
        i_PHASELOADREG=1,
        i_PLLWAKESYNC=0,
        i_ENCLKOP=0,
        i_ENCLKOS=0,
        o_CLKOP=fed,
        o_CLKOS=clock,
        o_LOCK=lock,
    )


def _connect_rpll(
    m: Module, made: PllSettings, port: Any, pad: bool, clock: Signal, lock: Signal
) -> None:
    m.submodules.pin = pin = io.Buffer("i", port)
    m.submodules.pll = Instance(
        "rPLL",
        p_FCLKIN=f"{float(made.reference):g}",
        **{f"p_{name}": value for name, value in made.parameters},
        p_DYN_IDIV_SEL="false",
        p_DYN_FBDIV_SEL="false",
        p_DYN_ODIV_SEL="false",
        p_DYN_DA_EN="false",
        p_CLKFB_SEL="internal",
        p_CLKOUT_BYPASS="false",
        i_CLKIN=pin.i,
        i_CLKFB=0,
        i_RESET=0,
        i_RESET_P=0,
        i_IDSEL=Const(0, 6),
        i_FBDSEL=Const(0, 6),
        i_ODSEL=Const(0, 6),
        i_PSDA=Const(0, 4),
        i_DUTYDA=Const(0, 4),
        i_FDLY=Const(0, 4),
        o_CLKOUT=clock,
        o_LOCK=lock,
    )


Connect = Callable[[Module, PllSettings, Any, bool, Signal, Signal], None]
"""Takes module, settings, port, pad, and the signals for clock and lock."""


@dataclass(frozen=True, slots=True)
class Pll:
    """A kind of PLL.

    Attributes
    ----------
    reference : tuple of number
        Lowest and highest reference frequency, in MHz.
    all_settings : callable
        Takes the reference in MHz and yields all `PllSettings`.
    connect : callable
        Adds the primitive to a module; see `Connect`.
    """

    reference: tuple[int, int]
    all_settings: Callable[[Fraction], Iterator[PllSettings]]
    connect: Connect


PLLS: dict[str, Pll] = {
    "ice40": Pll(ICE40_PFD, _ice40, _connect_ice40),
    "ecp5": Pll(ECP5_IN, _ecp5, _connect_ecp5),
    "rpll": Pll(RPLL_IN, _rpll, _connect_rpll),
}
"""The registry of PLLs, by kind."""
