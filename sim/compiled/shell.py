"""A Verilog wrapper of a core for compiled code: ports without escaped names, and probes."""

from __future__ import annotations

from bitlif.hdl.core_signals import READ_CLOCKS, WATCHED

from .bit_packing import from_integers, words_for
from .design import Design, DesignLayer, Probe

SHELL = "bitlif_shell"
"""Name of the wrapper module."""


def shell_verilog(design: Design) -> str:
    """Return the wrapper of a core, with outputs for its probes if it has any."""
    lines = [
        f"  {'input' if port.input else 'output'} wire [{port.bits - 1}:0] {port.plain}"
        for port in design.ports
    ]
    seen = list(design.probes.values())
    watches = [own for own in design.layers if seen]
    lines += [f"  output wire [{len(WATCHED) - 1}:0] {own.watch}" for own in watches]
    lines += [
        f"  output wire [{design.bits(probe) - 1}:0] probe{number}"
        for number, probe in enumerate(seen)
    ]
    text = f"module {SHELL}(\n" + ",\n".join(lines) + "\n);\n"
    wires = ",\n".join(f"    .{port.name}({port.plain})" for port in design.ports)
    text += f"  {design.module} core (\n{wires}\n  );\n"
    for own in watches:
        text += f"  assign {own.watch} = {_inside(own, 'watch')};\n"
    for number, probe in enumerate(seen):
        path = _inside(design.layers[probe.layer], probe.observable.path)
        text += f"  assign probe{number} = {path};\n"
    return text + "endmodule\n"


def _inside(layer: DesignLayer, path: str) -> str:
    """Return the Verilog name of a signal of a layer, whose path is relative to the layer."""
    # Escaped, since some names are keywords of SystemVerilog.
    parts = [*filter(None, [layer.path]), *path.split(".")]
    return ".".join(("core", *(f"\\{part} " for part in parts)))


def shell_header(design: Design) -> str:
    """Return the C++ header that describes the wrapper to ``core_driver.cc``, as macros."""
    names, probed = design.names, bool(design.probes)
    first, last = design.layers[0].config.layer, design.layers[-1].config.layer
    facts = {
        "LAYERS": len(design.layers),
        "NEURONS": last.neurons,
        "SLOTS": last.slots,
        "STEPS": design.layers[0].config.window.steps,
        "LAST_IN": 1 << (first.inputs - 1).bit_length(),
        "LAST_OUT": 1 << (last.neurons - 1).bit_length(),
        "IDLE": design.idle,
        "HAS_LEARN": int("learn" in names),
        "HAS_TARGETS": int("i_targets_valid" in names),
        "HAS_STEP_DONE": int("step_done" in names),
        "HAS_WATCH": int(probed),
        "SLOT_FLAG": 1 << WATCHED.index("slot"),
        "STEP_FLAG": 1 << WATCHED.index("step"),
        "READ_CLOCKS": READ_CLOCKS,
    }
    lines = [f"#define {name} {value}" for name, value in facts.items()]
    memories = design.memories
    for number, (memory, own) in enumerate(memories.items()):
        lanes = own.config.layer.lanes if memory.endswith("_weights") else 1
        mask = from_integers([(1 << lanes) - 1], lanes)[0].tolist()
        lines.append(f"#define ENABLE_{number} {', '.join(f'{word}u' for word in mask)}")
    lists = {
        "MEMORIES": [
            f"{number}, {own.host}_address, {memory}_data, {memory}_enable"
            for number, (memory, own) in enumerate(memories.items())
        ],
        "READ_PORTS": [
            f"{number}, {name}, {_host(design, name)}_address"
            for number, name in enumerate(design.outputs)
        ],
        "EACH_LAYER": [
            f"{number}, {own.watch}, {own.digest}, {own.config.layer.slots}"
            for number, own in enumerate(design.layers)
        ],
        "COUNTERS": list(design.counters),
        "PROBES": [
            f"{number}, {probe.layer}, {_flag(probe)}, {words_for(design.bits(probe))}"
            for number, probe in enumerate(design.probes.values())
        ],
    }
    for name, items in lists.items():
        lines.append(f"#define {name}(X) {' '.join(f'X({item})' for item in items)}")
    return "\n".join(lines) + "\n"


def _host(design: Design, name: str) -> str:
    """Return the host port that an output belongs to; the first one if it belongs to none."""
    owners = [own.host for own in design.layers if name.startswith(f"{own.host}_")]
    return owners[0] if owners else design.layers[0].host


def _flag(probe: Probe) -> int:
    return 1 << probe.observable.flag
