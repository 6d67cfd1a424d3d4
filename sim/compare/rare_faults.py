"""Faults that the ready-made configurations do not show in three windows; see docs/golden.md.

Each is shown by a configuration of the conformance set.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from amaranth.hdl import Const, Mux, Signal

from bitlif.hdl import forward, layer, neuron, table, update, update_pass
from bitlif.hdl.fixed import saturate
from bitlif.hdl.lfsr import lane_words
from bitlif.hdl.loadable import phase_rows, rate_shifts
from bitlif.model.config.config import Config
from bitlif.model.derive import derive

from .patches import Fault, Patch


def _toward_zero(config: Config) -> list[Patch]:
    def shifted(value: Any, bias: int, shift: int) -> Any:
        exact = value + bias
        return Mux(exact < 0, -((-exact) >> shift), exact >> shift)

    return [(neuron, "round_shift", shifted)]


def _short_table(config: Config) -> list[Patch]:
    calls = itertools.count()

    def short(value: Any, shape: Any) -> Any:
        held, flag = saturate(value, shape)
        if next(calls) % 2:  # the second is that of the error
            return held, flag
        last = (1 << (shape.width - 1)) - 1
        return Mux(held == last, last - 1, held), flag

    return [(table, "saturate", short)]


def _not_held(config: Config) -> list[Patch]:
    calls = itertools.count()

    def wrapped(value: Any, shape: Any) -> Any:
        if next(calls) % 3 < 2:  # the third is that of the membrane with its noise
            return saturate(value, shape)
        return value[: shape.width].as_signed(), Const(0, 1)

    return [(neuron, "saturate", wrapped)]


def _skip_empty(owner: Any, draws: Callable[[Config], int]) -> Callable[[Config], list[Patch]]:
    """Let the lanes whose last slot is empty skip its draws, `draws` in number."""

    def patches(config: Config) -> list[Patch]:
        sizes = config.layer
        full = sizes.neurons - (sizes.slots - 1) * sizes.lanes
        count, skipped = sizes.slots * draws(config), draws(config)

        def skipping(
            m: Any, name: str, sources: Any, leap: int, reach: int, advance: Any, restart: Any
        ) -> Any:
            number = Signal(range(count + 1), name=f"{name}_number")
            with m.If(advance):
                m.d.sync += number.eq(Mux(number == count - 1, 0, number + 1))
            words, states = lane_words(m, name, sources[:full], leap, reach, advance, restart)
            taken = advance & (number < count - skipped)
            more = lane_words(m, f"{name}_short", sources[full:], leap, reach, taken, restart)
            return words + more[0], states + more[1]

        return [(owner, "lane_words", skipping)]

    return patches


def _no_left_shift(config: Config) -> list[Patch]:
    def short(core: Config) -> tuple[tuple[int, int, int], ...]:
        return tuple((0, bias, right) for _, bias, right in rate_shifts(core))

    return [(update, "rate_shifts", short)]


def _other(field: str) -> Callable[[Config], list[Patch]]:
    """Build the core for the other setting of a field of the section `window`."""

    def patches(config: Config) -> list[Patch]:
        true = layer.LayerCore.__init__
        other = "carry" if getattr(config.window, field) == "clear" else "clear"

        def init(self: Any, config: Config, **kwargs: Any) -> None:
            true(self, config.replace(**{f"window__{field}": other}), **kwargs)

        return [(layer.LayerCore, "__init__", init)]

    return patches


def _one_phase(config: Config) -> list[Patch]:
    def first(core: Config) -> list[dict[str, int]]:
        rows = phase_rows(core)
        return [{**rows[0], "windows": row["windows"]} for row in rows]

    return [(layer, "phase_rows", first)]


def draws_noise(config: Config) -> str:
    """Return why a fault of the noise has no effect, or an empty text."""
    return "" if config.noise.drawn else "noise.kind must not be 'none'"


def _keeps_noise(config: Config) -> str:
    fits = config.membrane.injection == "membrane"
    return draws_noise(config) if fits else "membrane.injection must be 'membrane'"


def _empty_slots(config: Config) -> str:
    sizes = config.layer
    if sizes.slots * sizes.lanes == sizes.neurons:
        return "layer.lanes must not divide layer.neurons"
    if "shared" in (config.noise.lfsr.sharing, config.learning.lfsr.sharing):
        return "lfsr.sharing must not be 'shared'"
    return ""


def _empty_draws(config: Config) -> str:
    return draws_noise(config) or _empty_slots(config)


def _empty_updates(config: Config) -> str:
    if not config.learning.random_bits:
        return "learning.random_bits must be at least 1"
    return _empty_slots(config)


def _shifts_left(config: Config) -> str:
    fits = any(phase.rate_left for phase in derive(config).phases)
    return "" if fits else "no rate is shifted left"


def _many_phases(config: Config) -> str:
    return "" if len(config.schedule) > 1 else "the schedule must have at least two phases"


RARE_FAULTS: dict[str, Fault] = {
    "noise-truncated": Fault(
        "neuron", "negative noise is rounded toward zero", "kept membrane", _toward_zero,
        draws_noise, shown_in="conformance/negative-noise",
    ),
    "table-short": Fault(
        "table", "the last bin of the table is not reached", "error", _short_table,
        shown_in="conformance/last-bin",
    ),
    "hold-missing": Fault(
        "neuron", "the membrane with its noise wraps around", "kept membrane", _not_held,
        _keeps_noise, "conformance/hold",
    ),
    "empty-slot-draws": Fault(
        "forward", "a slot without a neuron takes no noise draw", "noise draw",
        _skip_empty(forward, lambda config: 1), _empty_draws, "conformance/empty-slots",
    ),
    "empty-slot-update": Fault(
        "update_pass", "a slot without a neuron takes no update draws", "update LFSR",
        _skip_empty(update_pass, lambda config: config.layer.inputs), _empty_updates,
        "conformance/empty-slots",
    ),
    "rate-left": Fault(
        "update", "the left shift of the rate is left out", "weight", _no_left_shift,
        _shifts_left, "conformance/rate-left",
    ),
    "trace-stale": Fault(
        "layer", "carrying and clearing of the traces are exchanged", "synaptic trace",
        _other("trace"), shown_in="conformance/carried-trace",
    ),
    "lfsr-stale": Fault(
        "layer", "carrying and clearing of the LFSRs are exchanged", "noise draw",
        _other("lfsr"), draws_noise, "conformance/cleared-lfsr",
    ),
    "phase-stuck": Fault(
        "layer", "all phases have the constants of the first", "spike", _one_phase,
        _many_phases, "conformance/phases",
    ),
}  # fmt: skip
"""The faults by name."""
