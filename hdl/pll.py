"""Clocks made from a board's crystal: PLL settings by their data sheets, and the domain ``sync``.

Sources: Lattice FPGA-TN-02052 (iCE40 sysCLOCK PLL) and the timing tables of the iCE40 LP/HX and
UltraPlus data sheets; Lattice FPGA-TN-02200 and FPGA-DS-02012 (ECP5 sysCLOCK PLL).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer

from bitlif.model.errors import BitlifError

WAIT_US = 15
"""Of reset after lock: block RAMs of an iCE40 read as zeros in their first 3 µs."""

ICE40_PFD, ICE40_VCO, ICE40_OUT = (10, 133), (533, 1066), (16, 275)
ICE40_FILTERS = ((17, 1), (26, 2), (44, 3), (66, 4), (101, 5))
"""MHz at the phase detector below which a filter is right; above all of them it is 6."""

ECP5_IN, ECP5_PFD, ECP5_VCO, ECP5_OUT = (8, 400), (8, 400), (400, 800), (Fraction(25, 8), 400)
ECP5_DIVIDER = 128


@dataclass(frozen=True, slots=True)
class PllSettings:
    """How a PLL makes a clock.

    Attributes
    ----------
    kind : str
        ``"ice40"`` or ``"ecp5"``.
    reference, output, detector, oscillator : Fraction
        MHz of the crystal, of what is made of it, at the phase detector, of the VCO.
    parameters : tuple of (str, int)
        Of the primitive.
    """

    kind: str
    reference: Fraction
    output: Fraction
    detector: Fraction
    oscillator: Fraction
    parameters: tuple[tuple[str, int], ...]

    @property
    def mhz(self) -> float:
        """Return the clock in MHz."""
        return float(self.output)


@functools.cache
def reachable(kind: str, reference_mhz: float) -> tuple[PllSettings, ...]:
    """Return settings for every clock that a PLL reaches, slowest first.

    Parameters
    ----------
    kind : str
        ``"ice40"`` or ``"ecp5"``.
    reference_mhz : float

    Raises
    ------
    BitlifError
        If the reference is beyond the PLL's limits.
    """
    reference = Fraction(reference_mhz).limit_denominator(1_000_000)
    walk: Callable[[Fraction], Iterator[PllSettings]]
    walk, (least, most) = {"ice40": (_ice40, ICE40_PFD), "ecp5": (_ecp5, ECP5_IN)}[kind]
    if not least <= reference <= most:
        raise BitlifError(
            f"reference of an {kind} PLL must be {least} to {most} MHz, not {reference_mhz:g}"
        )
    found: dict[Fraction, PllSettings] = {}
    for own in walk(reference):
        known = found.get(own.output)
        if known is None or _quality(own) > _quality(known):
            found[own.output] = own
    return tuple(found[output] for output in sorted(found))


def _quality(own: PllSettings) -> tuple[Fraction, Fraction]:
    """Return what decides between settings for one clock: corrected often, then little power."""
    return own.detector, -own.oscillator


def settings(
    kind: str,
    reference_mhz: float,
    wanted_mhz: float,
    accept: Callable[[float], bool] = lambda mhz: True,
) -> PllSettings:
    """Return settings for the highest reachable clock that is not above the wanted one.

    Parameters
    ----------
    kind, reference_mhz
        As of `reachable`.
    wanted_mhz : float
    accept : callable
        Whether a clock, in MHz, will do.

    Raises
    ------
    BitlifError
        If there is none.

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
        raise BitlifError(f"no clock up to {wanted_mhz:g} MHz will do")
    raise BitlifError(
        f"clock must be at least {found[0].mhz:g} MHz, the least that the PLL makes of "
        f"{reference_mhz:g} MHz, not {wanted_mhz:g}"
    )


def _within(value: Fraction, limits: tuple[int | Fraction, int | Fraction]) -> bool:
    return limits[0] <= value <= limits[1]


def _ice40(reference: Fraction) -> Iterator[PllSettings]:
    """Yield every setting of an SB_PLL40 with simple feedback."""
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
    """Yield settings of an EHXPLLL that feeds CLKOP back, and gives CLKOS, whose divider is free.

    The oscillator runs at the detector's rate times any product of two dividers.
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


class PllClock(wiring.Component):
    """Clock and reset of the domain ``sync``, which is whoever's it is in, from a crystal.

    Parameters
    ----------
    made : PllSettings
    port : amaranth.lib.io.SingleEndedPort
        The crystal's pin.
    pad : bool
        Of an iCE40: the pin is the PLL's own, which no logic can read beside it.

    It has no members. Latency and throughput: none. Reset: `WAIT_US` after the PLL has locked, and
    again whenever it is not locked.
    """

    def __init__(self, made: PllSettings, port: Any, *, pad: bool) -> None:
        self._made, self._port, self._pad = made, port, pad
        super().__init__({})

    def elaborate(self, platform: Any) -> Module:
        """Build PLL, domain and the time until its reset ends."""
        m = Module()
        made = self._made
        clock, lock, locked = Signal(), Signal(), Signal()
        m.d.comb += ClockSignal().eq(clock)
        if made.kind == "ice40":
            self._ice40(m, clock, lock)
        else:
            self._ecp5(m, clock, lock)
        # All of this runs while the domain is in reset, and so must not be reset itself.
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

    def _ice40(self, m: Module, clock: Signal, lock: Signal) -> None:
        ports: dict[str, Any]
        if self._pad:
            ports = {"i_PACKAGEPIN": self._port.io}
        else:
            m.submodules.pin = pin = io.Buffer("i", self._port)
            ports = {"i_REFERENCECLK": pin.i}
        m.submodules.pll = Instance(
            "SB_PLL40_PAD" if self._pad else "SB_PLL40_CORE",
            p_FEEDBACK_PATH="SIMPLE",
            p_PLLOUT_SELECT="GENCLK",
            **{f"p_{name}": value for name, value in self._made.parameters},
            **ports,
            i_RESETB=1,
            i_BYPASS=0,
            o_PLLOUTGLOBAL=clock,
            o_LOCK=lock,
        )

    def _ecp5(self, m: Module, clock: Signal, lock: Signal) -> None:
        m.submodules.pin = pin = io.Buffer("i", self._port)
        numbers = dict(self._made.parameters)
        fed = Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            a_FREQUENCY_PIN_CLKI=f"{float(self._made.reference):g}",
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
            # That is no shift: phases are counted from the end of the period.
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
