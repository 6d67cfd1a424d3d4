"""The state variables of a layer, each declared in one place.

A declaration gives a variable a name, a shape and a format. The following are derived from it: the
host port (`bitlif.hdl.host_port`) and register map (`bitlif.hdl.bus.registers`) of the gates, the
probes of simulators (`bitlif.sim.probes`), the signals that layers can record
(`bitlif.model.result.RECORDS`) and save (`bitlif.model.snapshot`), and the stored bits in studies
(`bitlif.study.search.metrics`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .errors import BitlifError
from .fixed import Format
from .text import quoted

if TYPE_CHECKING:
    from .config.config import Config

FREE_MEMORY_NUMBERS = range(14, 64)
"""Numbers in the register map that an added variable can take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateVariable:
    """State that a layer keeps from step to step: one value per synapse, neuron or input.

    Attributes
    ----------
    name : str
        Name in save files and in the register map, and as an attribute of
        `bitlif.model.result.LayerState`.
    title : str
        Name of the probe, in the terms of the field.
    per : str
        ``"synapse"``, ``"neuron"`` or ``"input"``: shape (N, M), (M,) or (N,).
    format : function
        Function that returns the `Format` in a configuration.
    memory : int
        Number in the register map.
    meaning : str
        Description of the elements, for the register map.
    writable : bool
        Whether a host can load it.
    learning : bool
        Whether only layers with learning hardware have it.
    record : str or None
        Name under which a run can record it at each step.
    field : str
        Name in a row of the host port; default: `name`.
    signal : str
        Per neuron: member of `bitlif.hdl.forward.ForwardEngine` that a probe reads; default: `name`
        with an s.
    """

    name: str
    title: str
    per: Literal["synapse", "neuron", "input"]
    format: Callable[[Config], Format]
    memory: int
    meaning: str
    writable: bool = False
    learning: bool = False
    record: str | None = None
    field: str = ""
    signal: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "field", self.field or self.name)
        object.__setattr__(self, "signal", self.signal or f"{self.name}s")

    def shape(self, config: Config) -> tuple[int, ...]:
        """Return the shape of its values: (N, M), (M,) or (N,)."""
        inputs, neurons = config.layer.inputs, config.layer.neurons
        shapes = {"synapse": (inputs, neurons), "neuron": (neurons,), "input": (inputs,)}
        return shapes[self.per]

    def count(self, config: Config) -> int:
        """Return the number of values in a layer."""
        count = 1
        for size in self.shape(config):
            count *= size
        return count


_variables = [
    StateVariable(
        name="weights", title="weight", per="synapse", format=lambda config: config.synapse.weight,
        memory=0, meaning="weight of input j and neuron i at element j * M + i", writable=True,
    ),
    StateVariable(
        name="current", title="synaptic current", per="neuron",
        format=lambda config: config.synapse.current,
        memory=1, meaning="synaptic currents", record="current",
    ),
    StateVariable(
        name="membrane", title="membrane potential", per="neuron",
        format=lambda config: config.membrane.format,
        # A record holds the potential before the noise; the state is the one after the reset.
        memory=2, meaning="membrane potentials, after the reset", record="membrane",
        signal="before",
    ),
    StateVariable(
        name="trace_current", title="synaptic trace", per="input",
        format=lambda config: config.trace.current,
        memory=3, meaning="synaptic traces", learning=True, field="current",
    ),
    StateVariable(
        name="trace", title="PSP trace", per="input", format=lambda config: config.trace.format,
        memory=4, meaning="PSP traces", learning=True, record="traces",
    ),
]  # fmt: skip
_complete = False


def add_state_variable(variable: StateVariable) -> None:
    """Declare one more state variable.

    The layer's step functions and gates must compute it; this declaration makes it visible.

    Raises
    ------
    BitlifError
        If the name or memory number is already used, or the variables have already been read: the
        register map and the ports are created once, when their modules are imported.
    """
    if _complete:
        raise BitlifError(
            f"state variable {quoted(variable.name)} must be added before any other module of "
            f"bitlif reads the variables"
        )
    if variable.name in [own.name for own in _variables]:
        raise BitlifError(f"state variable {quoted(variable.name)} exists already")
    if variable.memory not in FREE_MEMORY_NUMBERS or variable.memory in [
        own.memory for own in _variables
    ]:
        raise BitlifError(
            f"memory of state variable {quoted(variable.name)} must be a free number in "
            f"{FREE_MEMORY_NUMBERS[0]} ..= {FREE_MEMORY_NUMBERS[-1]}, not {variable.memory}"
        )
    _variables.append(variable)


def state_variables(*per: str, learning: bool = True) -> tuple[StateVariable, ...]:
    """Return the declared variables, in the order of the host port's rows.

    Parameters
    ----------
    *per : str
        Kinds to return, ``"synapse"``, ``"neuron"`` or ``"input"``; by default all.
    learning : bool
        Whether to include the variables of the learning hardware.
    """
    global _complete
    _complete = True
    return tuple(
        own for own in _variables if (not per or own.per in per) and (learning or not own.learning)
    )


def require_fields(kind: Any, names: Iterable[str]) -> None:
    """Raise a `BitlifError` if a NamedTuple lacks a field for a declared variable."""
    for name in names:
        if name not in kind._fields:
            raise BitlifError(
                f"{kind.__module__}.{kind.__name__} must have a field {name}: "
                f"bitlif.model.state declares that variable"
            )


def recorded(per: str) -> tuple[str, ...]:
    """Return the names under which runs record the variables of a kind."""
    return tuple(own.record for own in state_variables(per) if own.record is not None)
