"""Export of a layer as one SystemVerilog file, with its ports explained in the header.

Initial weights are in a file beside it, or in the text.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.bus.axi_lite import AXI_LITE
from bitlif.hdl.bus.axi_top import AxiTop
from bitlif.hdl.layer import LayerCore
from bitlif.hdl.memories import packed, weight_rows
from bitlif.hdl.row_memory import weight_layout
from bitlif.model.checks import check_initial_weights
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.toml import config_hash
from bitlif.model.errors import BitlifError
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.text import comment_text, module_name, quoted

from .convert import Progress, to_verilog
from .verilog_fixups import fix_verilog, lint_waivers

MEANINGS = {
    "clk": "clock, rising edge",
    "rst": "reset, synchronous, active high, one cycle or more; weights keep their values",
    "i_events__payload": "input event: address, and above it last (end of the step)",
    "i_targets__payload": "raw targets of one slot, lane 0 lowest",
    "o_events__payload": "output event: address, and above it last (end of the step)",
    "learn": "learn from the window; hold from its first event to its end",
    "host__idle": "no window under way: the host's other ports work",
    "host__address": "of all host ports; see the next lines",
    "host__weights": "weights of a slot, lane 0 lowest, two clocks after the address (see above)",
    "host__weights_enable": "write enable of each lane",
    "host__weights_data": "row to write",
    "host__state": "P times synaptic current, and membrane above it, at a slot",
    "host__state_blank": "state counts as zero: nothing has run since reset",
    "host__trace": "synaptic trace, and PSP trace above it, at an input",
    "host__trace_blank": "traces count as zero: nothing was learned since reset",
    "host__entry": "A, and B above it, of the error table at a bin",
    "host__entry_enable": "write enable",
    "host__entry_data": "entry to write",
    "host__schedule": "noise scale, reciprocal, rate, shift, windows (lowest first) at a phase",
    "host__schedule_enable": "write enable",
    "host__schedule_data": "phase to write",
    "host__noise_lfsr": "states of the noise LFSRs, lane 0 lowest",
    "host__update_lfsr": "states of the update LFSRs, lane 0 lowest",
    "step_done": "a step ends with this clock",
    "window_done": "a window ends with this clock",
    "phase": "phase of the schedule",
    "digest": "signature of spikes, membranes and weights",
    "s_axis_events_tdata": "input event: address; means nothing with tlast",
    "s_axis_events_tlast": "end of the step",
    "s_axis_targets_tdata": "raw targets of one slot, each padded to bytes, lane 0 lowest",
    "m_axis_events_tdata": "output event: address; 0 with tlast",
    "m_axis_events_tlast": "end of the step",
    **{f"s_axil_{name}": "AXI4-Lite; docs/registers.md has the map" for name in AXI_LITE},
    "s_axil_awprot": "AXI4-Lite; ignored",
    "s_axil_arprot": "AXI4-Lite; ignored",
}


def core_name(config: Config | NetworkConfig) -> str:
    """Return the module name: a Verilog identifier made from the name of the configuration."""
    return f"bitlif_{module_name(config.name)}"


def axi_name(config: Config) -> str:
    """Return the name of the module with AXI buses."""
    return f"{core_name(config)}_axi"


def weights_macro(config: Config) -> str:
    """Return the macro that names the file of the weights in the Verilog of a configuration."""
    return f"{core_name(config).upper()}_WEIGHTS"


def core_verilog(
    config: Config,
    *,
    learning: bool = True,
    weights: NDArray[Any] | None = None,
    weights_file: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Return the layer core in SystemVerilog, including the error table and the schedule.

    Parameters
    ----------
    config : Config
    learning : bool
        False: inference only.
    weights : (N, M) int or None
        Initial raw weights, which become part of the text, one line per row of S weights.
    weights_file : str or None
        Name of a file with the initial weights that ``$readmemh`` reads; see
        `bitlif.hdl.memories.memory_files`. Not together with `weights`.
    progress : callable or None
        See `bitlif.hdl.export.convert.Progress`.

    Notes
    -----
    Without `weights`, the text depends neither on the weights nor, but for a few digits, on their
    number. The macro `weights_macro` names their file; a tool can define it too. If it is not
    defined, the weights are zeros in simulation, or arbitrary if ``gates.single_port`` is not
    ``"none"``. After synthesis they are what the memory holds
    once the device is configured: zeros in block RAM, anything in other memories. A host then loads
    them.

    Raises
    ------
    BitlifError
        If the weights do not fit the configuration, or a name cannot stand in a Verilog string.
    """
    return _convert(config, LayerCore, core_name(config), learning, weights, weights_file, progress)


def axi_verilog(
    config: Config,
    *,
    learning: bool = True,
    weights: NDArray[Any] | None = None,
    weights_file: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Return the layer with AXI4-Lite and AXI4-Stream; parameters as for `core_verilog`."""
    return _convert(config, AxiTop, axi_name(config), learning, weights, weights_file, progress)


def _convert(
    config: Config,
    kind: type[LayerCore | AxiTop],
    name: str,
    learning: bool,
    weights: NDArray[Any] | None,
    weights_file: str | None,
    progress: Progress | None,
) -> str:
    contents = {"weights": _weights_verilog(config, weights, weights_file)}
    text = to_verilog(kind(config, learning=learning), name, progress)
    what = "layer core" if kind is LayerCore else "layer behind AXI4-Lite and AXI4-Stream"
    head = _header(config, name, what, text, learning) + lint_waivers()
    if weights_file is not None:
        macro = weights_macro(config)
        head += f'`ifndef {macro}\n  `define {macro} "{weights_file}"\n`endif\n'
    return head + "\n" + fix_verilog(text, contents)


def _weights_verilog(config: Config, weights: NDArray[Any] | None, file: str | None) -> str:
    """Return the Verilog that fills the memory of the weights."""
    if file is not None and weights is not None:
        raise BitlifError("weights and weights_file must not be given together")
    if config.gates.single_port != "none" and file is not None:
        raise BitlifError(
            "weights_file must not be given: a host must load the weights, as gates.single_port is "
            f"'{config.gates.single_port}'"
        )
    if file is not None and not (
        file.isascii() and file.isprintable() and not set(file) & {*'"\\'}
    ):
        raise BitlifError(
            "weights_file must be printable ASCII without quotes and backslashes, "
            f"not {quoted(file)}"
        )
    if weights is not None and np.any(given := check_initial_weights(config, weights)):
        layout = weight_layout(config)
        rows = packed(layout, weight_rows(config, given))
        lines = [
            f"    {{memory}}[{place}] = {layout.size}'h{row:x};\n" for place, row in enumerate(rows)
        ]
        return f"  initial begin\n{''.join(lines)}  end\n"
    macro = weights_macro(config)
    return f"`ifdef {macro}\n  initial $readmemh(`{macro}, {{memory}});\n`else\n{{zeros}}`endif\n"


def _header(config: Config, name: str, what: str, text: str, learning: bool) -> str:
    start = re.search(rf"^module {name}\(", text, re.MULTILINE)
    assert start is not None
    own = text[start.start() : text.index("endmodule", start.start())]
    ports = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", own, re.MULTILINE)
    sizes, kind = config.layer, "learning" if learning else "inference only"
    size = f"// {sizes.inputs} inputs, {sizes.neurons} neurons on {sizes.lanes} lanes, "
    size += f"{config.window.steps} steps a window, {kind}"
    named = f"{comment_text(config.name)} ({config_hash(config)})"
    lines = [
        f"// {name}: bitlif {what}, configuration {named}",
        size,
        "// Streams are valid/ready: a transfer happens with a rising edge at which both are high.",
        *([f"// Address of weights: {_weight_address(config)}."] if "host__address" in own else []),
        *(_about_weights(config) if config.gates.single_port == "none" else []),
        "//",
        "// direction bits port                             meaning",
    ]
    for direction, top, port in sorted(
        ports, key=lambda row: (row[2] not in ("clk", "rst"), row[2])
    ):
        bits = int(top) + 1 if top else 1
        lines.append(f"// {direction:<9} {bits:>4} {port:<32} {_meaning(port)}".rstrip())
    return "\n".join(lines) + "\n\n"


def _about_weights(config: Config) -> list[str]:
    """Return the lines of the header about the initial weights."""
    return [
        f"// The macro {weights_macro(config)} names a file of initial weights for $readmemh.",
        "// Without it, weights are zeros in simulation; else a host loads them through its ports.",
    ]


def _weight_address(config: Config) -> str:
    """Return the host's address of the weights of an input and a slot as an expression."""
    sizes = gate_sizes(config)
    row = "input" if sizes.rows == 1 else f"input * {sizes.rows}"
    if sizes.row_slots == 1:
        return f"{row} + slot" if sizes.slots > 1 else row
    if sizes.rows == 1:
        return f"{row} * {1 << sizes.place_bits} + slot"
    slots = sizes.row_slots
    return f"({row} + slot / {slots}) * {1 << sizes.place_bits} + slot % {slots}"


def _meaning(port: str) -> str:
    if port in MEANINGS:
        return MEANINGS[port]
    if port.endswith(("valid", "ready")):
        return f"handshake of {re.split('__|_t(?=valid|ready)', port)[0]}"
    return "counter, stops at its last value"
