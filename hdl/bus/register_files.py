"""Writes the register map as a document, a C header and a Python module."""

from __future__ import annotations

from collections.abc import Callable

from bitlif.model.config.config import Config
from bitlif.model.config.toml import config_hash
from bitlif.model.text import comment_text, markdown_text

from .registers import (
    COUNTER_STOPPED,
    MAJOR,
    MEMORIES,
    MINOR,
    REGISTERS,
    Response,
    constants,
    elements,
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


def markdown(config: Config | None = None, *, learning: bool = True) -> str:
    """Return the map as a document; with a configuration, also its core's constants."""
    lines = [_INTRODUCTION, "## Map", "", "| offset | name | access | bits | meaning |"]
    lines += ["|---|---|---|---|---|"]
    for register in REGISTERS.values():
        lines.append(
            f"| {register.offset:#05x} | {register.name} | {register.access} | | "
            f"{register.meaning} |"
        )
        for field in register.fields:
            top = field.low + field.bits - 1
            bits = f"{top}:{field.low}" if field.bits > 1 else f"{field.low}"
            lines.append(f"| | `{field.name}` | | {bits} | {field.meaning} |")
    lines += ["", "## Memories", "", "| number | name | access | elements | meaning |"]
    lines += ["|---|---|---|---|---|"]
    for memory in MEMORIES.values():
        lines.append(
            f"| {memory.number} | `{memory.name}` | {memory.access} | {memory.count} | "
            f"{memory.meaning} |"
        )
    lines += ["", "Without learning hardware there are only `weights`, `current`, `membrane`, "]
    lines[-1] += "`noise_scale` and `noise_lfsr`."
    if config is not None:
        lines += [
            "",
            f"## The core of {markdown_text(config.name)}",
            "",
            "| register | value |",
            "|---|---|",
        ]
        for name, value in constants(config, learning=learning).items():
            lines.append(f"| {name} | {value:#010x} |")
        lines += ["", "| memory | elements | lowest | highest |", "|---|---|---|---|"]
        for name, own in elements(config, learning=learning).items():
            lines.append(f"| `{name}` | {own.count} | {own.low} | {own.high} |")
    return "\n".join(lines) + "\n"


def _named(config: Config | None, learning: bool) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return headings, each with names and numbers, for the two languages."""
    groups = [
        ("Offsets of registers, in bytes", [(r.name, r.offset) for r in REGISTERS.values()]),
        (
            "Fields: lowest bit and mask",
            [
                pair
                for register in REGISTERS.values()
                for field in register.fields
                for pair in (
                    (f"{register.name}_{field.name.upper()}_LOW", field.low),
                    (f"{register.name}_{field.name.upper()}_MASK", field.mask),
                )
            ],
        ),
        (
            "Numbers for MEMORY",
            [(f"MEMORY_{memory.name.upper()}", memory.number) for memory in MEMORIES.values()],
        ),
        ("Value of a counter that has stopped", [("COUNTER_STOPPED", COUNTER_STOPPED)]),
        ("Responses", [(f"RESPONSE_{response.name}", response.value) for response in Response]),
    ]
    fixed = constants(config or Config(), learning=learning)
    if config is None:
        fixed = {name: fixed[name] for name in ("IDENTITY", "VERSION")}
    groups.append(("What registers hold", [(f"{n}_VALUE", v) for n, v in fixed.items()]))
    if config is not None:
        own = elements(config, learning=learning)
        counts = [(f"ELEMENTS_OF_{name.upper()}", each.count) for name, each in own.items()]
        groups.append((f"Elements of the core of {config.name} ({config_hash(config)})", counts))
    return groups


def c_header(config: Config | None = None, *, learning: bool = True) -> str:
    """Return the map as a C header; with a configuration, also its core's constants."""
    lines = ["/* Register map of a bitlif layer; made by `bitlif registers --format c`. */"]
    lines += ["#ifndef BITLIF_REGISTERS_H", "#define BITLIF_REGISTERS_H"]
    for heading, pairs in _named(config, learning):
        lines += ["", f"/* {comment_text(heading)} */"]
        lines += [f"#define BITLIF_{name} {value:#x}u" for name, value in pairs]
    return "\n".join([*lines, "", "#endif"]) + "\n"


def python_module(config: Config | None = None, *, learning: bool = True) -> str:
    """Return the map as a Python module; with a configuration, also its core's constants."""
    lines = ['"""Register map of a bitlif layer; made by `bitlif registers --format python`."""']
    for heading, pairs in _named(config, learning):
        lines += ["", f"# {comment_text(heading)}"]
        lines += [f"{name} = {value:#x}" for name, value in pairs]
    return "\n".join(lines) + "\n"


FORMATS: dict[str, Callable[..., str]] = {
    "markdown": markdown,
    "c": c_header,
    "python": python_module,
}
"""Makers of the files, by the names that the command has for them."""
