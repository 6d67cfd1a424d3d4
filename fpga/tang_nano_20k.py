"""The platform of the Tang Nano 20K, which amaranth-boards 0.0.21 lacks.

Pins: Sipeed's schematic of the board, as in the platforms of LiteX.
"""

from __future__ import annotations

from typing import ClassVar

from amaranth.build import Attrs, Clock, Connector, Pins, Resource, Subsignal
from amaranth.vendor import GowinPlatform

_LEVEL = Attrs(IO_TYPE="LVCMOS33")


class TangNano20kPlatform(GowinPlatform):
    """Oscillator and serial port of a Tang Nano 20K."""

    part = "GW2AR-LV18QN88C8/I7"
    family = "GW2AR-18C"
    default_clk = "clk27"
    resources: ClassVar[list[Resource]] = [
        Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), _LEVEL),
        Resource(
            "uart", 0, Subsignal("rx", Pins("70", dir="i")), Subsignal("tx", Pins("69", dir="o")),
            Attrs(PULL_MODE="UP", IO_TYPE="LVCMOS33"),
        ),
    ]  # fmt: skip
    connectors: ClassVar[list[Connector]] = []
