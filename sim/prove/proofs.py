"""The proof of a configuration: all of its units, one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bitlif.hdl.loadable import rate_shifts
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, nearest_of
from bitlif.model.text import quoted

from . import lfsr_unit, solver
from .elaborate import elaborated
from .finding import RANGE_OF, Finding
from .forward_units import ErrorUnit, NeuronUnit, NoiseUnit
from .learning_units import GradientUnit, TraceUnit, UpdateUnit
from .lfsr_unit import LfsrUnit
from .monitors import protocol_units
from .protocol import ProtocolUnit
from .prover import LIMIT, bits_of, concrete, prove
from .replay import replay
from .table_unit import TableUnit
from .word_units import RoundingUnit, SignatureUnit

UNITS = (
    "rounding", "noise_lfsr", "noise", "neuron", "table", "error", "trace", "gradient",
    "update_lfsr", "update", "signature", "axi_lite", "uart_line",
)  # fmt: skip
"""Names of all units; the last two are protocols, the same for all configurations."""


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


def units_of(config: Config, name: str | None = None) -> list[Any]:
    """Return the units of a configuration, or those of one name of `UNITS`.

    The update has one unit per right shift of the schedule's phases. Without random bits there is
    no LFSR for it.

    Raises
    ------
    BitlifError
        If the name is unknown, or the configuration has no such unit.
    """
    if name is not None and name not in UNITS:
        raise BitlifError(
            f"--unit must be one of {', '.join(UNITS)}, not {quoted(name)}{nearest_of(name, UNITS)}"
        )
    shifts = range(len(rate_shifts(config)))
    random = bool(config.learning.random_bits)
    made: dict[str, list[Any]] = {
        "rounding": [RoundingUnit(config)],
        "noise_lfsr": [LfsrUnit(config, "noise")],
        "noise": [NoiseUnit(config)],
        "neuron": [NeuronUnit(config)],
        "table": [TableUnit(config)],
        "error": [ErrorUnit(config)],
        "trace": [TraceUnit(config)],
        "gradient": [GradientUnit(config)],
        "update_lfsr": [LfsrUnit(config, "update")] if random else [],
        "update": [UpdateUnit(config, number) for number in shifts],
        "signature": [SignatureUnit(config)],
        **{unit.name: [unit] for unit in protocol_units()},
    }
    chosen = [unit for own in (UNITS if name is None else (name,)) for unit in made[own]]
    if not chosen:
        raise BitlifError(
            f"--unit must be another one than {name}: learning.random_bits is 0 in {config.name}"
        )
    return chosen


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
