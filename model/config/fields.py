"""The fields of a configuration in words: what each means, and what it may be.

This is the only place in which the fields are described to users: `dump_commented` in
`bitlif.model.config.commented` writes the descriptions into configuration files, and the
documentation lists them. The checks are in `bitlif.model.sections` and the modules it imports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bitlif.model.errors import BitlifError, nearest_of
from bitlif.model.text import quoted


@dataclass(frozen=True, slots=True)
class Field:
    """A field in words.

    Attributes
    ----------
    path : str
        With its sections, ``"noise.lfsr.width"``; phases of the schedule are ``"schedule[].rate"``.
    meaning : str
        One line, without a full stop.
    accepted : str
        Accepted values: a range such as ``"1 ..= 65536"`` (both ends included), words in quotes, or
        a format.
    unit : str
        Empty for numbers without a unit.
    """

    path: str
    meaning: str
    accepted: str
    unit: str = ""

    @property
    def section(self) -> str:
        """Section of the field, a key of `SECTIONS`; empty for `name`."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Name of the field within its section."""
        return self.path.rpartition(".")[2]

    @property
    def line(self) -> str:
        """Meaning and accepted values in one line.

        >>> field_of("layer.inputs").line
        'number of inputs N, bias inputs included; 1 ..= 65536'
        """
        unit = f", in {self.unit}" if self.unit else ""
        return f"{self.meaning}{unit}; {self.accepted}"


SECTIONS = {
    "layer": "sizes of the layer",
    "window": "a window: one presentation of the inputs, at whose end the weights are updated",
    "synapse": "weights and synaptic currents: I = decay I + sum of the weights of spiking inputs",
    "synapse.decay": "decay of the currents per step: give tau, or shift",
    "membrane": "membrane: V = decay V + gain I, a spike if V plus noise reaches the threshold",
    "membrane.decay": "decay of the membrane per step: give tau, or shift",
    "trace": "traces of the inputs, which the learning rule multiplies with the errors",
    "noise": "noise on the membrane, drawn from an LFSR, with the sigma of the schedule",
    "noise.lfsr": "the shift register that the noise is drawn from",
    "error": "error of a neuron: a table over the distance of the membrane from the threshold",
    "learning": "weight update at the end of a window: w += rate / steps * sum of error * trace",
    "learning.lfsr": "the shift register for the random bits of the update",
    "gates": "widths and memories of the gates, on which only clock cycles and area depend",
    "schedule[]": "phases of the training, one table each: noise and learning rate",
}
"""Sections in words, in the order of a file."""

_SIGNED = "format s2 to s32, fraction -32 ..= 48"
_ROUNDING = "'floor', 'nearest'"
_OVERFLOW = "'saturate', 'refuse'"
_KEEPS = "'clear', 'carry'"


def _decay(section: str) -> tuple[Field, ...]:
    word = "no decay" if section == "synapse.decay" else "no leak with tau = 1000000"
    bits = f"1 ..= 16, or 0 for {word}"
    return (
        Field(f"{section}.tau", "time constant, or 0 if shift is given", "0 ..= 1000000", "steps"),
        Field(f"{section}.bits", "fractional bits of the factor exp(-1 / tau)", bits),
        Field(
            f"{section}.shift",
            "factor 1 - 2^-shift, which needs no multiplier, or 0 if tau is given",
            "0 ..= 16",
        ),
    )


def _modes(section: str, what: str) -> tuple[Field, ...]:
    return (
        Field(f"{section}.rounding", f"rounding of {what}", _ROUNDING),
        Field(
            f"{section}.overflow",
            "values outside the format: saturate, or refuse unless impossible",
            _OVERFLOW,
        ),
    )


def lfsr_fields(section: str, bits: str) -> tuple[Field, ...]:
    """Return the fields of a shift register; `bits` names the default of its leap."""
    return (
        Field(f"{section}.width", "bits of the register, whose period is 2^width - 1", "8 ..= 64"),
        Field(
            f"{section}.taps",
            "exponents of a primitive polynomial, [] for a default",
            "integers descending from width, or []",
        ),
        Field(f"{section}.seed", "initial state of the first lane", "1 ..= 2^width - 1"),
        Field(
            f"{section}.leap",
            f"positions between draws, 0 for {bits}",
            "0 ..= 65536, none less than a draw but 0",
        ),
        Field(
            f"{section}.sharing",
            "whether lanes differ in phase or polynomial, or share all draws",
            "'phase', 'polynomial', 'shared'",
        ),
    )


_ALL = (
    Field("name", "name of the configuration", "1 to 200 printable characters"),
    Field("layer.inputs", "number of inputs N, bias inputs included", "1 ..= 65536"),
    Field("layer.neurons", "number of neurons M, one per class or output", "1 ..= 65536"),
    Field("layer.lanes", "neurons computed in parallel in gates", "1 ..= 256, at most neurons"),
    Field("window.steps", "length of a window", "1 ..= 1048576", "steps"),
    Field("window.state", "currents and membranes at the start of a window", _KEEPS),
    Field("window.trace", "traces at the start of a window", _KEEPS),
    Field(
        "window.lfsr",
        "LFSRs at the start of a window (clear: all windows have the same noise)",
        _KEEPS,
    ),
    Field(
        "synapse.weight",
        "format of the weights (s8.6: 8 bits, 6 fractional)",
        _SIGNED,
    ),
    *_decay("synapse.decay"),
    Field("synapse.current", "format of the synaptic currents", _SIGNED),
    *_modes("synapse", "the currents"),
    *_decay("membrane.decay"),
    Field("membrane.gain", "factor of the current in the membrane", "above 0, at most 1024"),
    Field(
        "membrane.gain_bits", "fractional bits of the gain, which must not round to 0", "0 ..= 16"
    ),
    Field("membrane.format", "format of the membrane", _SIGNED),
    Field(
        "membrane.threshold",
        "threshold of a spike, a value of the membrane",
        "1 LSB of its format ..= its largest value",
    ),
    Field(
        "membrane.reset",
        "spikes or targets set V to 0, or spikes subtract the threshold",
        "'free', 'teacher', 'subtract'",
    ),
    Field(
        "membrane.injection",
        "where noise is added: at the threshold, or to the membrane",
        "'threshold', 'membrane'",
    ),
    *_modes("membrane", "the membrane"),
    Field(
        "trace.current",
        "format of the synaptic trace, to which a spike adds 1",
        "format u1 to u32, fraction 0 ..= 31",
    ),
    Field("trace.format", "format of the trace", "format u1 to u16, fraction -32 ..= 48"),
    *_modes("trace", "the traces"),
    Field(
        "noise.kind",
        "sum of words, number of ones, quantiles, or no noise",
        "'sum', 'popcount', 'inverse_cdf', 'none'",
    ),
    Field("noise.words", "words of a draw", "1 ..= 64, 1 for 'inverse_cdf'"),
    Field("noise.word_bits", "bits of a word", "1 ..= 16, at least 2 for 'inverse_cdf'"),
    Field("noise.level_bits", "bits of a draw of 'inverse_cdf'", "4 ..= 16"),
    Field("noise.scale_bits", "bits of the factor from draws to the membrane", "2 ..= 24"),
    Field("noise.overlap", "whether successive draws may share bits", "true, false"),
    *lfsr_fields("noise.lfsr", "the bits of a draw"),
    Field(
        "error.rule",
        "likelihood, with a guarded divider, or own columns a and b",
        "'likelihood', 'clipped', 'table'",
    ),
    Field("error.index_bits", "the table has 2^index_bits bins", "3 ..= 12"),
    Field("error.span", "the table covers -2^span to 2^span sigma", "0 ..= 5"),
    Field("error.entry", "format of the entries", "format u1 to u32, fraction -32 ..= 48"),
    Field("error.limit", "largest entry", "above 0, at most the largest value of entry"),
    Field("error.guard", "least divisor p (1 - p) of 'clipped'", "above 0, at most 0.25"),
    Field(
        "error.a",
        "entries for a target of 1",
        "2^index_bits numbers in 0 ..= limit for 'table', else []",
    ),
    Field(
        "error.b",
        "entries for a target of 0",
        "2^index_bits numbers in 0 ..= limit for 'table', else []",
    ),
    Field(
        "error.reciprocal_bits",
        "bits of the factor from distances to bins",
        "4 ..= 24",
    ),
    Field("error.target_bits", "targets are multiples of 2^-target_bits", "0 ..= 12"),
    Field("error.format", "format of the error", "format s2 to s16, fraction -32 ..= 48"),
    *_modes("error", "the error"),
    Field("learning.rate", "learning rate of phases without one", "above 0, at most 1000000"),
    Field(
        "learning.rate_bits",
        "bits of the rate's mantissa (1 needs no multiplier)",
        "1 ..= 16",
    ),
    Field(
        "learning.random_bits",
        "random bits of the rounding of updates, 0 to round to nearest",
        "0 ..= 24",
    ),
    *lfsr_fields("learning.lfsr", "random_bits"),
    Field(
        "gates.synapses",
        "weights of a row, added in one clock cycle, 0 for lanes",
        "0 ..= 1024, a multiple of lanes",
    ),
    Field(
        "gates.products",
        "products of the gradient in one clock cycle, 0 for synapses",
        "0 ..= 1024, a multiple of lanes",
    ),
    Field(
        "gates.single_port",
        "memories with one port for both reads and writes",
        "'none', 'weights', 'all'",
    ),
    Field(
        "schedule[].windows",
        "length of the phase, 0 for a last phase without end",
        "0 ..= 1099511627776",
        "windows",
    ),
    Field(
        "schedule[].sigma",
        "standard deviation of the noise",
        "above 0, at most 1000000",
        "the unit of the membrane",
    ),
    Field("schedule[].rate", "learning rate, 0 for learning.rate", "0 ..= 1000000"),
)

FIELDS: dict[str, Field] = {field.path: field for field in _ALL}
"""All fields by their paths, in the order of `bitlif.Config`."""


def field_of(path: str) -> Field:
    """Return the description of a field.

    Parameters
    ----------
    path : str
        As in errors and studies: ``"schedule[3].rate"`` and ``"schedule[].rate"`` are the same
        field.

    Raises
    ------
    BitlifError
        If there is no such field.

    Examples
    --------
    >>> field_of("schedule[0].sigma").accepted
    'above 0, at most 1000000'
    """
    name = re.sub(r"\[[0-9]*\]", "[]", path)
    if name not in FIELDS:
        raise BitlifError(f"{quoted(path)} is not a field{nearest_of(name, FIELDS)}")
    return FIELDS[name]


def default_of(path: str) -> Any:
    """Return the default of a field as a TOML value.

    >>> default_of("synapse.weight"), default_of("schedule[].sigma")
    ('s8.6', 0.2)
    """
    from .config import Config
    from .schema import to_plain

    return to_plain(Config().flat()[field_of(path).path.replace("[]", "[0]")])
