"""Golden vectors: all inputs, constants and values of a run, as text that any language reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.config.toml import config_hash, config_to_dict, dump_config
from bitlif.model.derive import derive
from bitlif.model.lfsr import LfsrConfig
from bitlif.model.signature import WIDTH
from bitlif.model.state import state_variables
from bitlif.model.storage.ownership import GOLDEN, MANIFEST
from bitlif.sim.probes import Observable, observables
from bitlif.tasks.scenario import Work

from .expected import Expected

VERSION = 1
"""Version of the file format. It changes when readers have to change."""

AXES = {
    "drawn": ("window", "step", "neuron"),
    "slot": ("window", "step", "neuron"),
    "error": ("window", "step", "neuron"),
    "trace": ("window", "step", "input"),
    "gradient": ("window", "input", "neuron"),
    "update": ("window", "input", "neuron"),
    "window": ("window", "lfsr"),
}
"""Axes of a probe, by the moment at which a core shows it."""

COUNT = "u63.0"
"""The format of counts, which have no narrower one: they fit a signed 64-bit integer."""

LEARNING_COUNTERS = (
    "error_saturations", "synaptic_trace_saturations", "trace_saturations", "weight_saturations",
    "active_errors",
)  # fmt: skip
"""Counters that only a learning layer increments."""


@dataclass(frozen=True, slots=True, eq=False)
class GoldenArray:
    """One array of a set of golden vectors.

    Attributes
    ----------
    name : str
        Name of the array and its file.
    values : array of int64 or uint64
    axes : tuple of str
        Names of the axes.
    format : str
        Fixed-point format that holds all values; ``"s10.6"`` is signed, 10 bits, 6 fractional.
    unit : str
        Unit of a value.
    """

    name: str
    values: NDArray[Any]
    axes: tuple[str, ...]
    format: str
    unit: str = "raw"

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"{self.name}.txt"

    @property
    def text(self) -> str:
        """The values in decimal, in C order, with one line per row of the last axis."""
        rows = self.values.reshape(-1, self.values.shape[-1]).tolist()
        return "".join(" ".join(map(str, row)) + "\n" for row in rows)

    def entry(self) -> dict[str, Any]:
        """Return the entry of this array in the manifest."""
        return {
            "name": self.name, "file": self.file, "shape": list(self.values.shape),
            "axes": list(self.axes), "format": self.format, "unit": self.unit,
            "sha256": sha256(self.text),
        }  # fmt: skip


def sha256(text: str) -> str:
    """Return the SHA-256 hash of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def golden_arrays(work: Work, expected: Expected) -> list[GoldenArray]:
    """Return all arrays of a run, in the order in which they are best checked.

    Parameters
    ----------
    work : Work
        Its targets must have one value per step, as those of `bitlif.tasks.stimulus.random_work`.
    expected : Expected
        The model's run.
    """
    return [
        *_inputs(work),
        *_constant_arrays(work),
        GoldenArray(
            "phase", np.array(expected.phases), ("window",),
            f"u{bits_of(len(work.config.schedule) - 1)}.0", "index",
        ),
        *_observed(work, expected),
        GoldenArray(
            "signature_by_step", expected.step_signatures, ("window", "step"), f"u{WIDTH}.0",
            "signature",
        ),
        GoldenArray("step_clocks", expected.step_clocks, ("window", "step"), COUNT, "clocks"),
        *_final(work, expected),
    ]  # fmt: skip


def bits_of(largest: int) -> int:
    """Return the bits of an unsigned format that holds 0 ..= `largest`."""
    return max(1, largest.bit_length())


def _inputs(work: Work) -> Iterator[GoldenArray]:
    config = work.config
    raster = work.events.raster().astype(np.int64)
    yield GoldenArray("input_spike", raster, ("window", "step", "input"), "u1.0", "0 or 1")
    if work.takes_targets:
        assert work.targets is not None
        frac = config.error.target_bits
        # Targets include both 0 and 1, so they need one bit more than their fraction.
        axes = ("window", "step", "neuron")
        yield GoldenArray("target", work.targets, axes, f"u{frac + 1}.{frac}")
    weight = str(config.synapse.weight)
    yield GoldenArray("initial_weight", work.weights, ("input", "neuron"), weight)


def _constant_arrays(work: Work) -> Iterator[GoldenArray]:
    config = work.config
    if work.learns:
        entry = str(config.error.entry)
        for name, column in zip("ab", derive(config).table, strict=True):
            yield GoldenArray(f"error_table_{name}", np.array(column), ("bin",), entry)
    quantiles = config.noise.quantiles
    if quantiles.size:
        bits = config.noise.level_bits
        yield GoldenArray("noise_quantile", quantiles, ("word",), f"s{bits}.0", "draw")
    for name, source in _sources(work).items():
        states = [one.state for one in source.registers(config.layer.lanes)[0]]
        yield GoldenArray(
            f"{name}_lfsr_start", np.array(states, np.uint64), ("lfsr",), f"u{source.width}.0",
            "state",
        )  # fmt: skip


def _sources(work: Work) -> dict[str, LfsrConfig]:
    """Return the LFSR configurations in use, by purpose."""
    noise, learning = work.config.noise, work.config.learning
    found = {"noise": noise.lfsr} if noise.drawn else {}
    if work.learns and learning.random_bits:
        found["update"] = learning.lfsr
    return found


def _observed(work: Work, expected: Expected) -> Iterator[GoldenArray]:
    units = {
        "noise draw": "draw", "spike": "0 or 1", "noise LFSR": "state", "update LFSR": "state",
        "signature": "signature",
    }  # fmt: skip
    for one in observables(work.config, learning=work.learning, learn=work.learns):
        values, axes = expected.observed[one.name], AXES[one.when]
        if one.name == "signature":
            values, axes = values[:, 0], axes[:1]
        if one.name.endswith("LFSR"):
            # `Expected` holds the 64 bits as signed integers.
            values = values.view(np.uint64)
        name = one.name.lower().replace(" ", "_")
        yield GoldenArray(
            name, values, axes, array_format(work.config, one), units.get(one.name, "raw")
        )


def array_format(config: Config, one: Observable) -> str:
    """Return the format of a signal of a core."""
    trace, error = config.trace, config.error
    frac = {
        **{own.title: own.format(config).frac for own in state_variables()},
        "weight sum": config.synapse.weight.frac,
        "kept membrane": config.membrane.format.frac,
        "error": error.format.frac,
        "gradient": error.format.frac + trace.format.frac,
    }.get(one.name, 0)
    return f"{'s' if one.signed else 'u'}{one.bits}.{frac}"


def _final(work: Work, expected: Expected) -> Iterator[GoldenArray]:
    config, state = work.config, expected.state
    synapse, trace = config.synapse, config.trace
    neuron, row = ("neuron",), ("input",)
    yield GoldenArray("final_synaptic_current", state.current, neuron, str(synapse.current))
    yield GoldenArray("final_membrane", state.membrane, neuron, str(config.membrane.format))
    if work.learns:
        yield GoldenArray("final_synaptic_trace", state.trace_current, row, str(trace.current))
        yield GoldenArray("final_psp_trace", state.trace, row, str(trace.format))
        axes = ("input", "neuron")
        yield GoldenArray("final_weight", expected.weights, axes, str(synapse.weight))


def manifest(
    work: Work, expected: Expected, arrays: Sequence[GoldenArray], given: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the manifest of a set; docs/golden.md documents its keys.

    `given` names the inputs that were not drawn from the seed: weights, spikes, targets.
    """
    config = work.config
    derived, sizes, keeps = derive(config), config.layer, config.window
    constants = {
        name: value._asdict() if hasattr(value, "_asdict") else value
        for name, value in derived.constants.named().items()
    }
    phases = zip(config.schedule, derived.phases, strict=True)
    return {
        "kind": GOLDEN,
        "version": VERSION,
        "config": {
            "name": config.name, "hash": config_hash(config), "file": "config.toml",
            "sha256": sha256(dump_config(config)), "values": config_to_dict(config),
        },
        "run": {
            "windows": work.events.windows, "steps": keeps.steps, "inputs": sizes.inputs,
            "neurons": sizes.neurons, "lanes": sizes.lanes, "slots": sizes.slots,
            "learns": work.learns, "seed": work.seed,
            **({"given": list(given)} if given else {}),
        },
        "cleared": {
            name: getattr(keeps, name) == "clear" for name in ("state", "trace", "lfsr")
        },
        "constants": constants,
        "phases": [{"windows": phase.windows, **own._asdict()} for phase, own in phases],
        "noise": {
            "kind": config.noise.kind, "words": config.noise.words,
            "word_bits": config.noise.word_bits, "leap": config.noise.leap,
        },
        "update": {"random_bits": config.learning.random_bits, "leap": config.learning.leap},
        "lfsrs": {
            name: lfsr_facts(source, sizes.lanes) for name, source in _sources(work).items()
        },
        "ranges": {
            name: {"low": own.low, "high": own.high} for name, own in derived.ranges.items()
        },
        "window_end_clocks": expected.window_end,
        "final_phase": expected.state.phase,
        "counters": {
            name: count for name, count in expected.counters.items()
            if work.learns or name not in LEARNING_COUNTERS
        },
        "arrays": [one.entry() for one in arrays],
    }  # fmt: skip


def lfsr_facts(source: LfsrConfig, lanes: int) -> dict[str, Any]:
    """Return the width, the taps of each LFSR, and the LFSR that each lane reads."""
    distinct, of_lane = source.registers(lanes)
    return {
        "width": source.width,
        "taps": [list(one.taps) for one in distinct],
        "of_lane": list(of_lane),
    }


def write_golden(
    work: Work, expected: Expected, folder: Path, given: Sequence[str] = ()
) -> dict[str, Any]:
    """Write a set of golden vectors into an existing folder, and return its manifest.

    `given` is as for `manifest`.
    """
    arrays = golden_arrays(work, expected)
    entries = manifest(work, expected, arrays, given)
    write_files(folder, arrays, dump_config(work.config), entries)
    return entries


def write_files(
    folder: Path, arrays: Sequence[GoldenArray], config: str, entries: dict[str, Any]
) -> None:
    """Write the arrays, the configuration and the manifest of a set."""
    texts = {one.file: one.text for one in arrays}
    texts["config.toml"] = config
    texts[MANIFEST] = json.dumps(entries, indent=1, allow_nan=False) + "\n"
    for name, text in texts.items():
        # The same bytes on every system, whatever its line ending.
        (folder / name).write_text(text, "utf-8", newline="\n")
