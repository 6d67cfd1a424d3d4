"""What a compiled core consists of: its ports, its layers, and the signals that benches record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from amaranth.hdl import Value
from amaranth.lib.wiring import In, Member, Signature

from bitlif.hdl.core_signals import COUNTERS, FORWARD_COUNTERS, SWEPT_COUNTERS
from bitlif.hdl.export.network_verilog import network_name
from bitlif.hdl.export.verilog import core_name
from bitlif.hdl.host_port import trace_layout
from bitlif.hdl.layer import core_members
from bitlif.hdl.network import network_members
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.sim.network_probes import network_probes
from bitlif.sim.probes import RECORDED, Observable, observables

MEMORIES = ("weights", "schedule", "entry")
"""Memories of a layer that the driver writes, by the names of their host ports."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a core.

    Attributes
    ----------
    name : str
        Name in the core's Verilog.
    bits : int
        Width.
    input : bool
        Whether it is an input.
    """

    name: str
    bits: int
    input: bool

    @property
    def plain(self) -> str:
        """Name in the wrapper: Verilator escapes two adjacent underscores."""
        return self.name.replace("__", "_")


class DesignLayer(NamedTuple):
    """A layer of a core.

    Attributes
    ----------
    config : Config
    host, digest, watch : str
        Names in the wrapper: of its host port, its signature, and its events of a clock cycle.
    path : str
        Of its module below the core; "" for the core itself.
    """

    config: Config
    host: str
    digest: str
    watch: str
    path: str


class Probe(NamedTuple):
    """A recorded signal of a layer.

    Attributes
    ----------
    layer : int
    observable : Observable
        Its path is relative to the layer.
    """

    layer: int
    observable: Observable


@dataclass(frozen=True, slots=True)
class Design:
    """A core of a layer or a network.

    Attributes
    ----------
    config : Config or NetworkConfig
    module : str
        Name of its Verilog module.
    ports : tuple of Port
        Starting with clock and reset.
    layers : tuple of DesignLayer
    idle : str
        Name in the wrapper of the output that is high between windows.
    counters : tuple of str
        Names of its counters' outputs.
    probes : dict of str to Probe
        By the names of records; those of a network begin with ``layer.0.`` and so on.
    """

    config: Config | NetworkConfig
    module: str
    ports: tuple[Port, ...]
    layers: tuple[DesignLayer, ...]
    idle: str
    counters: tuple[str, ...]
    probes: dict[str, Probe]

    @property
    def names(self) -> set[str]:
        """Names of all ports in the wrapper."""
        return {port.plain for port in self.ports}

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of all outputs in the wrapper."""
        return tuple(port.plain for port in self.ports if not port.input)

    @property
    def memories(self) -> dict[str, DesignLayer]:
        """Memories that a host can write, by the names of their host ports, with their layers."""
        return {
            f"{own.host}_{memory}": own
            for own in self.layers
            for memory in MEMORIES
            if f"{own.host}_{memory}_enable" in self.names
        }

    def bits(self, probe: Probe) -> int:
        """Return the width of the signal that contains a probe's fields."""
        seen = probe.observable
        if seen.name == "PSP trace":
            return int(trace_layout(self.layers[probe.layer].config).size)
        return seen.bits * seen.count


def design_of(config: Config | NetworkConfig, *, learning: bool, probed: bool) -> Design:
    """Return the core of a layer or a network; without probes, it shows only its ports.

    Parameters
    ----------
    config : Config or NetworkConfig
    learning : bool
        Whether the core has learning hardware.
    probed : bool
        Whether signals inside it are recorded.
    """
    if isinstance(config, NetworkConfig):
        return _network(config, learning, probed)
    seen = {one.name: one for one in observables(config, learning=learning, learn=learning)}
    probes = {
        record: Probe(0, seen[name]) for record, name in RECORDED.items() if probed and name in seen
    }
    return Design(
        config, core_name(config), _ports(core_members(config, learning=learning)),
        (DesignLayer(config, "host", "digest", "watch", ""),), "host_idle", COUNTERS, probes,
    )  # fmt: skip


def _network(network: NetworkConfig, learning: bool, probed: bool) -> Design:
    layers = tuple(
        DesignLayer(own.config, f"host_{k}", f"digest_{k}", f"watch_{k}", f"layer_{k}")
        for k, own in enumerate(network.layers)
    )
    names = SWEPT_COUNTERS if learning else FORWARD_COUNTERS
    probes = {
        f"layer.{number}.{record}": Probe(number, seen)
        for number in range(len(layers))
        for record, seen in network_probes(network, number, learning=learning).items()
        if probed
    }
    return Design(
        network, network_name(network), _ports(network_members(network, learning=learning)),
        layers, "idle", tuple(f"{name}_{k}" for k in range(len(layers)) for name in names), probes,
    )  # fmt: skip


def _ports(members: dict[str, Member]) -> tuple[Port, ...]:
    """Return the ports of a core's Verilog, starting with clock and reset."""
    signature = Signature(members)
    ports = [Port("clk", 1, True), Port("rst", 1, True)]
    for path, member, value in signature.flatten(signature.create()):
        name = "__".join(str(part) for part in path)
        ports.append(Port(name, len(Value.cast(value)), member.flow == In))
    return tuple(ports)
