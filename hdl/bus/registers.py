"""The register map: the single description of what a host can access through a bus.

The gates (`bitlif.hdl.bus.register_bank`), the driver (`bitlif.host.driver`), and the document, C
header and Python module of `bitlif registers` are derived from it. It does not need Amaranth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bitlif.model.config.config import Config
from bitlif.model.config.toml import config_hash
from bitlif.model.counters import COUNTERS
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError
from bitlif.model.fixed import Format
from bitlif.model.lfsr import LfsrConfig
from bitlif.model.state import StateVariable, state_variables

from .response import Response as Response

IDENTITY = int.from_bytes(b"BTLF", "little")
MAJOR, MINOR = 1, 1
ADDRESS_BITS = 12
WORD_BITS = 32
COUNTER_STOPPED = (1 << WORD_BITS) - 1
"""Largest value of a counter. A counter with this value has saturated."""


@dataclass(frozen=True, slots=True)
class Field:
    """Bits ``low ..< low + bits`` of a register."""

    name: str
    low: int
    bits: int
    meaning: str

    @property
    def mask(self) -> int:
        """The field's bits within the register."""
        return ((1 << self.bits) - 1) << self.low


@dataclass(frozen=True, slots=True)
class Register:
    """A word at a byte `offset`; `access` is ``"ro"`` or ``"rw"``.

    Without fields all bits are one value. Bits of no field are reserved: they read as 0 and must be
    written so.
    """

    name: str
    offset: int
    access: str
    meaning: str
    fields: tuple[Field, ...] = ()

    def field(self, name: str) -> Field:
        """Return a field by its name."""
        return next(field for field in self.fields if field.name == name)


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory that MEMORY selects; its elements are accessed one at a time through DATA."""

    name: str
    number: int
    access: str
    count: str
    meaning: str


_REGISTERS = (
    Register("IDENTITY", 0x000, "ro", f"{IDENTITY:#010x}: the bytes BTLF, lowest first"),
    Register("VERSION", 0x004, "ro", "version of this map", (
        Field("minor", 0, 16, "incremented with every addition to the map"),
        Field("major", 16, 16, "incremented when something existing changes"),
    )),
    Register("CONFIG_HASH_LOW", 0x008, "ro",
             "lower half of the hash of the configuration that the core was built from"),
    Register("CONFIG_HASH_HIGH", 0x00C, "ro", "upper half of that hash"),
    Register("INPUTS", 0x010, "ro", "number of inputs, N"),
    Register("NEURONS", 0x014, "ro", "number of neurons, M"),
    Register("LANES", 0x018, "ro", "number of lanes, P"),
    Register("STEPS", 0x01C, "ro", "steps per window"),
    Register("PHASES", 0x020, "ro", "rows of the schedule"),
    Register("ENTRIES", 0x024, "ro", "bins of the error table; 0 without learning hardware"),
    Register("VARIANT", 0x028, "ro", "features that the core was built with", (
        Field("learning", 0, 1, "the core has learning hardware"),
        Field("teacher_reset", 1, 1, "targets reset the membranes"),
        Field("targets", 2, 1, "the core has a stream of targets"),
        Field("stochastic", 3, 1, "updates are rounded stochastically: the core has update_lfsr"),
    )),
    Register("CONTROL", 0x040, "rw", "run control", (
        Field("run", 0, 1, "1: windows may begin; refused while LOAD is 1. 0: no window begins, "
                           "and one in progress continues"),
        Field("learn", 1, 1, "learn from windows; refused without learning hardware, and while a "
                             "window is in progress unless reset is written with it"),
        Field("flush", 2, 1, "1: input events and targets are accepted and discarded whenever no "
                             "window is in progress, and no window begins"),
        Field("reset", 31, 1, "write 1 to reset the core, at any time; reads as 0"),
    )),
    Register("STATUS", 0x044, "ro", "state of the core", (
        Field("idle", 0, 1, "no window is in progress: memories can be accessed"),
        Field("ready", 1, 1, "memories have been cleared since the last reset"),
        Field("event_waiting", 2, 1, "an output event waits to be accepted"),
    )),
    Register("WINDOWS", 0x048, "ro", "windows finished since the reset; stops at 2^32 - 1"),
    Register("PHASE", 0x04C, "ro", "phase of the schedule for the next window"),
    Register("SIGNATURE", 0x050, "ro", "signature of all windows since the reset"),
    Register("DROPPED_EVENTS", 0x054, "ro",
             "input events with an address of N or more, which were discarded; stops at 2^32 - 1"),
    Register("HELD_TARGETS", 0x058, "ro",
             "transfers with targets above 1 (raw: 2**target_bits), taken as 1; stops at 2^32 - 1"),
    *(Register(name.upper(), 0x060 + 4 * number, "ro",
               f"{name.replace('_', ' ')}; stops at 2^32 - 1")
      for number, name in enumerate(name for name in COUNTERS if name != "synaptic_events")),
    Register("MEMORY", 0x080, "rw", "number of the selected memory; writing it sets ADDRESS to 0"),
    Register("ADDRESS", 0x084, "rw", "element of the selected memory; must be below ELEMENTS"),
    Register("DATA", 0x088, "rw",
             "the element, raw, sign-extended; the access advances ADDRESS by one"),
    Register("DATA_HIGH", 0x08C, "ro", "upper half of the element that was read last"),
    Register("ELEMENTS", 0x090, "ro", "number of elements of the selected memory"),
    Register("LOAD", 0x094, "rw", "whether the memories are being loaded", (
        Field("load", 0, 1, "1: loading is in progress, and no window begins; a reset keeps it"),
    )),
)  # fmt: skip

REGISTERS = {register.name: register for register in _REGISTERS}
"""All registers by name, lowest offset first; they exist in every core."""

_COUNTS = {"synapse": "N * M", "neuron": "M", "input": "N"}

_MEMORIES = (
    *(
        Memory(own.name, own.memory, "rw" if own.writable else "ro", _COUNTS[own.per], own.meaning)
        for own in state_variables()
    ),
    Memory("table_a", 5, "rw", "ENTRIES", "column A of the error table, lowest bin first"),
    Memory("table_b", 6, "rw", "ENTRIES", "column B of the error table"),
    Memory("noise_scale", 7, "rw", "PHASES", "noise scale per phase"),
    Memory("reciprocal", 8, "rw", "PHASES", "reciprocal of sigma per phase"),
    Memory("rate", 9, "rw", "PHASES", "learning rate per phase"),
    Memory("shift", 10, "rw", "PHASES", "index of one of the built-in shifts, per phase"),
    Memory(
        "phase_windows",
        11,
        "rw",
        "PHASES",
        "windows per phase; 0: without end, as the last row always is",
    ),
    Memory(
        "noise_lfsr",
        12,
        "ro",
        "distinct noise LFSRs",
        "states of the noise LFSRs, in the order of lanes",
    ),
    Memory(
        "update_lfsr",
        13,
        "ro",
        "distinct update LFSRs",
        "states of the update LFSRs, in the order of lanes",
    ),
)

MEMORIES = {own.name: own for own in sorted(_MEMORIES, key=lambda own: own.number)}
"""All memories by name; see `elements` for those of one core."""

SCHEDULE = {
    "noise_scale": "noise_scale",
    "reciprocal": "reciprocal",
    "rate": "rate",
    "shift": "shift",
    "phase_windows": "windows",
}
"""Memories of the schedule, with their fields in `bitlif.hdl.host_port.phase_layout`."""


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of a memory in one core: `count` of them, integers ``low ..= high``."""

    memory: Memory
    count: int
    low: int
    high: int


def elements(config: Config, *, learning: bool = True) -> dict[str, Elements]:
    """Return the memories of a core, by name.

    Raises
    ------
    BitlifError
        If a number of elements or a writable element does not fit a word.
    """
    phases = derive(config).phases
    shifts = {(phase.rate_left, phase.rate_bias, phase.rate_right) for phase in phases}
    windows = require_addressable(config)
    found = forward_elements(config, state_variables(learning=learning))
    if learning:
        found |= table_elements(config) | schedule_elements(config, len(shifts), windows)
        if config.learning.random_bits:
            found["update_lfsr"] = lfsr_elements(
                MEMORIES["update_lfsr"], config.learning.lfsr, config
            )
    return {name: found[name] for name in MEMORIES if name in found}


def require_addressable(config: Config) -> int:
    """Check that words can hold the numbers of a layer; return the most windows of a phase.

    Raises
    ------
    BitlifError
        If they cannot; the message names the field.
    """
    sizes, schedule = config.layer, config.schedule
    weights = sizes.inputs * sizes.neurons
    if weights >= 1 << WORD_BITS:
        raise BitlifError(
            f"layer.inputs times layer.neurons must be below 2**32 for a core with a bus, "
            f"not {weights}"
        )
    windows = _top(max(phase.windows for phase in schedule).bit_length())
    if windows >= 1 << WORD_BITS:
        raise BitlifError(
            "schedule.windows must be below 2**32 in all phases for a core with a bus"
        )
    return windows


def forward_elements(config: Config, variables: Iterable[StateVariable]) -> dict[str, Elements]:
    """Return the memories of a layer for its state and its noise, if it has any."""
    found = {own.name: _of(own.name, own.count(config), own.format(config)) for own in variables}
    if config.noise.drawn:
        phases, scale = len(config.schedule), _top(config.noise.scale_bits)
        found["noise_scale"] = Elements(MEMORIES["noise_scale"], phases, 0, scale)
        found["noise_lfsr"] = lfsr_elements(MEMORIES["noise_lfsr"], config.noise.lfsr, config)
    return found


def lfsr_elements(memory: Memory, lfsr: LfsrConfig, config: Config) -> Elements:
    """Return the memory of the distinct LFSRs that the lanes of a layer have for one purpose."""
    distinct = len(set(lfsr.streams(config.layer.lanes)))
    return Elements(memory, distinct, 0, _top(lfsr.width))


def table_elements(config: Config) -> dict[str, Elements]:
    """Return the memories of a layer for its error table."""
    names, error = ("table_a", "table_b"), config.error
    return {name: _of(name, error.entries, error.entry) for name in names}


def schedule_elements(config: Config, shifts: int, windows: int) -> dict[str, Elements]:
    """Return the memories of a learning layer for its schedule, but for the noise."""
    tops = {
        "reciprocal": _top(config.error.reciprocal_bits),
        "rate": _top(config.learning.rate_bits),
        "shift": shifts - 1,
        "phase_windows": windows,
    }
    phases = len(config.schedule)
    return {name: Elements(MEMORIES[name], phases, 0, top) for name, top in tops.items()}


def _of(name: str, count: int, fmt: Format) -> Elements:
    return Elements(MEMORIES[name], count, fmt.raw_min, fmt.raw_max)


def variant(config: Config, *, learning: bool = True) -> int:
    """Return the value of VARIANT."""
    teacher = config.membrane.reset == "teacher"
    flags = {
        "learning": learning,
        "teacher_reset": teacher,
        "targets": learning or teacher,
        "stochastic": learning and config.learning.random_bits > 0,
    }
    register = REGISTERS["VARIANT"]
    return sum(register.field(name).mask for name, set_ in flags.items() if set_)


def constants(config: Config, *, learning: bool = True) -> dict[str, int]:
    """Return the values of the registers that never change."""
    digest, sizes = int(config_hash(config), 16), config.layer
    return {
        "IDENTITY": IDENTITY,
        "VERSION": MAJOR << 16 | MINOR,
        "CONFIG_HASH_LOW": digest & 0xFFFFFFFF,
        "CONFIG_HASH_HIGH": digest >> 32,
        "INPUTS": sizes.inputs,
        "NEURONS": sizes.neurons,
        "LANES": sizes.lanes,
        "STEPS": config.window.steps,
        "PHASES": len(config.schedule),
        "ENTRIES": config.error.entries if learning else 0,
        "VARIANT": variant(config, learning=learning),
    }


def _top(bits: int) -> int:
    return (1 << bits) - 1
