"""The units of a network: each layer's steps, sweep and update; registers and UART of all."""

from __future__ import annotations

from typing import Any

from bitlif.hdl.loadable import swept_update
from bitlif.model.config.network import NetworkConfig
from bitlif.model.gate_sizes import gate_sizes

from .bridge_monitor import bridge_unit
from .credit_units import CreditSumUnit, SweepGradientUnit
from .forward_units import ErrorUnit, NeuronUnit, NoiseUnit
from .learning_units import UpdateUnit
from .lfsr_unit import LfsrUnit
from .register_monitor import register_unit
from .request_monitor import request_unit
from .spike_unit import SpikeUpdateUnit
from .sweep_clock_monitors import sweep_clock_units
from .sweep_units import AdjointUnit, SurrogateUnit
from .table_unit import TableUnit
from .turn_monitor import turn_unit
from .word_units import SIGNALS, RoundingUnit, SignatureUnit

NETWORK_UNITS = (
    "rounding", "noise_lfsr", "noise", "neuron", "table", "error", "surrogate", "sweep_lfsr",
    "adjoint", "credit_sum", "sweep_gradient", "update_lfsr", "update", "spike_update",
    "signature", "turns", "sweep_clocks", "register_bank", "uart_bridge", "uart_requests",
)  # fmt: skip
"""Names of the units of a network: all but the last four are of a layer, and no layer has all."""


def common_units(config: NetworkConfig) -> dict[str, list[Any]]:
    """Return the units that a network has once, by name."""
    return {
        "sweep_clocks": sweep_clock_units(),
        "register_bank": [register_unit(config)],
        "uart_bridge": [bridge_unit(config)],
        "uart_requests": [request_unit(config)],
    }


def layer_units(config: NetworkConfig, number: int) -> dict[str, list[Any]]:
    """Return the units of a layer by the names of `NETWORK_UNITS`.

    Parameters
    ----------
    config : NetworkConfig
    number : int
        Of the layer.
    """
    layer, derived = config.layers[number], config.derived_sweep(number)
    own, sweep, hidden = layer.config, layer.sweep, config.is_hidden(number)
    signals = [name for name in SIGNALS if "trace" not in name and not (hidden and name == "error")]
    made: dict[str, list[Any]] = {
        "rounding": [RoundingUnit(own, signals)],
        "noise_lfsr": [LfsrUnit(own, "noise")] if own.noise.drawn else [],
        "noise": [NoiseUnit(own)] if own.noise.drawn else [],
        "neuron": [NeuronUnit(own)],
        "signature": [SignatureUnit(own)],
        "turns": [turn_unit(own, learning=True)],
    }
    if not hidden:
        made |= {"table": [TableUnit(own)], "error": [ErrorUnit(own)]}
    if number >= config.learned_from:
        shifts = range(len(swept_update(derived).shifts))
        made["adjoint"] = [AdjointUnit(config, number)]
        if hidden:
            made["surrogate"] = [SurrogateUnit(config, number)]
        if number > config.learned_from:
            made["credit_sum"] = [CreditSumUnit(config, number)]
        if derived.constants.draws:
            made["sweep_lfsr"] = [LfsrUnit(own, "sweep", sweep)]
        if own.learning.random_bits:
            made["update_lfsr"] = [LfsrUnit(own, "update", sweep)]
        if derived.constants.spike_update:
            made["spike_update"] = [
                SpikeUpdateUnit(config, number, shift, part)
                for shift in shifts
                for part in range(gate_sizes(own).row_slots)
            ]
        else:
            made["sweep_gradient"] = [SweepGradientUnit(config, number)]
            made["update"] = [UpdateUnit(own, shift, derived) for shift in shifts]
    for unit in (unit for units in made.values() for unit in units):
        if not unit.name.startswith("layer_"):
            unit.name = f"layer_{number}_{unit.name}"
    return made
