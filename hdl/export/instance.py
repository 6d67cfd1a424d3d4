"""A core as a black box, to be replaced by an existing netlist."""

from __future__ import annotations

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Signature

from bitlif.hdl.network import any_members
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig

from .verilog import core_name


class CoreInstance(wiring.Component):
    """An instance of the module that `core_verilog` or `network_verilog` exports.

    Parameters
    ----------
    config : bitlif.Config or bitlif.NetworkConfig
    learning : bool
        Whether the exported module has learning hardware.

    Members
    -------
    restart : In(1)
        Resets the core like the reset of its domain; ``ResetInserter`` does not affect instances.
    ...
        All other members are those of `bitlif.hdl.network.any_core`.

    Latency, Throughput, Handshake, Reset: those of the core.
    """

    def __init__(self, config: Config | NetworkConfig, *, learning: bool = True) -> None:
        self._name = core_name(config)
        self._members = any_members(config, learning=learning)
        super().__init__({"restart": In(1), **self._members})

    def elaborate(self, platform: object) -> Module:
        """Connect every member to the port with its name."""
        m = Module()
        ports: dict[str, object] = {
            "i_clk": ClockSignal(),
            "i_rst": ResetSignal(allow_reset_less=True) | self.restart,
        }
        own = Signature(self._members)
        for path, member, value in own.flatten(self):
            direction = "i" if member.flow == In else "o"
            ports[f"{direction}_{'__'.join(str(part) for part in path)}"] = Value.cast(value)
        m.submodules.netlist = Instance(self._name, **ports)
        return m


def black_box(config: Config | NetworkConfig, *, learning: bool = True) -> str:
    """Return the module with its ports only, in Verilog, for tools that read the instance."""
    own = Signature(any_members(config, learning=learning))
    lines = ["input wire clk", "input wire rst"]
    for path, member, value in own.flatten(own.create(path=())):
        direction = "input" if member.flow == In else "output"
        name = "__".join(str(part) for part in path)
        lines.append(f"{direction} wire [{len(Value.cast(value)) - 1}:0] {name}")
    ports = ",\n  ".join(lines)
    return f"(* blackbox *)\nmodule {core_name(config)} (\n  {ports}\n);\nendmodule\n"
