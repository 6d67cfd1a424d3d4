"""The proof of a configuration: all of its units, one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bitlif.hdl.loadable import rate_shifts
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError, nearest_of
from bitlif.model.text import quoted

from . import lfsr_unit, solver
from .bridge_monitor import bridge_unit
from .clock_monitors import clock_units
from .elaborate import elaborated
from .finding import RANGE_OF, Finding
from .forward_units import ErrorUnit, NeuronUnit, NoiseUnit
from .frame_monitors import frame_units
from .learning_units import GradientUnit, TraceUnit, UpdateUnit
from .lfsr_unit import LfsrUnit
from .monitors import axi_lite_unit, line_unit
from .network_units import NETWORK_UNITS, common_units, layer_units
from .pass_monitor import update_pass_unit
from .protocol import ProtocolUnit
from .prover import LIMIT, bits_of, concrete, prove
from .register_monitor import register_unit, seek_unit
from .replay import replay
from .request_monitor import request_unit
from .stream_monitors import stream_units
from .table_unit import TableUnit
from .turn_monitor import turn_unit
from .word_units import RoundingUnit, SignatureUnit

UNITS = (
    "rounding", "noise_lfsr", "noise", "neuron", "table", "error", "trace", "gradient",
    "update_lfsr", "update", "signature", "turns", "update_pass", "step_clocks", "axi_lite",
    "register_bank", "register_seek", "axi_stream", "uart_line", "uart_frames", "uart_bridge",
    "uart_requests",
)  # fmt: skip
"""Names of the units of a single layer; the last eleven are protocols."""


@dataclass(frozen=True, slots=True)
class UnitProof:
    """The outcome of a unit.

    Attributes
    ----------
    unit : str
    bits : int
        Bits of everything that the claims are about.
    seconds : float
        Everything but the elaboration.
    solver : str
    findings : tuple of Finding
    """

    unit: str
    bits: int
    seconds: float
    solver: str
    findings: tuple[Finding, ...]

    @property
    def result(self) -> str:
        """``"refuted"`` if a claim is, else ``"unknown"`` if one is, else ``"proved"``."""
        results = {finding.answer.result for finding in self.findings}
        ranked = (solver.REFUTED, solver.UNKNOWN, solver.PROVED)
        return next(each for each in ranked if each in results)


def units_of(config: Config | NetworkConfig, name: str | None = None) -> list[Any]:
    """Return the units of a configuration, or those of one name.

    The update has one unit per right shift of the schedule's phases. Without random bits there is
    no LFSR for it, and without noise none for the noise. The units of a network are those of all
    layers, whose numbers their names have, and those that it has once.

    Parameters
    ----------
    config : Config or NetworkConfig
    name : str or None
        One of `UNITS`, or of `NETWORK_UNITS` for a network; or the full name of one unit, such as
        ``"layer_1_adjoint"`` or ``"update_0"``; None for all units.

    Raises
    ------
    BitlifError
        If the name is unknown, or the configuration has no such unit.
    """
    names = NETWORK_UNITS if isinstance(config, NetworkConfig) else UNITS
    if isinstance(config, NetworkConfig):
        layers = [layer_units(config, number) for number in range(len(config.layers))]
        layers.append(common_units(config))
    else:
        layers = [_units(config)]
    units = [unit for own in layers for each in names for unit in own.get(each, ())]
    if name is not None and name not in names:
        return [_unit_named(name, units, names)]
    chosen = units if name is None else [unit for own in layers for unit in own.get(name, ())]
    if not chosen:
        why = f"learning.random_bits is 0 in {config.name}"
        if name != "update_lfsr":
            why = f"noise.kind is 'none' in {config.name}"
        if isinstance(config, NetworkConfig):
            why = f"no layer of {config.name} has it"
        raise BitlifError(f"--unit must be another one than {name}: {why}")
    return chosen


def _unit_named(name: str, units: list[Any], kinds: Sequence[str]) -> Any:
    """Return the unit with a full name, or raise if there is none."""
    for unit in units:
        if unit.name == name:
            return unit
    nearest = nearest_of(name, [*kinds, *(unit.name for unit in units)])
    raise BitlifError(
        f"--unit must be one of {', '.join(kinds)}, or the full name of one unit, "
        f"not {quoted(name)}{nearest}"
    )


def _units(config: Config) -> dict[str, list[Any]]:
    """Return the units of a single layer by name."""
    shifts = range(len(rate_shifts(config)))
    random = bool(config.learning.random_bits)
    return {
        "rounding": [RoundingUnit(config)],
        "noise_lfsr": [LfsrUnit(config, "noise")] if config.noise.drawn else [],
        "noise": [NoiseUnit(config)] if config.noise.drawn else [],
        "neuron": [NeuronUnit(config)],
        "table": [TableUnit(config)],
        "error": [ErrorUnit(config)],
        "trace": [TraceUnit(config)],
        "gradient": [GradientUnit(config)],
        "update_lfsr": [LfsrUnit(config, "update")] if random else [],
        "update": [UpdateUnit(config, number) for number in shifts],
        "signature": [SignatureUnit(config)],
        "turns": [turn_unit(config, learning=True), turn_unit(config, learning=False)],
        "update_pass": [update_pass_unit()],
        "step_clocks": clock_units(),
        "axi_lite": [axi_lite_unit()],
        "register_bank": [register_unit(config)],
        "register_seek": [seek_unit()],
        "axi_stream": stream_units(config),
        "uart_line": [line_unit()],
        "uart_frames": frame_units(),
        "uart_bridge": [bridge_unit(config)],
        "uart_requests": [request_unit(config)],
    }


def proofs(units: Sequence[Any], limit: float = LIMIT) -> Iterator[UnitProof]:
    """Yield the proof of each unit.

    Parameters
    ----------
    units : sequence of units
        From `units_of`.
    limit : float
        Seconds that the solver may take for a claim.

    Raises
    ------
    BitlifError
        If Yosys is missing or fails.
    """
    machines = elaborated({unit.name: unit.component() for unit in units})
    for unit in units:
        start = time.perf_counter()
        machine = machines[unit.name]
        if isinstance(unit, ProtocolUnit):
            found, how = list(unit.findings(machine, limit)), solver.NAME
            bits = unit.bits
        elif isinstance(unit, (LfsrUnit, TableUnit)):
            found, bits = list(unit.findings(machine)), unit.bits
            how = lfsr_unit.NAME if isinstance(unit, LfsrUnit) else "comparison"
        else:
            found = [_replayed(unit, finding) for finding in prove(unit, machine, limit)]
            bits, how = bits_of(unit), solver.NAME
        yield UnitProof(unit.name, bits, time.perf_counter() - start, how, tuple(found))


def _replayed(unit: Any, finding: Finding) -> Finding:
    if finding.answer.result != solver.REFUTED or finding.claim.startswith(RANGE_OF):
        return finding
    values = finding.answer.values
    return replace(finding, replayed=replay(unit, values, concrete(unit, values)))
