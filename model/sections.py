"""The sections of a configuration; `bitlif.Config` combines them.

Sections are frozen dataclasses of numbers, strings and formats. Real numbers (time constants,
sigma, rates) are converted once, by `bitlif.model.derive`, to the integers of the contract;
everything else computes in integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from bitlif.model.errors import (
    BitlifError,
    BitlifTypeError,
    plain_fields,
    require_choice,
    require_int,
    require_kind,
    require_real,
)
from bitlif.model.fixed import Format, Overflow, Rounding
from bitlif.model.gates_section import GatesConfig
from bitlif.model.lfsr import LfsrConfig
from bitlif.model.noise import NoiseConfig
from bitlif.model.table import ErrorConfig
from bitlif.model.text import quoted

MAX_UNITS = 1 << 16
MAX_PHASES = 4096
MAX_TAU = 1e6
MAX_NAME = 200
KEEPS = ("clear", "carry")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerConfig:
    """Sizes: `inputs` N, `neurons` M, and `lanes` P in parallel (neuron i is on lane i mod P)."""

    inputs: int = 64
    neurons: int = 10
    lanes: int = 1

    def __post_init__(self) -> None:
        plain_fields(self)
        require_int("inputs", self.inputs, 1, MAX_UNITS)
        require_int("neurons", self.neurons, 1, MAX_UNITS)
        require_int("lanes", self.lanes, 1, 256)
        if self.lanes > self.neurons:
            raise BitlifError(f"lanes must be at most neurons = {self.neurons}, not {self.lanes}")

    @property
    def slots(self) -> int:
        """Number of neurons that a lane computes in turn; every lane draws noise for each slot."""
        return -(-self.neurons // self.lanes)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig:
    """A window of `steps` steps, and what is cleared or carried over at its start.

    Parameters
    ----------
    steps : int
        Steps per window, 1 ..= 2**20.
    state, trace, lfsr : str
        ``"clear"`` or ``"carry"``, for the neurons, the PSP traces and the LFSRs.
    """

    steps: int = 64
    state: str = "clear"
    trace: str = "clear"
    lfsr: str = "carry"

    def __post_init__(self) -> None:
        plain_fields(self)
        require_int("steps", self.steps, 1, 1 << 20)
        for name in ("state", "trace", "lfsr"):
            require_choice(name, getattr(self, name), KEEPS)

    @property
    def cleared(self) -> tuple[int, int, int]:
        """Whether state, traces and LFSRs are cleared at the start of a window: 1 or 0 each."""
        return int(self.state == "clear"), int(self.trace == "clear"), int(self.lfsr == "clear")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayConfig:
    """A leak per step: a factor ``exp(-1 / tau)`` in `bits` fractional bits, or ``1 - 2**-shift``.

    Two words stand for what has no such factor. A synapse with ``"none"`` holds nothing from one
    step to the next: all fields are 0. A membrane with ``"integrate"`` keeps its whole potential,
    as that of an integrate-and-fire neuron: `tau` is `MAX_TAU`, whose factor is 1 with 0 `bits`.

    Parameters
    ----------
    tau : float
        Time constant in steps; 0 if `shift` is given, or for none.
    bits : int
        Fractional bits of the factor, 1 ..= 16; unused with `shift`. 0 for one of the words.
    shift : int
        The leak is the value shifted right by 1 ..= 16 bits, which needs no multiplier in gates; 0
        if `tau` is given.
    """

    tau: float = 0.0
    bits: int = 8
    shift: int = 0

    def __post_init__(self) -> None:
        plain_fields(self)
        require_int("shift", self.shift, 0, 16)
        object.__setattr__(self, "tau", require_real("tau", self.tau, 0.0, MAX_TAU))
        worded = not self.shift and self.tau in (0.0, MAX_TAU)
        require_int("bits", self.bits, int(not worded), 16)
        if self.bits and (self.tau > 0) == (self.shift > 0):
            raise BitlifError(
                f"tau must be above 0 if shift is 0, and 0 otherwise, not {self.tau:g} with "
                f"shift = {self.shift}"
            )

    @property
    def none(self) -> bool:
        """Whether nothing is held from one step to the next."""
        return self.bits == 0 and not self.tau

    @property
    def integrates(self) -> bool:
        """Whether everything is kept from one step to the next."""
        return self.bits == 0 and self.tau > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SynapseConfig:
    """Weights and synaptic compartment: ``I = a_s I + sum of w``, rounded once.

    Without a decay (`DecayConfig.none`), the current is the sum of the weights of the step.
    `overflow` is the treatment of currents outside their format.
    """

    weight: Format = Format(8, 6)
    decay: DecayConfig = field(default_factory=lambda: DecayConfig(tau=5.0))
    current: Format = Format(16, 10)
    rounding: Rounding = Rounding.NEAREST
    overflow: Overflow = Overflow.SATURATE

    def __post_init__(self) -> None:
        _require_signed("weight", self.weight)
        _require_signed("current", self.current)
        require_kind("decay", self.decay, DecayConfig)
        if self.decay.integrates:
            raise BitlifError("decay must not be 'integrate': only membranes can be without a leak")
        _require_modes(self.rounding, self.overflow)


@dataclass(frozen=True, slots=True, kw_only=True)
class MembraneConfig:
    """Membrane: ``V = a_m V (1 - r) + gain I``, rounded once.

    Without a leak (`DecayConfig.integrates`), a_m is 1.

    Parameters
    ----------
    decay, format, rounding, overflow
        As for the synaptic compartment.
    gain, gain_bits : float, int
        Gain b of the rule, and the number of fractional bits to which it is rounded, 0 ..= 16.
    threshold : float
        Threshold u, in the format of the membrane; the neuron spikes if ``Vb + n >= u``.
    reset : str
        ``"free"``: a spike of the neuron sets V to 0. ``"teacher"``: a target of at least 1/2 does.
        ``"subtract"``: a spike of the neuron subtracts the threshold from V.
    injection : str
        ``"threshold"``: the noise decides the spike, but V does not include it. ``"membrane"``: V
        becomes Vb + n.
    """

    decay: DecayConfig = field(default_factory=lambda: DecayConfig(tau=20.0))
    gain: float = 1.0
    gain_bits: int = 0
    format: Format = Format(16, 10)
    threshold: float = 1.0
    reset: str = "free"
    injection: str = "threshold"
    rounding: Rounding = Rounding.NEAREST
    overflow: Overflow = Overflow.SATURATE

    def __post_init__(self) -> None:
        plain_fields(self)
        require_int("gain_bits", self.gain_bits, 0, 16)
        gain = require_real("gain", self.gain, 0.0, 1024.0, open_low=True)
        object.__setattr__(self, "gain", gain)
        _require_signed("format", self.format)
        low, high = (float(self.format.real(raw)) for raw in (1, self.format.raw_max))
        threshold = require_real("threshold", self.threshold, low, high)
        object.__setattr__(self, "threshold", threshold)
        require_choice("reset", self.reset, ("free", "teacher", "subtract"))
        require_choice("injection", self.injection, ("threshold", "membrane"))
        require_kind("decay", self.decay, DecayConfig)
        if self.decay.none:
            raise BitlifError("decay must not be 'none': only synapses can be without decay")
        _require_modes(self.rounding, self.overflow)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceConfig:
    """PSP traces: input spikes filtered like the inputs of a neuron, without reset.

    `current` (synaptic trace) and `format` (PSP trace) are unsigned formats. A spike adds exactly
    1 to the synaptic trace.
    """

    current: Format = Format(12, 8, False)
    format: Format = Format(12, 6, False)
    rounding: Rounding = Rounding.NEAREST
    overflow: Overflow = Overflow.SATURATE

    def __post_init__(self) -> None:
        for name in ("current", "format"):
            fmt = getattr(self, name)
            require_kind(name, fmt, Format)
            if fmt.signed:
                raise BitlifError(f"{name} must be an unsigned format such as 'u12.8', not '{fmt}'")
        if self.format.bits > 16:
            raise BitlifError(f"format must have at most 16 bits, not '{self.format}'")
        if self.current.frac < 0 or self.current.raw_max < 1 << self.current.frac:
            raise BitlifError(f"current must be able to hold 1, not '{self.current}'")
        _require_modes(self.rounding, self.overflow)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningConfig:
    """The weight update at the end of a window: ``w += rate / steps * sum of e eps``.

    Parameters
    ----------
    rate : float
        Learning rate eta of the rule, for phases of the schedule without a rate.
    rate_bits : int
        Bits of the rate's mantissa, 1 ..= 16; 1 makes it a power of two, which needs no multiplier.
    random_bits : int
        Random bits of the stochastic rounding, 0 ..= 24, drawn for each synapse; 0 rounds to
        nearest.
    lfsr : LfsrConfig
        Source of the random bits, independent of the source of the noise.
    """

    rate: float = 0.1
    rate_bits: int = 4
    random_bits: int = 8
    lfsr: LfsrConfig = field(default_factory=lambda: LfsrConfig(width=31))

    def __post_init__(self) -> None:
        plain_fields(self)
        require_int("rate_bits", self.rate_bits, 1, 16)
        require_int("random_bits", self.random_bits, 0, 24)
        require_kind("lfsr", self.lfsr, LfsrConfig)
        object.__setattr__(self, "rate", require_real("rate", self.rate, 0.0, 1e6, open_low=True))
        if self.random_bits > self.lfsr.width:
            raise BitlifError(
                f"random_bits must be at most lfsr.width = {self.lfsr.width}, "
                f"not {self.random_bits}"
            )
        if self.lfsr.leap and self.lfsr.leap < self.random_bits:
            raise BitlifError(
                f"lfsr.leap must be 0 or at least random_bits = {self.random_bits}, "
                f"not {self.lfsr.leap}"
            )

    @property
    def leap(self) -> int:
        """Positions of the bit stream between the draws of two synapses."""
        return self.lfsr.leap or self.random_bits


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseConfig:
    """A phase of the schedule: number of windows, noise sigma and learning rate.

    Parameters
    ----------
    windows : int
        Length of the phase in windows; 0, only in the last phase, for an unlimited phase.
    sigma : float
        Standard deviation of the noise, in the unit of the membrane.
    rate : float
        Learning rate; 0 for ``learning.rate``. There are no phases without learning.
    """

    windows: int = 0
    sigma: float = 0.2
    rate: float = 0.0

    def __post_init__(self) -> None:
        plain_fields(self)
        require_int("windows", self.windows, 0, 1 << 40)
        object.__setattr__(
            self, "sigma", require_real("sigma", self.sigma, 0.0, 1e6, open_low=True)
        )
        object.__setattr__(self, "rate", require_real("rate", self.rate, 0.0, 1e6))


def check_name(name: object) -> None:
    """Raise unless `name` can be the name of a configuration."""
    if not isinstance(name, str):
        raise BitlifTypeError(f"name must be text, not {quoted(name)}")
    if not name.isprintable() or not name:
        raise BitlifError(f"name must be printable and not empty, not {quoted(name)}")
    if len(name) > MAX_NAME:
        raise BitlifError(f"name must have at most {MAX_NAME} characters, not {len(name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All sections, each valid by itself: the base class of `bitlif.Config`.

    Raises
    ------
    BitlifError
        If a field is refused; the message names the field with its section, its value and the
        accepted range.
    """

    name: str = "default"
    layer: LayerConfig = field(default_factory=LayerConfig)
    window: WindowConfig = field(default_factory=WindowConfig)
    synapse: SynapseConfig = field(default_factory=SynapseConfig)
    membrane: MembraneConfig = field(default_factory=MembraneConfig)
    trace: TraceConfig = field(default_factory=TraceConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    error: ErrorConfig = field(default_factory=ErrorConfig)
    learning: LearningConfig = field(default_factory=LearningConfig)
    gates: GatesConfig = field(default_factory=GatesConfig)
    schedule: tuple[PhaseConfig, ...] = (PhaseConfig(),)

    def __post_init__(self) -> None:
        check_name(self.name)
        for section in fields(self):
            if section.name not in ("name", "schedule"):
                usual = section.default_factory
                require_kind(section.name, getattr(self, section.name), usual)  # type: ignore[arg-type]
        if not isinstance(self.schedule, tuple):
            raise BitlifTypeError(f"schedule must be a list of phases, not {quoted(self.schedule)}")
        if not 1 <= len(self.schedule) <= MAX_PHASES:
            raise BitlifError(
                f"schedule must have 1 ..= {MAX_PHASES} phases, not {len(self.schedule)}"
            )
        for number, phase in enumerate(self.schedule):
            require_kind(f"schedule[{number}]", phase, PhaseConfig)
        for number, phase in enumerate(self.schedule[:-1]):
            if phase.windows == 0:
                raise BitlifError(
                    f"schedule[{number}].windows must be at least 1 in all phases but the last, "
                    f"not 0"
                )
        for source in (self.noise.lfsr, self.learning.lfsr):
            try:
                source.check_lanes(self.layer.lanes)
            except BitlifError as error:
                raise BitlifError(f"layer.{error}") from error
        try:
            self.gates.check_lanes(self.layer.lanes, self.layer.slots)
        except BitlifError as error:
            raise BitlifError(f"gates.{error}") from error

    def flat(self) -> dict[str, Any]:
        """Return every leaf field as ``{"section.field": value}``, in a fixed order."""
        return dict(_leaves("", self))


def _leaves(prefix: str, node: Any) -> Iterator[tuple[str, Any]]:
    for item in fields(node):
        value = getattr(node, item.name)
        path = f"{prefix}{item.name}"
        if is_dataclass(value) and not isinstance(value, Format):
            yield from _leaves(f"{path}.", value)
        elif item.name == "schedule":
            for number, phase in enumerate(value):
                yield from _leaves(f"{path}[{number}].", phase)
        else:
            yield path, value


def _require_modes(rounding: Rounding, overflow: Overflow) -> None:
    require_kind("rounding", rounding, Rounding)
    require_kind("overflow", overflow, Overflow)


def _require_signed(name: str, fmt: Format) -> None:
    require_kind(name, fmt, Format)
    if not fmt.signed:
        raise BitlifError(f"{name} must be a signed format such as 's16.10', not '{fmt}'")
