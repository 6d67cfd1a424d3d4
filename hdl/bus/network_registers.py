"""The register map of a network: that of a layer, for the layer that the register LAYER selects.

It does not need Amaranth; compare `bitlif.hdl.bus.registers`.
"""

from __future__ import annotations

from dataclasses import replace

from bitlif.hdl.core_signals import SWEPT_COUNTERS
from bitlif.hdl.loadable import swept_update
from bitlif.model.config.network import MAX_LAYERS, NetworkConfig, any_hash
from bitlif.model.errors import located_in_layer
from bitlif.model.state import FREE_MEMORY_NUMBERS, state_variables
from bitlif.model.sweep_sections import SweepRounding

from .registers import (
    MEMORIES,
    REGISTERS,
    Elements,
    Field,
    Memory,
    Register,
    forward_elements,
    lfsr_elements,
    require_addressable,
    schedule_elements,
    table_elements,
)

NETWORK_IDENTITY = int.from_bytes(b"BTLN", "little")
NETWORK_MAJOR, NETWORK_MINOR = 1, 0

_MEANINGS = {
    "IDENTITY": f"{NETWORK_IDENTITY:#010x}: the bytes BTLN, lowest first",
    "ENTRIES": "bins of the error table; 0 in hidden layers, and without learning hardware",
    "WINDOWS": "windows that the last layer has finished since the reset; stops at 2^32 - 1",
    "PHASE": "phase of the schedule for the next window; 0 without learning hardware",
    "DROPPED_EVENTS": "input events with an address that the first layer does not have, which were "
    "discarded; stops at 2^32 - 1",
}
_VARIANT = Register("VARIANT", REGISTERS["VARIANT"].offset, "ro", "features of the layer", (
    Field("learning", 0, 1, "the core has learning hardware"),
    Field("teacher_reset", 1, 1, "targets reset the membranes of the layer"),
    Field("targets", 2, 1, "the layer takes the stream of targets: it is the last one"),
    Field("stochastic", 3, 1, "updates are rounded stochastically: the layer has update_lfsr"),
    Field("learned", 4, 1, "the weights of the layer are learned"),
    Field("sweep_stochastic", 5, 1,
          "the sweep is rounded stochastically: the layer has sweep_lfsr"),
))  # fmt: skip
_LAYERS = Register("LAYERS", 0x02C, "ro", "number of layers")
_ADDED = (
    Register("LAYER", 0x098, "rw", "the layer that other registers speak of; a reset keeps it", (
        Field("layer", 0, (MAX_LAYERS - 1).bit_length(), "number of the layer, below LAYERS"),
    )),
    Register("LAYER_SIGNATURE", 0x09C, "ro", "signature of the layer, as of a single one"),
    *(Register(name.upper(), 0x0A0 + 4 * place, "ro", f"{name.replace('_', ' ')}; "
               "stops at 2^32 - 1")
      for place, name in enumerate(
          name for name in SWEPT_COUNTERS if name.upper() not in REGISTERS)),
)  # fmt: skip


def _registers() -> dict[str, Register]:
    """Return the registers of a layer, without those of its traces, and those of networks."""
    absent = ("SYNAPTIC_TRACE_SATURATIONS", "TRACE_SATURATIONS")
    found = {
        name: replace(own, meaning=_MEANINGS.get(name, own.meaning))
        for name, own in REGISTERS.items()
        if name not in absent
    }
    found |= {"VARIANT": _VARIANT, "LAYERS": _LAYERS, **{own.name: own for own in _ADDED}}
    return {own.name: own for own in sorted(found.values(), key=lambda own: own.offset)}


NETWORK_REGISTERS = _registers()
"""All registers by name, lowest offset first; they exist in every network."""

SELECTED = (
    "INPUTS", "NEURONS", "LANES", "PHASES", "ENTRIES", "VARIANT", "PHASE", "MEMORY", "ADDRESS",
    "DATA", "DATA_HIGH", "ELEMENTS", "LAYER_SIGNATURE", *(name.upper() for name in SWEPT_COUNTERS),
)  # fmt: skip
"""Registers of the selected layer."""

NETWORK_MEMORIES = {
    **{own.name: own for own in MEMORIES.values() if own.name not in ("trace_current", "trace")},
    "sweep_lfsr": Memory(
        "sweep_lfsr", FREE_MEMORY_NUMBERS.stop, "ro", "distinct sweep LFSRs",
        "states of the LFSRs of the sweep, in the order of lanes",
    ),
}  # fmt: skip
"""All memories by name; see `layer_elements` for those of one layer."""


def layer_elements(
    network: NetworkConfig, number: int, *, learning: bool = True
) -> dict[str, Elements]:
    """Return the memories of a layer, by name.

    Raises
    ------
    BitlifError
        If a number of elements or a writable element does not fit a word; the message names the
        layer.
    """
    own = network.layers[number]
    config = own.config
    with located_in_layer(number):
        windows = require_addressable(config)
    found = forward_elements(config, state_variables("synapse", "neuron", learning=learning))
    if learning:
        shifts = len(swept_update(network.derived_sweep(number)).shifts)
        found |= schedule_elements(config, shifts, windows)
        if not network.is_hidden(number):
            found |= table_elements(config)
        flags = _flags(network, number, learning=learning)
        for name, lfsr, flag in (
            ("update_lfsr", config.learning.lfsr, "stochastic"),
            ("sweep_lfsr", own.sweep.lfsr, "sweep_stochastic"),
        ):
            if flags[flag]:
                found[name] = lfsr_elements(NETWORK_MEMORIES[name], lfsr, config)
    return {name: found[name] for name in NETWORK_MEMORIES if name in found}


def _flags(network: NetworkConfig, number: int, *, learning: bool) -> dict[str, bool]:
    own, last = network.layers[number], not network.is_hidden(number)
    learned = learning and number >= network.learned_from
    teacher = last and own.config.membrane.reset == "teacher"
    return {
        "learning": learning,
        "teacher_reset": teacher,
        "targets": teacher or (learning and last),
        "stochastic": learned and own.config.learning.random_bits > 0,
        "learned": learned,
        "sweep_stochastic": learned and own.sweep.rounding is SweepRounding.STOCHASTIC,
    }


def network_constants(network: NetworkConfig) -> dict[str, int]:
    """Return the values of the registers that never change, and are the same for all layers."""
    digest = int(any_hash(network), 16)
    return {
        "IDENTITY": NETWORK_IDENTITY,
        "VERSION": NETWORK_MAJOR << 16 | NETWORK_MINOR,
        "CONFIG_HASH_LOW": digest & 0xFFFFFFFF,
        "CONFIG_HASH_HIGH": digest >> 32,
        "STEPS": network.layers[0].config.window.steps,
        "LAYERS": len(network.layers),
    }


def layer_constants(
    network: NetworkConfig, number: int, *, learning: bool = True
) -> dict[str, int]:
    """Return the values of the registers that never change while a layer is selected."""
    config = network.layers[number].config
    hidden = network.is_hidden(number)
    variant = NETWORK_REGISTERS["VARIANT"]
    flags = _flags(network, number, learning=learning)
    return {
        "INPUTS": config.layer.inputs,
        "NEURONS": config.layer.neurons,
        "LANES": config.layer.lanes,
        "PHASES": len(config.schedule),
        "ENTRIES": config.error.entries if learning and not hidden else 0,
        "VARIANT": sum(variant.field(name).mask for name, on in flags.items() if on),
    }
