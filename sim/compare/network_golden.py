"""Golden vectors of networks: all inputs, constants and values of a run, as text.

`bitlif.sim.compare.golden` writes those of single layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.config.network_tree import dump_network
from bitlif.model.constants import Constants, PhaseConstants
from bitlif.model.credit import FEEDBACKS, SIGN_FRAC
from bitlif.model.fixed import Format
from bitlif.model.interval import Interval
from bitlif.model.lfsr import LfsrConfig
from bitlif.model.signature import WIDTH
from bitlif.model.storage.ownership import GOLDEN_NETWORK
from bitlif.sim.probes import observables
from bitlif.tasks.scenario import NetworkWork

from .golden import GoldenArray, array_format, bits_of, lfsr_facts, sha256, write_files
from .network_expected import NetworkExpected

VERSION = 1
"""Version of the file format. It changes when readers have to change."""

TRACES = (
    "synaptic trace sum", "synaptic trace", "PSP trace sum", "PSP trace", "gradient",
    "trace_current", "trace",
)  # fmt: skip
"""Ranges and constants of single layers that networks do not use."""

STEP = ("window", "step", "neuron")
SYNAPSE = ("window", "input", "neuron")


def network_arrays(work: NetworkWork, expected: NetworkExpected) -> list[GoldenArray]:
    """Return all arrays of a run, in the order in which they are best checked.

    The names of a layer's arrays begin with ``layer.0.`` and so on. Forward signals run from the
    first layer to the last, those of the sweep from the last to the first.
    """
    network = work.network
    count = len(network.layers)
    arrays = [*_inputs(work)]
    for number in range(count):
        arrays += _start(work, number)
    for number in range(count):
        arrays += _forward(work, expected, number)
    for number in reversed(range(count)):
        arrays += _swept(network, expected, number)
    for number in range(count):
        arrays += _ends(network, expected, number)
    arrays.append(
        GoldenArray("signature", expected.signature, ("window",), f"u{WIDTH}.0", "signature")
    )
    for number in range(count):
        arrays += _final(network, expected, number)
    return arrays


def _inputs(work: NetworkWork) -> Iterator[GoldenArray]:
    raster = work.events.raster().astype(np.int64)
    yield GoldenArray("input_spike", raster, ("window", "step", "input"), "u1.0", "0 or 1")
    if work.takes_targets:
        frac = work.network.layers[-1].config.error.target_bits
        # Targets include both 0 and 1, so they need one bit more than their fraction.
        yield GoldenArray("target", work.targets, STEP, f"u{frac + 1}.{frac}")


def _start(work: NetworkWork, number: int) -> Iterator[GoldenArray]:
    """Yield what a layer starts with: weights, tables and LFSRs."""
    network, prefix = work.network, f"layer.{number}."
    own, config = network.layers[number], network.layers[number].config
    weight = str(config.synapse.weight)
    yield GoldenArray(f"{prefix}initial_weight", work.weights[number], ("input", "neuron"), weight)
    learned = work.learns and number >= network.learned_from
    if learned and not network.is_hidden(number):
        for name, column in zip("ab", network.derived(number).table, strict=True):
            entry = str(config.error.entry)
            yield GoldenArray(f"{prefix}error_table_{name}", np.array(column), ("bin",), entry)
    table = network.derived_sweep(number).constants.surrogate.table
    if learned and network.is_hidden(number) and table.size:
        bits = own.sweep.surrogate.bits
        yield GoldenArray(f"{prefix}surrogate_table", table, ("bin",), f"u{bits}.{bits}")
    quantiles = config.noise.quantiles
    if quantiles.size:
        bits = config.noise.level_bits
        yield GoldenArray(f"{prefix}noise_quantile", quantiles, ("word",), f"s{bits}.0", "draw")
    for name, source in lfsr_sources(network, number, learns=work.learns).items():
        states = [one.state for one in source.registers(config.layer.lanes)[0]]
        yield GoldenArray(
            f"{prefix}{name}_lfsr_start", np.array(states, np.uint64), ("lfsr",),
            f"u{source.width}.0", "state",
        )  # fmt: skip


def lfsr_sources(network: NetworkConfig, number: int, *, learns: bool) -> dict[str, LfsrConfig]:
    """Return the LFSR configurations that a layer uses, by purpose."""
    own = network.layers[number]
    found = {"noise": own.config.noise.lfsr} if own.config.noise.drawn else {}
    if learns and number >= network.learned_from:
        if own.config.learning.random_bits:
            found["update"] = own.config.learning.lfsr
        if network.derived_sweep(number).constants.draws:
            found["sweep"] = own.sweep.lfsr
    return found


def _forward(work: NetworkWork, expected: NetworkExpected, number: int) -> Iterator[GoldenArray]:
    """Yield the phase and the signals of the forward steps."""
    config, own = work.network.layers[number].config, expected.layers[number]
    prefix, phases = f"layer.{number}.", np.array(own.phases[:-1])
    fmt = f"u{bits_of(len(config.schedule) - 1)}.0"
    yield GoldenArray(f"{prefix}phase", phases, ("window",), fmt, "index")
    units = {"noise_draw": "draw", "spike": "0 or 1"}
    for one in observables(config, learning=False, learn=False):
        name = one.name.lower().replace(" ", "_")
        if one.when in ("drawn", "slot"):
            yield GoldenArray(
                f"{prefix}{name}", own.observed[name], STEP, array_format(config, one),
                units.get(name, "raw"),
            )  # fmt: skip


def _swept(network: NetworkConfig, expected: NetworkExpected, number: int) -> Iterator[GoldenArray]:
    """Yield the signals of the sweep of a layer, and its weights after each window."""
    own, prefix = network.layers[number], f"layer.{number}."
    sweep = own.sweep
    formats = {
        "credit_sum": (STEP, _sum(network, number) if network.is_hidden(number) else ""),
        "surrogate": (STEP, _derivative(sweep.surrogate.bits)),
        "credit": (STEP, str(sweep.credit)),
        "error": (STEP, str(own.config.error.format)),
        "adjoint_membrane": (STEP, str(sweep.membrane)),
        "adjoint_current": (STEP, str(sweep.current)),
        "gradient": (SYNAPSE, _gradient(network, number)),
        "weight": (SYNAPSE, str(own.config.synapse.weight)),
    }
    for name, (axes, fmt) in formats.items():
        if name in expected.layers[number].observed:
            values = expected.layers[number].observed[name]
            yield GoldenArray(f"{prefix}{name}", values, axes, fmt)


def _derivative(bits: int) -> str:
    return "u1.0" if bits == 1 else f"u{bits}.{bits}"


def _sum(network: NetworkConfig, number: int) -> str:
    """Return the format of the exact sums of credit that a hidden layer takes."""
    sign = network.layers[number].sweep.feedback == "sign"
    after = network.layers[number + 1]
    weight: Format = after.config.synapse.weight
    factor = Interval(-1, 1) if sign else Interval.of(weight)
    total = (factor * Interval.of(after.sweep.current)).times(after.config.layer.neurons)
    return f"s{total.bits}.{(SIGN_FRAC if sign else weight.frac) + after.sweep.current.frac}"


def _gradient(network: NetworkConfig, number: int) -> str:
    total = network.derived_sweep(number).ranges["sweep gradient"]
    return f"s{total.bits}.{network.layers[number].sweep.current.frac}"


def _ends(network: NetworkConfig, expected: NetworkExpected, number: int) -> Iterator[GoldenArray]:
    """Yield the LFSRs and the signatures of a layer after each window."""
    prefix, own = f"layer.{number}.", expected.layers[number]
    learns = "adjoint_current" in own.observed
    for name, source in lfsr_sources(network, number, learns=learns).items():
        values = own.observed[f"{name}_lfsr"]
        fmt = f"u{source.width}.0"
        yield GoldenArray(f"{prefix}{name}_lfsr", values, ("window", "lfsr"), fmt, "state")
    signed: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("signature_by_step", ("window", "step")),
        ("signature", ("window",)),
    )
    for name, axes in signed:
        yield GoldenArray(f"{prefix}{name}", own.observed[name], axes, f"u{WIDTH}.0", "signature")


def _final(network: NetworkConfig, expected: NetworkExpected, number: int) -> Iterator[GoldenArray]:
    prefix, final = f"layer.{number}.final_", expected.layers[number].final
    config = network.layers[number].config
    formats = {
        "synaptic_current": str(config.synapse.current),
        "membrane": str(config.membrane.format),
    }
    for name, fmt in formats.items():
        yield GoldenArray(f"{prefix}{name}", final[name], ("neuron",), fmt)


def network_manifest(
    work: NetworkWork, expected: NetworkExpected, arrays: Sequence[GoldenArray],
    given: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Return the manifest of a set; docs/golden.md documents its keys.

    `given` names the inputs that were not drawn from the seed: weights, spikes, targets.
    """
    network = work.network
    text = dump_network(network.to_dict())
    keeps, first = network.layers[0].config.window, network.layers[0].config.layer
    return {
        "kind": GOLDEN_NETWORK,
        "version": VERSION,
        "config": {
            "name": network.name, "hash": any_hash(network), "file": "config.toml",
            "sha256": sha256(text), "values": network.to_dict(),
        },
        "run": {
            "windows": work.events.windows, "steps": keeps.steps, "inputs": first.inputs,
            "layers": len(network.layers), "learns": work.learns, "seed": work.seed,
            **({"given": list(given)} if given else {}),
        },
        "cleared": {name: getattr(keeps, name) == "clear" for name in ("state", "lfsr")},
        "layers": [
            _layer(work, expected, number) for number in range(len(network.layers))
        ],
        "arrays": [one.entry() for one in arrays],
    }  # fmt: skip


def _layer(work: NetworkWork, expected: NetworkExpected, number: int) -> dict[str, Any]:
    """Return the entry of a layer in the manifest."""
    network = work.network
    own, derived = network.layers[number], network.derived(number)
    config, sizes = own.config, own.config.layer
    learned = work.learns and number >= network.learned_from
    swept = network.derived_sweep(number)
    phases = zip(config.schedule, swept.phases, strict=True)
    found = {
        "inputs": sizes.inputs, "neurons": sizes.neurons, "lanes": sizes.lanes,
        "slots": sizes.slots, "hidden": network.is_hidden(number), "learned": learned,
        "constants": {
            name: own for name, own in _plain(derived.constants).items() if name not in TRACES
        },
        "phases": [
            {"windows": phase.windows, **_phase(one, learned=learned)} for phase, one in phases
        ],
        "noise": {
            "kind": config.noise.kind, "words": config.noise.words,
            "word_bits": config.noise.word_bits, "leap": config.noise.leap,
        },
    }  # fmt: skip
    if learned:
        found |= {
            "update": {
                "by": own.sweep.update, "random_bits": config.learning.random_bits,
                "leap": config.learning.leap,
            },
            "sweep": _sweep(network, number),
        }  # fmt: skip
    sources = lfsr_sources(network, number, learns=work.learns)
    ranges = {
        name: own
        for name, own in {**derived.ranges, **(swept.ranges if learned else {})}.items()
        if name not in TRACES
    }
    return {
        **found,
        "lfsrs": {name: lfsr_facts(source, sizes.lanes) for name, source in sources.items()},
        "ranges": {name: {"low": own.low, "high": own.high} for name, own in ranges.items()},
        "final_phase": expected.layers[number].phases[-1],
        "counters": expected.layers[number].counters,
    }


def _phase(constants: PhaseConstants, *, learned: bool) -> dict[str, int]:
    """Return the constants of a phase, with those of the rate only if the layer is learned."""
    found = constants._asdict()
    return {name: one for name, one in found.items() if learned or not name.startswith("rate")}


def _sweep(network: NetworkConfig, number: int) -> dict[str, Any]:
    """Return the constants of the sweep of a layer."""
    sweep, c = network.layers[number].sweep, network.derived_sweep(number).constants
    found: dict[str, Any] = {"rounding": str(sweep.rounding)}
    if network.is_hidden(number):
        credit = c.credit
        surrogate = c.surrogate
        found |= {
            "credit": {**_plain(credit), "feedback": FEEDBACKS[credit.feedback]},
            "surrogate": {
                "bits": sweep.surrogate.bits, "width": surrogate.width,
                "reciprocal": surrogate.reciprocal, "shift": surrogate.shift,
            },
        }  # fmt: skip
    return {
        **found,
        "membrane": _plain(c.membrane), "current": _plain(c.current),
        "draws": c.draws, "random_bits": sweep.random_bits, "leap": sweep.leap,
    }  # fmt: skip


def _plain(constants: Any) -> Any:
    """Return named tuples, also nested ones, as dictionaries."""
    if isinstance(constants, Constants):
        constants = constants.named()
    elif hasattr(constants, "_asdict"):
        constants = constants._asdict()
    if isinstance(constants, dict):
        return {name: _plain(value) for name, value in constants.items()}
    return constants


def write_network_golden(
    work: NetworkWork, expected: NetworkExpected, folder: Path, given: Sequence[str] = ()
) -> dict[str, Any]:
    """Write a set of golden vectors into an existing folder, and return its manifest.

    `given` is as for `network_manifest`.
    """
    arrays = network_arrays(work, expected)
    entries = network_manifest(work, expected, arrays, given)
    write_files(folder, arrays, dump_network(work.network.to_dict()), entries)
    return entries
