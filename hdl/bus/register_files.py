"""The register map as a document, a C header and a Python module."""

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

Made by `bitlif registers`; version {MAJOR}.{MINOR} of the map. `bitlif verilog CONFIG --bus axi`
writes the module. [bitlif_registers.h](bitlif_registers.h) is the same for C, `bitlif registers
--format python` for Python, and `bitlif.host.driver` a driver over any two functions that read
and write a word.

## Rules

* Words of 32 bits, little-endian, at byte offsets; AXI4-Lite with 12 address bits. One access is
  answered after another; reads and writes that both wait take turns.
* An access that is not lawful is answered SLVERR and changes nothing; where there is no register
  at all, DECERR. Not lawful are: addresses that are no multiple of 4; writes to what is only
  read; writes of less than a whole word; reserved bits that are not 0; a number in MEMORY that
  this core does not have; an ADDRESS beyond the memory; DATA that does not fit the element (it
  is never cut), behind the last element, or while a window is under way; changing `learn` while
  a window is under way; `run` 1 while LOAD is 1.
* A window begins with its first input event, when `run` is 1 and no access is being answered. To
  read or load between windows while events wait: write `run` 0, wait for `idle`, read or load,
  write `run` 1.
* A host that loads memories may write LOAD 1 before and 0 after: what a host leaves half loaded
  then runs nothing until another has loaded it.
* Counters that stop do so at 2^32 - 1, and all count from the last reset: one that reads so may
  have counted more, and the difference of two readings is then the least that it can have been.

## Streams

* `s_axis_events`, input events: TDATA is the input's number, padded to whole bytes; a transfer
  with TLAST ends the step, and its TDATA means nothing. Events within a step come in any order.
  A number of N or more (all bits of TDATA count) is taken, thrown away and counted in
  DROPPED_EVENTS, and begins no window. An input named twice in a step counts twice: that breaks
  the contract and is not noticed.
* `s_axis_targets`, if there is one: in each step a transfer for each slot of P neurons, the raw
  targets of lanes 0, 1, ... padded to whole bytes each. A target above 2^target_bits is taken as
  that; such transfers are counted in HELD_TARGETS. Targets are taken while `learn` is 1, and
  always if they reset the membranes; else they wait.
* `m_axis_events`, output events: as the input's, lowest number first; TDATA is 0 with TLAST.

## Reset

CONTROL.reset works at any time, also in mid-window. Weights, error table and schedule stay as
they are (weights in the middle of an update: partly updated); state, traces, LFSRs, phase,
counters and signature are as at the start. `run`, `learn` and `flush` take the values that are
written with it. The core is `ready` N * ceil(M / P) clocks later. What the masters still send
belongs to the broken window: write `flush` 1 with the reset until they are done. An output event
that was offered before the write is answered stays so until it is taken (`event_waiting`); nothing
else of the broken window follows. The reset at the pin may last one clock cycle or more, and resets
everything, the buses too.

## Elements

MEMORY selects a memory and ADDRESS an element; each access to DATA moves on by one, so that a
whole memory is one write to MEMORY and then one access to DATA for each element. After the last
one ADDRESS equals ELEMENTS. Elements are integers as the contract has them; those of more than
32 bits are read from DATA, then DATA_HIGH. State and traces read as 0 when nothing has run since
the reset.

A schedule of fewer phases than PHASES fills the rows behind it with its last one, and gives all of
them 0 windows: the last phase stays in force. PHASE, and the windows that were learned in it, are
those of before until the next reset.
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
