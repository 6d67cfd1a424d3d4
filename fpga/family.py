"""What a family of FPGAs is: its record, and the records that it consists of."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .large_ram import LargeRam
from .yosys_mapping import MemoryRules, MultiplierRules

CELLS, REGISTERS, BLOCKS, MULTIPLIERS = "cells", "flip-flops", "block RAMs", "multipliers"
LARGE = "large RAMs"
"""Kinds of resources: keys of a board's limits, of estimates and of measured sizes."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The tools between a netlist and a bitstream, and their files.

    Attributes
    ----------
    placer, packer : str
        Keys of `bitlif.fpga.tools.TOOLS`.
    constraints, constraints_option : str
        Suffix of the pin constraints, and nextpnr's option for them. What follows a space in the
        option comes right before the file.
    routed, routed_option : str
        Suffix of nextpnr's result, and its option.
    bitstream : str
        Suffix of the bitstream.
    resources : dict of str to str
        Name of each kind of resource in nextpnr's report.
    shares : dict of str to dict of str to float
        Other names in the report that take part of a resource, and how much each takes, by kind.
    parts : dict of str to str
        Parts of a logic cell that the netlist counts separately: regular expressions for their
        cell types.
    unconstrained : tuple of str
        nextpnr's options for a netlist without pin constraints.
    bitstream_option : str
        The packer's option for the bitstream; "" if the file is its last argument.
    pads : str
        Yosys' command that adds buffers to all ports; "" where nextpnr adds them.
    count : callable or None
        Takes a module of Yosys' JSON and returns its resources by kind. None: nextpnr counts them,
        also without pin constraints.
    """

    placer: str
    packer: str
    constraints: str
    constraints_option: str
    routed: str
    routed_option: str
    bitstream: str
    resources: Mapping[str, str]
    parts: Mapping[str, str] = field(default_factory=dict)
    unconstrained: tuple[str, ...] = ()
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    bitstream_option: str = ""
    pads: str = ""
    count: Callable[[Mapping[str, Any]], dict[str, int]] | None = None

    def constrained_by(self, file: str) -> list[str]:
        """Return nextpnr's arguments that name a file of pin constraints."""
        option, _, prefix = self.constraints_option.partition(" ")
        return [option, prefix + file]

    def used(self, kind: str, counted: Mapping[str, int]) -> int:
        """Return how much of a resource is used, from the counts of nextpnr's report by name."""
        parts = self.shares.get(kind, {})
        taken = sum(share * counted.get(name, 0) for name, share in parts.items())
        return counted.get(self.resources[kind], 0) + math.ceil(taken)


@dataclass(frozen=True, slots=True)
class CellLimits:
    """Uses of a cell that its simulation model covers; all strings are regular expressions.

    Attributes
    ----------
    parameters : dict of str to str
        Covered values, by parameter.
    ports : str
        Ports of the model.
    zeros, ones : str
        Inputs that must be constant 0, and constant 1.
    clocks : tuple of str
        Ports that must share one clock; a port without a net is unused.
    check : callable or None
        Takes the cell of Yosys' JSON netlist; returns what else is not covered, or "".
    """

    parameters: Mapping[str, str]
    ports: str
    zeros: str = ""
    ones: str = ""
    clocks: tuple[str, ...] = ()
    check: Callable[[Mapping[str, Any]], str] | None = None


@dataclass(frozen=True, slots=True)
class CellModels:
    """Simulation models of a family's cells.

    Attributes
    ----------
    techmap : str
        Options of Yosys' ``techmap`` that name the model files.
    cells : str
        Regular expression for the cell types with a model. An empty module would be a silent black
        box.
    limits : dict of str to CellLimits
        By cell type, where a model does not cover every use.
    files : tuple of Path
        Model files that Yosys does not bring.
    constants : dict of str to str
        Value of the net that a cell drives, by the type of cells that drive constants.
    """

    techmap: str
    cells: str
    limits: Mapping[str, CellLimits] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Device:
    """The device on which a core alone is placed to measure it.

    Attributes
    ----------
    name : str
        As in ``bitlif bench gates --family NAME``.
    title : str
    arguments : tuple of str
        nextpnr's arguments for the device.
    aim : int
        Clock to ask for, in MHz: slightly more than wanted, since nextpnr never stops trying for a
        clock far out of reach.
    constraints : str
        Text of the pin constraints for ports clk, rst, i and o; "" where nextpnr chooses pins.
    """

    name: str
    title: str
    arguments: tuple[str, ...]
    aim: int
    constraints: str = ""


Guesses = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Fabric:
    """Logic cells and memories that several families share; they are calibrated together.

    Attributes
    ----------
    name : str
    memory : MemoryRules
    guesses : dict
        Expected cost of each feature of `bitlif.fpga.estimate`, by kind of resource: calibration
        starts from it and stays close where measurements say nothing.
    """

    name: str
    memory: MemoryRules
    guesses: Guesses


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """An FPGA family.

    Attributes
    ----------
    name : str
        Also of the backend ``netlist:NAME``.
    synthesis : str
        Yosys' command.
    fabric : Fabric
    multiplier : MultiplierRules or None
        None: the family has no hard multipliers.
    register_cells : str
        Regular expression for the types of register cells.
    models : CellModels
    pll : str
        A key of `bitlif.hdl.pll.PLLS`.
    toolchain : Toolchain
    device : Device
    large : LargeRam or None
        The large single-port RAM of the devices, if they have any.
    """

    name: str
    synthesis: str
    fabric: Fabric
    multiplier: MultiplierRules | None
    register_cells: str
    models: CellModels
    pll: str
    toolchain: Toolchain
    device: Device
    large: LargeRam | None = None

    @property
    def backend(self) -> str:
        """Return the backend that simulates a core as cells of this family."""
        return f"netlist:{self.name}"

    @property
    def fingerprint(self) -> str:
        """Return a hash of all that decides the netlist and its simulation model."""
        said = f"{self.synthesis}\n{self.models.techmap}\n{self.large}\n{self.multiplier}"
        digest = hashlib.sha256(said.encode())
        for file in self.models.files:
            digest.update(file.read_bytes())
        return digest.hexdigest()
