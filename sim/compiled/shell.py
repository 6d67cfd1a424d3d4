"""A Verilog wrapper of a core for compiled code: ports without escaped names, and probes."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Value
from amaranth.lib.wiring import In, Signature

from bitlif.hdl.core_signals import COUNTERS, READ_CLOCKS, WATCHED
from bitlif.hdl.export.verilog import core_name
from bitlif.hdl.host_port import trace_layout
from bitlif.hdl.layer import core_members
from bitlif.model.config.config import Config
from bitlif.sim.probes import RECORDED, Observable, observables

from .bit_packing import from_integers, words_for

SHELL = "bitlif_shell"
"""Name of the wrapper module."""

MEMORIES = ("weights", "schedule", "entry")
"""Memories that the driver writes, by the names of their host ports."""

READ_PORTS = (
    "host_idle", "host_weights", "host_state", "host_state_blank", "host_schedule",
    "host_noise_lfsr", "host_trace", "host_trace_blank", "host_entry", "host_update_lfsr",
    "phase", "digest",
)  # fmt: skip
"""Output ports that the driver reads. Not every core has all of them."""


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


def core_ports(config: Config, *, learning: bool) -> tuple[Port, ...]:
    """Return the ports of a core's Verilog, starting with clock and reset."""
    signature = Signature(core_members(config, learning=learning))
    ports = [Port("clk", 1, True), Port("rst", 1, True)]
    for path, member, value in signature.flatten(signature.create()):
        name = "__".join(str(part) for part in path)
        ports.append(Port(name, len(Value.cast(value)), member.flow == In))
    return tuple(ports)


def probes(config: Config, *, learning: bool) -> dict[str, Observable]:
    """Return the probes of a core, by the name of their record."""
    seen = {one.name: one for one in observables(config, learning=learning, learn=learning)}
    return {record: seen[name] for record, name in RECORDED.items() if name in seen}


def probe_bits(config: Config, probe: Observable) -> int:
    """Return the width of the signal that contains a probe's fields."""
    if probe.name == "PSP trace":
        return int(trace_layout(config).size)
    return probe.bits * probe.count


def shell_verilog(config: Config, *, learning: bool, probed: bool) -> str:
    """Return the wrapper of module `core_name`, with outputs for the probes if `probed`."""
    ports = core_ports(config, learning=learning)
    lines = [
        f"  {'input' if port.input else 'output'} wire [{port.bits - 1}:0] {port.plain}"
        for port in ports
    ]
    seen = list(probes(config, learning=learning).values()) if probed else []
    if probed:
        lines.append(f"  output wire [{len(WATCHED) - 1}:0] watch")
    lines += [
        f"  output wire [{probe_bits(config, probe) - 1}:0] probe{number}"
        for number, probe in enumerate(seen)
    ]
    text = f"module {SHELL}(\n" + ",\n".join(lines) + "\n);\n"
    wires = ",\n".join(f"    .{port.name}({port.plain})" for port in ports)
    text += f"  {core_name(config)} core (\n{wires}\n  );\n"
    if probed:
        text += "  assign watch = core.watch;\n"
    for number, probe in enumerate(seen):
        # Escaped, since some names are keywords of SystemVerilog.
        path = ".".join(f"\\{part} " for part in probe.path.split("."))
        text += f"  assign probe{number} = core.{path};\n"
    return text + "endmodule\n"


def shell_header(config: Config, *, learning: bool, probed: bool) -> str:
    """Return the C++ header that describes the wrapper to ``core_driver.cc``, as macros."""
    ports = core_ports(config, learning=learning)
    names = {port.plain for port in ports}
    inputs, neurons = config.layer.inputs, config.layer.neurons
    facts = {
        "NEURONS": neurons,
        "SLOTS": config.layer.slots,
        "STEPS": config.window.steps,
        "LAST_IN": 1 << (inputs - 1).bit_length(),
        "LAST_OUT": 1 << (neurons - 1).bit_length(),
        "HAS_LEARN": int("learn" in names),
        "HAS_TARGETS": int("i_targets_valid" in names),
        "HAS_WATCH": int(probed),
        "SLOT_FLAG": 1 << WATCHED.index("slot"),
        "READ_CLOCKS": READ_CLOCKS,
    }
    lines = [f"#define {name} {value}" for name, value in facts.items()]
    lanes = (1 << config.layer.lanes) - 1
    mask = from_integers([lanes], config.layer.lanes)[0].tolist()
    lines.append(f"#define LANE_MASK {', '.join(f'{word}u' for word in mask)}")
    memories = " ".join(f"X({number}, {name})" for number, name in enumerate(MEMORIES))
    lines.append(f"#define MEMORIES(X) {memories}")
    reads = " ".join(f"X({k}, {name})" for k, name in enumerate(READ_PORTS) if name in names)
    lines.append(f"#define READ_PORTS(X) {reads}")
    lines.append(f"#define COUNTERS(X) {' '.join(f'X({name})' for name in COUNTERS)}")
    seen = list(probes(config, learning=learning).values()) if probed else []
    rows = " ".join(
        f"X({number}, {1 << probe.flag}, {words_for(probe_bits(config, probe))})"
        for number, probe in enumerate(seen)
    )
    lines.append(f"#define PROBES(X) {rows}")
    return "\n".join(lines) + "\n"
