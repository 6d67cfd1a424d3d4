"""Units that are not part of one pipeline: rounding with saturation, and the signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out

from bitlif.hdl import fixed, layer
from bitlif.hdl.fixed import shape_for, shape_of
from bitlif.model import fixed as model_fixed
from bitlif.model import signature
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.fixed import Format
from bitlif.model.interval import Interval

from .branches import follow
from .symbol import Integer, merged, settled
from .unit import Claim, PlainUnit, Run, array, bit, unsigned, used


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A rounding shift and the saturation after it, as they occur in a configuration."""

    given: Interval
    bias: int
    shift: int
    format: Format


SIGNALS = ("synaptic current", "membrane", "synaptic trace", "PSP trace", "error")
"""Signals of a single layer that a rounding makes; a layer of a network has fewer."""


def narrowings(config: Config) -> dict[str, Narrowing]:
    """Return the roundings of a configuration by the signal that they make."""
    derived = derive(config)
    c, ranges = derived.constants, derived.ranges
    filters = {
        "synaptic current": (c.current, config.synapse.current),
        "membrane": (c.membrane, config.membrane.format),
        "synaptic trace": (c.trace_current, config.trace.current),
        "PSP trace": (c.trace, config.trace.format),
    }
    found = {
        name: Narrowing(ranges[f"{name} sum"] + Interval.point(-f.bias), f.bias, f.shift, fmt)
        for name, (f, fmt) in filters.items()
    }
    total = ranges["error sum"] + Interval.point(-c.error_bias)
    found["error"] = Narrowing(total, c.error_bias, c.error_shift, config.error.format)
    return found


class Narrowings(Component):
    """Each of some narrowings between an input and an output.

    Parameters
    ----------
    made : list of Narrowing

    Members
    -------
    x_0, x_1, … : In
    y_0, y_1, … : Out
        The rounded and saturated values.
    flag_0, flag_1, … : Out(1)
        Whether they were saturated.

    Latency: none.
    """

    def __init__(self, made: list[Narrowing]) -> None:
        self._made = made
        members: dict[str, Any] = {}
        for number, own in enumerate(made):
            members[f"x_{number}"] = In(shape_for(own.given))
            members[f"y_{number}"] = Out(shape_of(own.format))
            members[f"flag_{number}"] = Out(1)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Build each from the expressions that all units use."""
        m = Module()
        for number, own in enumerate(self._made):
            rounded = fixed.round_shift(getattr(self, f"x_{number}"), own.bias, own.shift)
            value, flag = fixed.saturate(rounded, shape_of(own.format))
            m.d.comb += [
                getattr(self, f"y_{number}").eq(value),
                getattr(self, f"flag_{number}").eq(flag),
            ]
        return m


class RoundingUnit(PlainUnit):
    """Roundings and saturations of some signals of a configuration: `bitlif.model.fixed`."""

    name = "rounding"

    def __init__(self, config: Config, signals: Sequence[str] = SIGNALS) -> None:
        self._made = {name: own for name, own in narrowings(config).items() if name in signals}
        names = list(self._made)
        self.given = {f"{name} exact": own.given for name, own in self._made.items()}
        self.ports = {f"x_{number}": (f"{name} exact", 0) for number, name in enumerate(names)}
        self.claims = tuple(
            claim
            for number, name in enumerate(names)
            for claim in (
                Claim(name, f"y_{number}", 0, self._made[name].format.signed),
                Claim(f"saturation of the {name}", f"flag_{number}", 0, signed=False),
            )
        )

    def component(self) -> Any:
        """Return all of them side by side."""
        return Narrowings(list(self._made.values()))

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Round and saturate every value."""
        found: dict[str, Integer] = {}
        for name, own in self._made.items():
            rounded = run(model_fixed.round_shift)(values[f"{name} exact"], own.bias, own.shift)
            low, high = own.format.raw_min, own.format.raw_max
            held, flag = run(model_fixed.saturate)(rounded, low, high)
            found |= {name: held, f"saturation of the {name}": flag}
        return found

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the narrowing as text."""
        name = signal.removeprefix("saturation of the ")
        own = self._made[name]
        return (
            f"({values[f'{name} exact']} + {own.bias}) >> {own.shift}, saturated to "
            f"{own.format.raw_min} ..= {own.format.raw_max}"
        )


class SignatureUnit(PlainUnit):
    """One clock cycle of the signature: `take_word` and `folded` of `bitlif.model.signature`."""

    name = "signature"

    def __init__(self, config: Config) -> None:
        self._lanes = lanes = config.layer.lanes
        self.given = {}
        for lane in range(lanes):
            self.given[f"state {lane} before"] = unsigned(signature.WIDTH)
            self.given[f"word {lane}"] = unsigned(signature.WIDTH)
            self.given[f"take {lane}"] = bit()
        self.ports = {"take": ("takes", 0), "words": ("words", 0)}
        self.registers = {f"lane_{lane}": f"state {lane} before" for lane in range(lanes)}
        self.cuts = tuple(
            Claim(f"state {lane}", f"lane_{lane}", 1, signed=False) for lane in range(lanes)
        )
        self.claims = (Claim("signature", "value", 1, signed=False),)

    def component(self) -> Any:
        """Return the registers and the fold as the core has them."""
        return used(layer, "Signature")(self._lanes)

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Let the lanes take their words, and fold their states."""
        found: dict[str, Integer] = {}
        takes = words = 0
        for lane in range(self._lanes):
            before, word = values[f"state {lane} before"], values[f"word {lane}"]
            after, take = run(signature.take_word)(before, word), values[f"take {lane}"]
            chosen = follow(_choice, settled, merged, take, after, before)
            found[f"state {lane}"] = chosen
            takes = takes + (take << lane)
            words = words + (word << (signature.WIDTH * lane))
        states = array(*(found[f"state {lane}"] for lane in range(self._lanes)))
        found["signature"] = run(signature.folded)(states)
        return {**found, "takes": takes, "words": words}

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return what the lanes take."""
        if signal == "signature":
            return "the XOR of the states of all lanes, each rotated left by its number"
        lane = signal.removeprefix("state ")
        word, before = values[f"word {lane}"], values[f"state {lane} before"]
        return f"the word {word:#x} after the state {before:#x}, if take {values[f'take {lane}']}"


def _choice(condition: Integer, one: Integer, two: Integer) -> Integer:
    return one if condition else two
