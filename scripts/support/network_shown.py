"""What ``bitlif config`` shows of a network: its layers side by side, and what is derived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.interval import Interval
from bitlif.model.period import periods, sweep_draw_steps
from bitlif.scripts.console.terminal import console, result_table
from bitlif.study.search.network_metrics import (
    forward_bits,
    network_bits,
    network_weight_bits,
    sweep_bits,
    window_bits,
)

NOT_USED = ("synaptic trace sum", "synaptic trace", "PSP trace sum", "PSP trace", "gradient")
"""Ranges of single layers that networks do not have."""


def derived_report(network: NetworkConfig) -> dict[str, Any]:
    """Return what is derived from a network, as values of JSON."""
    return {
        "name": network.name,
        "hash": any_hash(network),
        "stored_bits": {
            "all": network_bits(network),
            "weights": network_weight_bits(network),
            "forward": forward_bits(network),
            "sweep": sweep_bits(network),
            "window": window_bits(network),
        },
        "layers": [
            {
                **_facts(network, number),
                "ranges": {
                    name: {"low": own.low, "high": own.high, "bits": own.bits}
                    for name, own in _ranges(network, number).items()
                },
                "constants": _constants(network, number),
            }
            for number in range(len(network.layers))
        ],
    }


def print_derived(network: NetworkConfig) -> None:
    """Print what is derived from a network."""
    screen = console()
    report = derived_report(network)
    layers: list[dict[str, Any]] = report["layers"]
    screen.print(f"{network.name}: configuration hash {report['hash']}")
    names = [f"layer.{number}" for number in range(len(layers))]
    facts = [name for name in layers[0] if name not in ("ranges", "constants")]
    rows = [(name.replace("_", " "), *(_shown(own[name]) for own in layers)) for name in facts]
    screen.print(result_table("layers", ("", *names), rows))
    signals = dict.fromkeys(name for own in layers for name in own["ranges"])
    screen.print(
        result_table(
            "bits of every intermediate value (range: --json)",
            ("signal (raw)", *names),
            [
                (name, *(own["ranges"].get(name, {}).get("bits", "-") for own in layers))
                for name in signals
            ],
        )
    )
    constants = dict.fromkeys(name for own in layers for name in own["constants"])
    screen.print(
        result_table(
            "constants of the sweep",
            ("constant", *names),
            [(name, *(own["constants"].get(name, "-") for own in layers)) for name in constants],
        )
    )
    bits = report["stored_bits"]
    screen.print(
        f"stored while learning: {bits['all']:,} bits: weights {bits['weights']:,}, other state of "
        f"the layers {bits['forward'] - bits['weights']:,}, sweep {bits['sweep']:,}, records of a "
        f"window {bits['window']:,}"
    )


def _shown(value: Any) -> Any:
    return "-" if value is None else value


def _facts(network: NetworkConfig, number: int) -> dict[str, Any]:
    """Return the facts of a layer; None for what it does not have."""
    own, hidden = network.layers[number], network.is_hidden(number)
    config, sweep = own.config, own.sweep
    learned = number >= network.learned_from
    bits, width = sweep.surrogate.bits, sweep.surrogate.width
    return {
        "inputs": config.layer.inputs,
        "neurons": config.layer.neurons,
        "lanes": config.layer.lanes,
        "weight": str(config.synapse.weight),
        "current": str(config.synapse.current),
        "membrane": str(config.membrane.format),
        "learned": "yes" if learned else "no",
        "error": None if hidden else str(config.error.format),
        "credit": str(sweep.credit) if hidden else None,
        "adjoint_membrane": str(sweep.membrane),
        "adjoint_current": str(sweep.current),
        "rounding": str(sweep.rounding),
        "feedback": sweep.feedback if hidden else None,
        "surrogate": f"{bits} bit{'s' * (bits > 1)}, width {width:g}" if hidden else None,
        "update": sweep.update,
        "start_weights": f"{own.initial.low:g} ..= {own.initial.high:g}",
        "noise_repeats_after_steps": periods(config).neuron_steps,
        "sweep_repeats_after_steps": sweep_draw_steps(sweep, config.layer, hidden=hidden) or None,
    }


def _ranges(network: NetworkConfig, number: int) -> dict[str, Interval]:
    """Return the ranges of the intermediates of a layer and of its sweep."""
    found = {**network.derived(number).ranges, **network.derived_sweep(number).ranges}
    unused: Sequence[str] = NOT_USED
    if network.is_hidden(number):
        unused = (*unused, "error sum", "error", "distance", "bin product")
    return {name: own for name, own in found.items() if name not in unused}


def _constants(network: NetworkConfig, number: int) -> dict[str, int]:
    """Return the constants of the sweep by dotted names."""
    c = network.derived_sweep(number).constants
    parts: dict[str, Any] = {"membrane": c.membrane, "current": c.current}
    if network.is_hidden(number):
        parts |= {"credit": c.credit, "surrogate": c.surrogate}
    found: dict[str, int] = {}

    def visit(prefix: str, values: Any) -> None:
        for name, value in values._asdict().items():
            if hasattr(value, "_asdict"):
                visit(f"{prefix}.{name}", value)
            elif name not in ("table", "feedback"):
                found[f"{prefix}.{name}"] = int(value)

    for name, values in parts.items():
        visit(name, values)
    rates = network.derived_sweep(number).phases[0]
    found["rate (first phase)"], found["rate shift"] = rates.rate, rates.rate_right
    return found
