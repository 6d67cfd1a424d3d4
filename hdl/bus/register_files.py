"""Writes the register map as a document, a C header and a Python module."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.text import comment_text, markdown_text

from .network_registers import (
    NETWORK_MAJOR,
    NETWORK_MEMORIES,
    NETWORK_MINOR,
    NETWORK_REGISTERS,
    SELECTED,
    network_constants,
)
from .register_map import RegisterMap, register_map
from .registers import (
    COUNTER_STOPPED,
    MAJOR,
    MEMORIES,
    MINOR,
    REGISTERS,
    Elements,
    Memory,
    Register,
    Response,
    constants,
)

_INTRODUCTION = f"""\
# Registers and streams of a layer behind buses

This page is written by `bitlif registers` and describes version {MAJOR}.{MINOR} of the register
map. `bitlif verilog CONFIG --bus axi` writes the module. [bitlif_registers.h](bitlif_registers.h)
is the same map for C, and `bitlif registers --format python` writes it for Python.
`bitlif.host.driver` is a driver that needs only two functions, one to read a word and one to
write a word.

N, M and P are the numbers of inputs, neurons and lanes.

## Rules

* The map consists of 32-bit little-endian words at byte offsets. AXI4-Lite has 12 address bits.
  Accesses are answered one after another. If a read and a write both wait, they take turns.
* An illegal access is answered with SLVERR and changes nothing. An access where there is no
  register is answered with DECERR. The following are illegal:
  - an address that is not a multiple of 4;
  - a write to a read-only register;
  - a write of less than a whole word;
  - a reserved bit that is not 0;
  - a number in MEMORY that this core does not have;
  - an ADDRESS beyond the end of the memory;
  - DATA that does not fit the element (it is never truncated), DATA behind the last element, or
    DATA while a window is in progress;
  - changing `learn` while a window is in progress, unless `reset` is written with it;
  - `run` = 1 while LOAD is 1.
* A window begins with its first input event, when `run` is 1 and no access is being answered. To
  read or load memories between windows while events wait: write `run` = 0, wait for `idle`, read
  or load, write `run` = 1.
* A host that loads memories may write LOAD = 1 before and LOAD = 0 after. If it stops half-way,
  no window runs until a host has loaded the memories completely.
* All counters count from the last reset and stop at 2^32 - 1. A counter that reads 2^32 - 1 may
  have counted more; the difference of two readings is then a lower bound.

## Streams

* `s_axis_events`, input events. TDATA is the number of the input, padded to whole bytes. A
  transfer with TLAST ends the step, and its TDATA is ignored. The events of a step may come in
  any order. A number of N or more (all bits of TDATA count) is accepted, discarded and counted in
  DROPPED_EVENTS; it begins no window. An input that is named twice in a step counts twice. This
  violates the contract and is not detected.
* `s_axis_targets`, if the core takes targets. Each step has one transfer for each slot of P
  neurons: the raw targets of lanes 0, 1, ... with each target padded to whole bytes. A target
  above 2^target_bits is limited to that value; transfers with such targets are counted in
  HELD_TARGETS. Targets are accepted while `learn` is 1, and always if they reset the membranes.
  Otherwise they wait.
* `m_axis_events`, output events, in the format of the input events, lowest number first. TDATA is
  0 with TLAST.

## Reset

CONTROL.reset works at any time, also during a window. Weights, error table and schedule keep
their contents; weights that were being updated are partly updated. State, traces, LFSRs, phase,
counters and signature return to their initial values. `run`, `learn` and `flush` take the values
that are written together with `reset`. The core is `ready` N * ceil(M / P) clock cycles later.

Whatever the bus masters still send belongs to the interrupted window. Write `flush` = 1 together
with the reset, and leave it set until they have finished. An output event that was offered before
the write is answered remains offered until it is accepted (`event_waiting`). No other event of
the interrupted window follows.

The reset at the pin may last one clock cycle or more. It resets everything, the buses included.

## Elements

MEMORY selects a memory and ADDRESS an element. Each access to DATA advances ADDRESS by one. A
whole memory therefore takes one write to MEMORY and one access to DATA for each element. After
the last element ADDRESS equals ELEMENTS.

Elements are integers as the contract defines them. Read an element of more than 32 bits from DATA
first, then from DATA_HIGH. State and traces read as 0 if nothing has run since the reset.

To load a schedule of fewer phases than PHASES, fill the remaining rows with its last row, and set
the windows of that row and of all rows after it to 0: the last phase remains in force. PHASE, and
the number of windows learned in it, keep their old values until the next reset.
"""


_LEAN = """
Without learning hardware there are only `weights`, `current`, `membrane`, `noise_scale` and \
`noise_lfsr`.
A core without noise has neither of the last two."""

_NETWORK = f"""\
# Registers and streams of a network behind buses

This page is written by `bitlif registers --network` and describes version \
{NETWORK_MAJOR}.{NETWORK_MINOR} of the register
map of networks. `bitlif verilog NETWORK --bus axi` writes the module, and
`bitlif registers NETWORK` the map with the constants of a network, as a document, for C or for
Python.

A network has the map of a [single layer](registers.md) with a register more: LAYER selects a
layer, and the registers marked "(layer)" are those of the selected layer. Rules, streams, reset
and elements are those of a layer, with these differences:

* `s_axis_events` has the inputs of the first layer. `s_axis_targets` has the slots of the last
  layer, and `m_axis_events` its neurons.
* A window is in progress until all layers have ended it; then `idle` is 1. While `run` is 1, the
  first layer may begin a window before later layers have ended the one before, unless windows are
  learned.
* Each layer keeps its own MEMORY and ADDRESS. A number in LAYER that is not below LAYERS is
  illegal.
* SIGNATURE is that of the network: the signatures of the layers, each rotated left by its number,
  XORed.
* Layers have no traces. Registers of counters that a core does not have read as 0.
"""

_NETWORK_LEAN = f"""
Only the last layer has `table_a` and `table_b`. Layers that are learned have `update_lfsr` and
`sweep_lfsr`, where rounding is stochastic.
{_LEAN}"""


class _Described:
    """What the files say of a layer or a network: with a configuration, also its constants."""

    def __init__(
        self, config: Config | NetworkConfig | None, *, learning: bool, network: bool
    ) -> None:
        self.network = network or isinstance(config, NetworkConfig)
        self.kind = "network" if self.network else "layer"
        self.registers: Mapping[str, Register] = NETWORK_REGISTERS if self.network else REGISTERS
        self.memories: Mapping[str, Memory] = NETWORK_MEMORIES if self.network else MEMORIES
        self.config, self.title = config, "" if config is None else config.name
        self.map: RegisterMap | None = None
        if config is not None:
            self.map = register_map(config, learning=learning)
            self.fixed = dict(self.map.constants)
        else:
            given = network_constants(_ANY) if self.network else constants(Config())
            self.fixed = {name: given[name] for name in ("IDENTITY", "VERSION")}

    def layers(self) -> list[tuple[str, str, dict[str, int], Mapping[str, Elements]]]:
        """Return heading, prefix of names, constants and memories of each layer."""
        if self.map is None:
            return []
        if not self.network:
            return [("", "", {}, self.map.places[0].elements)]
        return [
            (f"Layer {number}", f"LAYER{own.suffix}_", dict(own.constants), own.elements)
            for number, own in enumerate(self.map.places)
        ]


_ANY = NetworkConfig()


def markdown(
    config: Config | NetworkConfig | None = None, *, learning: bool = True, network: bool = False
) -> str:
    """Return the map as a document; with a configuration, also its core's constants."""
    own = _Described(config, learning=learning, network=network)
    lines = [_NETWORK if own.network else _INTRODUCTION, "## Map", ""]
    lines += ["| offset | name | access | bits | meaning |", "|---|---|---|---|---|"]
    for register in own.registers.values():
        selected = " (layer)" if own.network and register.name in SELECTED else ""
        lines.append(
            f"| {register.offset:#05x} | {register.name} | {register.access} | | "
            f"{register.meaning}{selected} |"
        )
        for field in register.fields:
            top = field.low + field.bits - 1
            bits = f"{top}:{field.low}" if field.bits > 1 else f"{field.low}"
            lines.append(f"| | `{field.name}` | | {bits} | {field.meaning} |")
    lines += ["", "## Memories", "", "| number | name | access | elements | meaning |"]
    lines += ["|---|---|---|---|---|"]
    for memory in own.memories.values():
        lines.append(
            f"| {memory.number} | `{memory.name}` | {memory.access} | {memory.count} | "
            f"{memory.meaning} |"
        )
    lines.append(_NETWORK_LEAN if own.network else _LEAN)
    if config is not None:
        lines += ["", f"## The core of {markdown_text(config.name)}"]
        lines += _values(own.fixed)
        for heading, _, fixed, memories in own.layers():
            lines += ["", f"### {heading}"] if heading else []
            lines += _values(fixed) if fixed else []
            lines += ["", "| memory | elements | lowest | highest |", "|---|---|---|---|"]
            for name, each in memories.items():
                lines.append(f"| `{name}` | {each.count} | {each.low} | {each.high} |")
    return "\n".join(lines) + "\n"


def _values(fixed: Mapping[str, int]) -> list[str]:
    """Return a table of registers and what they hold."""
    rows = [f"| {name} | {value:#010x} |" for name, value in fixed.items()]
    return ["", "| register | value |", "|---|---|", *rows]


def _named(own: _Described) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return headings, each with names and numbers, for the two languages."""
    groups = [
        ("Offsets of registers, in bytes", [(r.name, r.offset) for r in own.registers.values()]),
        (
            "Fields: lowest bit and mask",
            [
                pair
                for register in own.registers.values()
                for field in register.fields
                for pair in (
                    (f"{register.name}_{field.name.upper()}_LOW", field.low),
                    (f"{register.name}_{field.name.upper()}_MASK", field.mask),
                )
            ],
        ),
        (
            "Numbers for MEMORY",
            [(f"MEMORY_{memory.name.upper()}", memory.number) for memory in own.memories.values()],
        ),
        ("Value of a counter that has stopped", [("COUNTER_STOPPED", COUNTER_STOPPED)]),
        ("Responses", [(f"RESPONSE_{response.name}", response.value) for response in Response]),
        ("What registers hold", [(f"{n}_VALUE", v) for n, v in own.fixed.items()]),
    ]
    for number, (_, prefix, fixed, memories) in enumerate(own.layers()):
        assert own.config is not None
        what = f"the core of {own.title} ({any_hash(own.config)})"
        if own.network:
            what = f"layer {number} of {own.title} ({any_hash(own.config)})"
            values = [(f"{prefix}{name}_VALUE", value) for name, value in fixed.items()]
            groups.append((f"What registers hold for {what}", values))
        counts = [
            (f"{prefix}ELEMENTS_OF_{name.upper()}", each.count) for name, each in memories.items()
        ]
        groups.append((f"Elements of {what}", counts))
    return groups


def c_header(
    config: Config | NetworkConfig | None = None, *, learning: bool = True, network: bool = False
) -> str:
    """Return the map as a C header; with a configuration, also its core's constants."""
    own = _Described(config, learning=learning, network=network)
    guard = "BITLIF_NETWORK_REGISTERS_H" if own.network else "BITLIF_REGISTERS_H"
    lines = [f"/* Register map of a bitlif {own.kind}; made by `bitlif registers --format c`. */"]
    lines += [f"#ifndef {guard}", f"#define {guard}"]
    for heading, pairs in _named(own):
        lines += ["", f"/* {comment_text(heading)} */"]
        lines += [f"#define BITLIF_{name} {value:#x}u" for name, value in pairs]
    return "\n".join([*lines, "", "#endif"]) + "\n"


def python_module(
    config: Config | NetworkConfig | None = None, *, learning: bool = True, network: bool = False
) -> str:
    """Return the map as a Python module; with a configuration, also its core's constants."""
    own = _Described(config, learning=learning, network=network)
    made = "made by `bitlif registers --format python`."
    lines = [f'"""Register map of a bitlif {own.kind}; {made}"""']
    for heading, pairs in _named(own):
        lines += ["", f"# {comment_text(heading)}"]
        lines += [f"{name} = {value:#x}" for name, value in pairs]
    return "\n".join(lines) + "\n"


FORMATS: dict[str, Callable[..., str]] = {
    "markdown": markdown,
    "c": c_header,
    "python": python_module,
}
"""Makers of the files, by the names that the command has for them."""
