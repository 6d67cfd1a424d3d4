"""Sections of a configuration that only layers of networks have: backward sweep, start weights."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from bitlif.model.errors import (
    BitlifError,
    plain_fields,
    require_choice,
    require_int,
    require_kind,
    require_real,
)
from bitlif.model.fixed import Format
from bitlif.model.lfsr import LfsrConfig

from .credit import FEEDBACKS

UPDATES = ("window", "spike")


class SweepRounding(enum.StrEnum):
    """Rounding of the adjoint filters and of the credit."""

    TOWARD_ZERO = "toward_zero"
    """The magnitude is rounded down: small values decay to 0."""
    STOCHASTIC = "stochastic"
    """Up with a probability equal to the dropped fraction: unbiased."""
    NEAREST = "nearest"
    """To nearest, ties up. Biased: small positive values stick, small negative ones decay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurrogateConfig:
    """The surrogate derivative of a hidden layer's spikes; unused in the last layer.

    Parameters
    ----------
    width : float
        Distance from the threshold, in the unit of the membrane. With one bit, the derivative is 1
        below this distance and 0 beyond; with more bits it is the standard deviation of the
        density of the noise, scaled to this width.
    bits : int
        Bits of the derivative, 1 ..= 8.
    """

    width: float = 0.5
    bits: int = 1

    def __post_init__(self) -> None:
        plain_fields(self)
        require_int("bits", self.bits, 1, 8)
        width = require_real("width", self.width, 0.0, 1e6, open_low=True)
        object.__setattr__(self, "width", width)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialConfig:
    """The weights that a layer of a network starts with: uniform between two numbers.

    A hidden layer learns nothing while all weights are zero. The numbers are rounded to the weight
    format and limited to its range; see `bitlif.model.initial`.

    Parameters
    ----------
    low, high : float
        Least and largest weight, in the unit of the weights.
    seed : int
        Seed of the draw, 0 ..= 2**63 - 1.
    """

    low: float = -0.25
    high: float = 0.25
    seed: int = 1

    def __post_init__(self) -> None:
        plain_fields(self)
        low = require_real("low", self.low, -1e6, 1e6)
        high = require_real("high", self.high, -1e6, 1e6)
        if low > high:
            raise BitlifError(f"low must be at most high = {high:g}, not {low:g}")
        require_int("seed", self.seed, 0, (1 << 63) - 1)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)


NO_WEIGHTS = InitialConfig(low=0.0, high=0.0)
"""Start of a single layer: zero weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepConfig:
    """The backward sweep of a layer.

    Parameters
    ----------
    membrane, current : Format
        Formats of the adjoint membrane and of the adjoint current, signed, at most 16 bits.
    credit : Format
        Format of the credit of a hidden layer, signed, at most 16 bits.
    rounding : SweepRounding
        Of all three.
    random_bits : int
        Random bits of a stochastic rounding, 1 ..= 24.
    lfsr : LfsrConfig
        Source of these bits, independent of those of the noise and of the update.
    feedback : str
        How the credit of this hidden layer is computed from the next one: ``"transpose"``: from
        its weights. ``"sign"``: from their signs, each as 1/8. ``"none"``: this layer and all
        before it keep their weights.
    surrogate : SurrogateConfig
    update : str
        ``"window"``: the gradient is summed and applied at the end of the window. ``"spike"``: each
        input spike adds its share to the weights during the sweep; no gradient is stored.
    """

    membrane: Format = Format(10, 4)
    current: Format = Format(10, 4)
    credit: Format = Format(10, 4)
    rounding: SweepRounding = SweepRounding.STOCHASTIC
    random_bits: int = 8
    lfsr: LfsrConfig = field(default_factory=lambda: LfsrConfig(width=29))
    feedback: str = "transpose"
    surrogate: SurrogateConfig = field(default_factory=SurrogateConfig)
    update: str = "window"

    def __post_init__(self) -> None:
        plain_fields(self)
        for name in ("membrane", "current", "credit"):
            fmt = getattr(self, name)
            require_kind(name, fmt, Format)
            if not fmt.signed or fmt.bits > 16:
                raise BitlifError(f"{name} must be a signed format of at most 16 bits, not '{fmt}'")
        require_kind("rounding", self.rounding, SweepRounding)
        require_int("random_bits", self.random_bits, 1, 24)
        require_kind("lfsr", self.lfsr, LfsrConfig)
        require_choice("feedback", self.feedback, FEEDBACKS)
        require_kind("surrogate", self.surrogate, SurrogateConfig)
        require_choice("update", self.update, UPDATES)
        if self.lfsr.leap and self.lfsr.leap < self.random_bits:
            raise BitlifError(
                f"lfsr.leap must be 0 or at least random_bits = {self.random_bits}, "
                f"not {self.lfsr.leap}"
            )
        if self.random_bits > self.lfsr.width:
            raise BitlifError(
                f"random_bits must be at most lfsr.width = {self.lfsr.width}, "
                f"not {self.random_bits}"
            )

    @property
    def leap(self) -> int:
        """Positions of the bit stream between two draws."""
        return self.lfsr.leap or self.random_bits
