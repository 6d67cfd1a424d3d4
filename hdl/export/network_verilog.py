"""Export of a network as one SystemVerilog file, with its ports explained in the header."""

from __future__ import annotations

import re

from bitlif.hdl.bus.axi_lite import AXI_LITE
from bitlif.hdl.bus.axi_top import AxiTop
from bitlif.hdl.network import NetworkCore
from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.text import comment_text, module_name

from .convert import Progress, to_verilog
from .verilog import MEANINGS
from .verilog_fixups import fix_verilog, lint_waivers

NETWORK_MEANINGS = {
    "idle": "no layer has a window under way: the host ports work",
    "learn": "learn from the window; may change only while idle is high",
    "window_done": "the last layer ends a window with this clock",
    "digest": "signature of the network; stable while idle is high",
    "host__sweep_lfsr": "states of the LFSRs of the sweep, lane 0 lowest",
    **{
        f"s_axil_{name}": "AXI4-Lite; docs/network-registers.md has the map"
        for name in AXI_LITE
        if not name.endswith("prot")
    },
}
"""Ports of a network that a layer does not have, or has in another sense."""


def network_name(config: NetworkConfig) -> str:
    """Return the module name: a Verilog identifier made from the name of the configuration."""
    return f"bitlif_{module_name(config.name)}"


def network_verilog(
    config: NetworkConfig, *, learning: bool = True, progress: Progress | None = None
) -> str:
    """Return the core of a network in SystemVerilog.

    Its error table and schedules are in the text; a host loads the weights.

    Parameters
    ----------
    config : NetworkConfig
    learning : bool
        False: inference only.
    progress : callable or None
        See `bitlif.hdl.export.convert.Progress`.

    Raises
    ------
    BitlifError
        If the gates cannot learn the network; the message names the layer and the field.
    """
    text = to_verilog(NetworkCore(config, learning=learning), network_name(config), progress)
    return _described(config, network_name(config), text, learning, "network")


def network_axi_name(config: NetworkConfig) -> str:
    """Return the name of the module with AXI buses."""
    return f"{network_name(config)}_axi"


def network_axi_verilog(
    config: NetworkConfig, *, learning: bool = True, progress: Progress | None = None
) -> str:
    """Return a network with AXI4-Lite and AXI4-Stream; parameters as for `network_verilog`."""
    name = network_axi_name(config)
    text = to_verilog(AxiTop(config, learning=learning), name, progress)
    what = "network behind AXI4-Lite and AXI4-Stream"
    return _described(config, name, text, learning, what)


def _described(config: NetworkConfig, name: str, text: str, learning: bool, what: str) -> str:
    head = _header(config, name, text, learning, what)
    return head + lint_waivers() + "\n" + fix_verilog(text)


def _header(config: NetworkConfig, name: str, text: str, learning: bool, what: str) -> str:
    start = text.index(f"module {name}(")
    own = text[start : text.index("endmodule", start)]
    ports = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", own, re.MULTILINE)
    facts = config.facts()
    kind = "learning" if learning else "inference only"
    named = f"{comment_text(config.name)} ({any_hash(config)})"
    lines = [
        f"// {name}: bitlif {what}, configuration {named}",
        f"// {facts['sizes']} neurons, {facts['steps']} steps a window, {kind}",
        "// Streams are valid/ready: a transfer happens with a rising edge at which both are high.",
        *(
            ["// A number at the end of a name, or of its first part, is that of the layer."]
            if "host_0__" in own
            else []
        ),
        "//",
        "// direction bits port                             meaning",
    ]
    for direction, top, port in sorted(
        ports, key=lambda row: (row[2] not in ("clk", "rst"), row[2])
    ):
        bits = int(top) + 1 if top else 1
        lines.append(f"// {direction:<9} {bits:>4} {port:<32} {_meaning(port)}".rstrip())
    return "\n".join(lines) + "\n\n"


def _meaning(port: str) -> str:
    if port in NETWORK_MEANINGS:
        return NETWORK_MEANINGS[port]
    plain = re.sub(r"_\d+(?=__|$)", "", port)
    known = MEANINGS | {name: text for name, text in NETWORK_MEANINGS.items() if "__" in name}
    if plain in known:
        return known[plain]
    if port.endswith(("valid", "ready")):
        return f"handshake of {port.rpartition('__')[0]}"
    return "counter, stops at its last value"
