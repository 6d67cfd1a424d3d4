"""Patches of `bitlif.hdl` that inject a fault while a core's Verilog is generated."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, connect, flipped

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError, nearest_of
from bitlif.model.text import quoted, shortened

Chosen = TypeVar("Chosen")

Patch = tuple[Any, str, Any]
"""An object, the name of its attribute, and the temporary value."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in one unit.

    Attributes
    ----------
    unit : str
        Module of `bitlif.hdl`.
    description : str
        What is wrong.
    signal : str
        The signal in which the fault must show first.
    patches : callable
        Given a configuration, returns the patches that inject the fault.
    no_effect : callable
        Given a configuration, returns the reason why the fault has no effect in it, or "".
    shown_in : str
        A configuration that shows it within three windows of random inputs.
    gates : dict
        Fields of its section ``gates`` that differ in it.
    """

    unit: str
    description: str
    signal: str
    patches: Callable[[Config], list[Patch]]
    no_effect: Callable[[Config], str] = lambda config: ""
    shown_in: str = "tiny"
    gates: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        """The configuration that shows it."""
        return Config.load(self.shown_in).replace(gates=self.gates)


def require_fault(
    name: str, faults: Mapping[str, Chosen], kind: str, config: Config | NetworkConfig
) -> Chosen:
    """Return the fault of a name, which must have an effect.

    Parameters
    ----------
    name : str
    faults : mapping
        All faults, by name.
    kind : str
        Of the faults, as in "faults of networks".
    config : Config or NetworkConfig

    Raises
    ------
    BitlifError
        If the fault is unknown, or has no effect in the configuration.
    """
    if name not in faults:
        raise BitlifError(
            f"--inject must be one of the {len(faults)} {kind} that 'bitlif verify --list-faults' "
            f"shows, not {quoted(name)}{nearest_of(name, faults)}"
        )
    fault: Any = faults[name]
    reason = fault.no_effect(config)
    if reason:
        raise BitlifError(f"fault {name} has no effect in {shortened(config.name)}: {reason}")
    return faults[name]


@contextlib.contextmanager
def patched(owner: Any, attribute: str, value: Any) -> Iterator[None]:
    """Give an attribute another value for a while."""
    kept = getattr(owner, attribute)
    setattr(owner, attribute, value)
    try:
        yield
    finally:
        setattr(owner, attribute, kept)


@contextlib.contextmanager
def line_replaced(module: ModuleType, line: str, wrong: str) -> Iterator[None]:
    """Give a module, for a while, the functions and methods of its source with a changed line.

    Raises
    ------
    ValueError
        If the source does not hold the line exactly once.
    """
    source = inspect.getsource(module)
    if source.count(line) != 1:
        raise ValueError(f"{module.__name__} does not hold this line exactly once: {line}")
    changed: dict[str, Any] = {**vars(module)}
    exec(compile(source.replace(line, wrong), module.__name__, "exec"), changed)
    with contextlib.ExitStack() as stack:
        for name, own in list(vars(module).items()):
            if getattr(own, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(own):
                stack.enter_context(patched(module, name, changed[name]))
            elif inspect.isclass(own):
                for method, new in vars(changed[name]).items():
                    if inspect.isfunction(new) and not method.startswith("__"):
                        stack.enter_context(patched(own, method, new))
        yield


def rewired(unit: type[Component], change: Callable[[Module, Any, Any], None]) -> type[Component]:
    """Return a wrapper of a unit: all ports are connected through, then `change` rewires some."""

    class Rewired(unit):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._inside = unit(*args, **kwargs)
            super().__init__(*args, **kwargs)

        def elaborate(self, platform: object) -> Module:
            m = Module()
            m.submodules.true = true = self._inside
            for name, member in self.signature.members.items():
                own, inner = getattr(self, name), getattr(true, name)
                if not member.is_port:
                    connect(m, flipped(own), inner)
                elif member.flow is In:
                    m.d.comb += inner.eq(own)
                else:
                    m.d.comb += own.eq(inner)
            change(m, self, true)
            return m

    return Rewired


def change_constants(
    owner: Any, **changes: Callable[[Any], Any]
) -> Callable[[Config], list[Patch]]:
    """Return patches that give one unit wrong constants."""

    def patches(config: Config) -> list[Patch]:
        true = derive(config)
        c = true.constants
        wrong = c._replace(**{name: change(getattr(c, name)) for name, change in changes.items()})

        def derive_wrong(asked: Config) -> Any:
            return WrongConstants(derive(asked), wrong)

        return [(owner, "derive", derive_wrong)]

    return patches


class WrongConstants:
    """The values derived from a configuration, with other constants."""

    def __init__(self, true: Any, constants: Any) -> None:
        self._true, self.constants = true, constants

    def __getattr__(self, name: str) -> Any:
        return getattr(self._true, name)


def rewire(owner: Any, name: str, change: Callable[[Module, Any, Any], None]) -> Any:
    """Return patches that replace a unit by its wrapper from `rewired`."""
    return lambda config: [(owner, name, rewired(getattr(owner, name), change))]
