"""A core's Verilog in a shell that compiled code can hold: plain port names, and probes inside."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Value
from amaranth.lib.wiring import In, Signature

from bitlif.hdl.core_signals import COUNTERS, WATCHED
from bitlif.hdl.export.verilog import core_name
from bitlif.hdl.host_port import trace_layout
from bitlif.hdl.layer import core_members
from bitlif.model.config.config import Config
from bitlif.sim.probes import RECORDED, Observable, observables

from .bit_packing import from_integers, words_for

SHELL = "bitlif_shell"
"""Name of the shell's module."""

READ = (
    "host_idle", "host_weights", "host_state", "host_state_blank", "host_schedule",
    "host_noise_lfsr", "host_trace", "host_trace_blank", "host_entry", "host_update_lfsr",
    "phase", "digest", *COUNTERS,
)  # fmt: skip
"""Output ports that are read by name; not every core has all."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a core.

    Attributes
    ----------
    name : str
        In the core's Verilog.
    bits : int
    input : bool
    """

    name: str
    bits: int
    input: bool

    @property
    def plain(self) -> str:
        """The name in the shell: C++ generators escape two underscores side by side."""
        return self.name.replace("__", "_")


def core_ports(config: Config, *, learning: bool) -> tuple[Port, ...]:
    """Return the ports of a core's Verilog, clock and reset first."""
    signature = Signature(core_members(config, learning=learning))
    ports = [Port("clk", 1, True), Port("rst", 1, True)]
    for path, member, value in signature.flatten(signature.create()):
        name = "__".join(str(part) for part in path)
        ports.append(Port(name, len(Value.cast(value)), member.flow == In))
    return tuple(ports)


def probes(config: Config, *, learning: bool) -> dict[str, Observable]:
    """Return what is seen inside a core, by the name of the record."""
    seen = {one.name: one for one in observables(config, learning=learning, learn=learning)}
    return {record: seen[name] for record, name in RECORDED.items() if name in seen}


def probe_bits(config: Config, probe: Observable) -> int:
    """Return the bits of the signal that a probe's fields stand in."""
    if probe.name == "PSP trace":
        return int(trace_layout(config).size)
    return probe.bits * probe.count


def shell_verilog(config: Config, *, learning: bool, probed: bool) -> str:
    """Return the shell around module `core_name`; with outputs for the probes if `probed`."""
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
        # Escaped: some names are words of SystemVerilog.
        path = ".".join(f"\\{part} " for part in probe.path.split("."))
        text += f"  assign probe{number} = core.{path};\n"
    return text + "endmodule\n"


def shell_header(config: Config, *, learning: bool, probed: bool) -> str:
    """Return what ``core_driver.cc`` must know of the shell, as macros."""
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
    }
    lines = [f"#define {name} {value}" for name, value in facts.items()]
    lanes = (1 << config.layer.lanes) - 1
    mask = from_integers([lanes], config.layer.lanes)[0].tolist()
    lines.append(f"#define LANE_MASK {', '.join(f'{word}u' for word in mask)}")
    bits = {port.plain: port.bits for port in ports}
    reads = " ".join(f"X({READ.index(name)}, {name})" for name in READ if name in bits)
    lines.append(f"#define READ_PORTS(X) {reads}")
    seen = list(probes(config, learning=learning).values()) if probed else []
    rows = " ".join(
        f"X({number}, {1 << probe.flag}, {words_for(probe_bits(config, probe))})"
        for number, probe in enumerate(seen)
    )
    lines.append(f"#define PROBES(X) {rows}")
    return "\n".join(lines) + "\n"
