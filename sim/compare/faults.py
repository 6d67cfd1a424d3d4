"""Faults that can be injected into the gates, to see that the comparison finds and locates them.

Each fault is one wrong bit, constant or wire in one unit. It is patched in while a core's Verilog
is generated; the modules of the units contain no trace of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal

from bitlif.hdl import (
    forward,
    layer,
    learning,
    neuron,
    observers,
    signature,
    table,
    trace,
    update,
    update_pass,
)
from bitlif.hdl.export.verilog import core_verilog
from bitlif.hdl.lfsr import lane_words
from bitlif.hdl.loadable import phase_rows
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.lfsr import Lfsr
from bitlif.model.signature import POLYNOMIAL

from .pass_faults import PASS_FAULTS
from .patches import (
    Fault,
    Patch,
    WrongConstants,
    change_constants,
    patched,
    require_fault,
    rewire,
)
from .rare_faults import RARE_FAULTS, draws_noise


def faulty_verilog(name: str, config: Config) -> str:
    """Return the Verilog of a learning core with a fault.

    Parameters
    ----------
    name : str
        A key of `FAULTS`.
    config : Config

    Raises
    ------
    BitlifError
        If the fault is unknown, or has no effect in this configuration.
    """
    fault = require_fault(name, FAULTS, "faults", config)
    with contextlib.ExitStack() as stack:
        for owner, attribute, value in fault.patches(config):
            stack.enter_context(patched(owner, attribute, value))
        return core_verilog(config)


# -- the patches -----------------------------------------------------------------------------


def _swap_taps(config: Config) -> list[Patch]:
    def swapped(m: Any, name: str, sources: Any, *rest: Any) -> Any:
        # The mirror image of a primitive polynomial is primitive too: the period stays the same.
        mirrored = [
            Lfsr((s.width, *sorted((s.width - tap for tap in s.taps[1:]), reverse=True)), s.state)
            for s in sources
        ]
        return lane_words(m, name, mirrored, *rest)

    return [(forward, "lane_words", swapped)]


def _leap_short(config: Config) -> list[Patch]:
    def short(m: Any, name: str, sources: Any, leap: int, *rest: Any) -> Any:
        return lane_words(m, name, sources, leap - 1, *rest)

    return [(forward, "lane_words", short)]


def _share_draws(config: Config) -> list[Patch]:
    def shared(*args: Any) -> Any:
        words, states = lane_words(*args)
        return [words[0]] * len(words), states

    return [(update_pass, "lane_words", shared)]


def _wrap(owner: Any) -> Callable[[Config], list[Patch]]:
    def wrapped(value: Any, shape: Any) -> Any:
        kept = value[: min(shape.width, len(value))]
        return (kept.as_signed() if shape.signed else kept), Const(0, 1)

    return lambda config: [(owner, "saturate", wrapped)]


def _floor(owner: Any) -> Callable[[Config], list[Patch]]:
    return lambda config: [(owner, "dropped_half", lambda shift: 0)]


def _swap_columns(config: Config) -> list[Patch]:
    wrong = WrongConstants(derive(config), derive(config).constants)
    wrong.table = tuple(reversed(derive(config).table))  # type: ignore[attr-defined]
    return [(table, "derive", lambda asked: wrong)]


def _wrong_rate(config: Config) -> list[Patch]:
    def flipped_rates(core: Config) -> list[dict[str, int]]:
        return [{**row, "rate": row["rate"] ^ 1} for row in phase_rows(core)]

    return [(layer, "phase_rows", flipped_rates)]


def _stale_state(config: Config) -> list[Patch]:
    """Build the core for the other setting of window.state."""
    true = layer.LayerCore.__init__
    other = "carry" if config.window.state == "clear" else "clear"

    def init(self: Any, config: Config, **kwargs: Any) -> None:
        true(self, config.replace(window__state=other), **kwargs)

    return [(layer.LayerCore, "__init__", init)]


def _ignore_row(m: Module, own: Any, true: Any) -> None:
    # The weights arrive two clock cycles after their address.
    soon, ignored = Signal(), Signal()
    m.d.sync += [soon.eq(true.mark_address == own._config.layer.inputs - 1), ignored.eq(soon)]
    with m.If(ignored):
        m.d.comb += true.weight_row.eq(0)


def _stuck_bit(m: Module, own: Any, true: Any) -> None:
    m.d.comb += true.word[0].eq(0)


def _lose_flag(m: Module, own: Any, true: Any) -> None:
    m.d.comb += own.saturated[0].eq(0)


def _first_unseen(m: Module, own: Any, true: Any) -> None:
    m.d.comb += true.flags[0].eq(0)


def _miss_mark(m: Module, own: Any, true: Any) -> None:
    m.d.comb += true.mark.eq(own.mark & (own.mark_address != 0))


def _even_error(m: Module, own: Any, true: Any) -> None:
    m.d.comb += true.error.eq(own.error & ~1)


def _magnitude(m: Module, own: Any, true: Any) -> None:
    lowest = 1 << (len(own.weight) - 1)
    # Its magnitude does not fit, so depression turns into potentiation.
    m.d.comb += true.weight.eq(Mux(own.weight == -lowest, lowest - 1, own.weight))


def _drop_spike(m: Module, own: Any, true: Any) -> None:
    m.d.comb += true.spikes[-1].eq(own.spikes[-1] & ~own.spikes[:-1].any())


def _late_start(m: Module, own: Any, true: Any) -> None:
    late = Signal(8)
    m.d.sync += late.eq(Cat(own.gathered, late))
    with m.If(own.start):
        m.d.sync += late.eq(0)
    m.d.comb += true.gathered.eq(late[-1])


# -- configurations in which they have no effect ----------------------------------------------


def _rounds_nearest(section: str, name: str) -> Callable[[Config], str]:
    def no_effect(config: Config) -> str:
        fits = getattr(derive(config).constants, name).bias > 0
        return "" if fits else f"{section} does not round to nearest"

    return no_effect


def _many_lanes(config: Config) -> str:
    return "" if config.layer.lanes > 1 else "layer.lanes must be at least 2"


def _draws_apart(config: Config) -> str:
    if not config.learning.random_bits:
        return "learning.random_bits must be at least 1"
    if config.learning.lfsr.sharing == "shared":
        return "learning.lfsr.sharing must not be 'shared'"
    return _many_lanes(config)


def _update_rounds(config: Config) -> str:
    rounds = any(phase.rate_bias for phase in derive(config).phases)
    return "" if rounds else "the update does not round to nearest"


FAULTS: dict[str, Fault] = {
    "lfsr-taps": Fault(
        "lfsr", "the taps of the noise LFSR are mirrored", "noise draw", _swap_taps, draws_noise
    ),
    "lfsr-leap": Fault(
        "lfsr", "the noise LFSR leaps one bit short", "noise draw", _leap_short, draws_noise
    ),
    "noise-bit": Fault(
        "noise", "the lowest random bit is stuck at 0", "noise draw",
        rewire(forward, "NoiseDraw", _stuck_bit), draws_noise,
    ),
    "row-ignored": Fault(
        "forward", "the weight row of the last input is ignored", "weight sum",
        rewire(layer, "ForwardEngine", _ignore_row),
    ),
    "current-floor": Fault(
        "neuron", "the synaptic current is rounded down, not to nearest", "synaptic current",
        change_constants(neuron, current=lambda f: f._replace(bias=0)),
        _rounds_nearest("synapse", "current"),
    ),
    "current-wraps": Fault(
        "fixed", "values out of range wrap around instead of saturating", "synaptic current",
        _wrap(neuron),
    ),
    "membrane-leak": Fault(
        "neuron", "the lowest bit of the membrane's leak factor is flipped", "membrane potential",
        change_constants(neuron, membrane=lambda f: f._replace(keep=f.keep ^ 1)),
    ),
    "threshold-greater": Fault(
        "neuron", "the threshold comparison uses > instead of >=", "spike",
        change_constants(neuron, threshold=lambda u: u + 1),
    ),
    "reset-other": Fault(
        "neuron", "teacher reset and free reset are exchanged",
        "kept membrane", change_constants(neuron, teacher_reset=lambda r: 1 - r),
    ),
    "table-columns": Fault("table", "the columns A and B are exchanged", "error", _swap_columns),
    "target-complement": Fault(
        "table", "1 - q is computed by inverting bits: one too small", "error",
        change_constants(table, target_one=lambda one: one - 1),
    ),
    "trace-floor": Fault(
        "trace", "the PSP trace is rounded down, not to nearest", "PSP trace",
        change_constants(trace, trace=lambda f: f._replace(bias=0)),
        _rounds_nearest("trace", "trace"),
    ),
    "mark-missed": Fault(
        "learning", "spikes of input 0 do not reach the traces", "synaptic trace",
        rewire(layer, "LearningEngine", _miss_mark),
    ),
    "error-bit": Fault(
        "gradient", "the error's lowest bit does not reach the product", "gradient",
        rewire(learning, "GradientPipe", _even_error),
    ),
    "update-floor": Fault(
        "update", "the update is rounded down below its random bits", "weight", _floor(update),
        _update_rounds,
    ),
    "update-magnitude": Fault(
        "update", "the most negative weight's magnitude overflows", "weight",
        rewire(update_pass, "UpdatePipe", _magnitude),
    ),
    "draws-shared": Fault(
        "update_pass", "all lanes of an update share one random number", "weight", _share_draws,
        _draws_apart,
    ),
    "schedule-rate": Fault(
        "host_port", "the lowest bit of the rate is flipped in every phase", "weight", _wrong_rate
    ),
    "state-stale": Fault(
        "layer", "carrying and clearing of the state are exchanged",
        "synaptic current", _stale_state,
    ),
    "spike-dropped": Fault(
        "emitter", "the last lane's spike is dropped when another lane spikes", "output event",
        rewire(layer, "SpikeEmitter", _drop_spike), _many_lanes,
    ),
    "flag-lost": Fault(
        "observers", "saturations of the synaptic current are not counted", "counters",
        rewire(forward, "NeuronPipe", _lose_flag),
    ),
    "counter-short": Fault(
        "counter", "counters ignore their first lane", "counters",
        rewire(observers, "SaturatingCounter", _first_unseen),
    ),
    "polynomial": Fault(
        "signature", "a bit of the signature's polynomial is flipped", "signature",
        lambda config: [(signature, "POLYNOMIAL", POLYNOMIAL ^ 2)],
    ),
    "bubble": Fault(
        "turns", "neurons start eight clock cycles late", "clocks of steps",
        rewire(layer, "Turns", _late_start),
    ),
    **PASS_FAULTS,
    **RARE_FAULTS,
}  # fmt: skip
"""All faults by name."""
