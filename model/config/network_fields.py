"""The fields that only layers of networks have, in words; compare `bitlif.model.config.fields`."""

from __future__ import annotations

from .fields import SECTIONS, Field, field_of, lfsr_fields

NETWORK_SECTIONS = {
    "sweep": "backward sweep through the window, by which a layer of a network learns",
    "sweep.lfsr": "the shift register for the random bits of the sweep",
    "sweep.surrogate": "derivative of a spike in a hidden layer, by the distance to the threshold",
    "initial": "weights that the layer starts with, drawn between two values",
}
"""Sections that only layers of networks have, in words."""

_STATE = "format s2 to s16, fraction -32 ..= 48"

_ALL = (
    Field("sweep.membrane", "format of the adjoint membrane", _STATE),
    Field("sweep.current", "format of the adjoint current", _STATE),
    Field("sweep.credit", "format of the credit of a hidden layer", _STATE),
    Field(
        "sweep.rounding",
        "rounding of credit and adjoints (nearest is biased)",
        "'toward_zero', 'stochastic', 'nearest'",
    ),
    Field("sweep.random_bits", "random bits of a stochastic rounding", "1 ..= 24"),
    *lfsr_fields("sweep.lfsr", "random_bits"),
    Field(
        "sweep.feedback",
        "credit from the next layer: by its weights, their signs, or none",
        "'transpose', 'sign', 'none'",
    ),
    Field(
        "sweep.surrogate.width",
        "half width of the window (1 bit), or sigma of the table",
        "above 0, at most 1000000",
    ),
    Field("sweep.surrogate.bits", "bits of the derivative", "1 ..= 8"),
    Field(
        "sweep.update",
        "weights change at the end of the window, or with each input spike of the sweep",
        "'window', 'spike'",
    ),
    Field("initial.low", "least start weight", "-1000000 ..= 1000000, at most high"),
    Field("initial.high", "largest start weight", "-1000000 ..= 1000000"),
    Field("initial.seed", "seed of the start weights", "0 ..= 2^63 - 1"),
)

NETWORK_FIELDS: dict[str, Field] = {field.path: field for field in _ALL}
"""The fields by their paths in a layer, in the order of a file."""


def network_field_of(path: str) -> Field:
    """Return the description of a field of a layer of a network.

    Parameters
    ----------
    path : str
        Within the layer: ``"sweep.credit"``, ``"synapse.weight"``, ``"schedule[].rate"``.

    Raises
    ------
    BitlifError
        If there is no such field.

    Examples
    --------
    >>> network_field_of("sweep.surrogate.bits").accepted
    '1 ..= 8'
    """
    return NETWORK_FIELDS[path] if path in NETWORK_FIELDS else field_of(path)


def section_of(path: str) -> str:
    """Return a section of a layer in words."""
    return NETWORK_SECTIONS[path] if path in NETWORK_SECTIONS else SECTIONS[path]
