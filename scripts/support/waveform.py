"""One learning step of the core, clock cycle by clock cycle, as rows of a waveform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config

SIGNALS = {
    "events valid": "i_events__valid",
    "events ready": "i_events__ready",
    "event": "i_events__payload",
    "targets valid": "i_targets__valid",
    "targets ready": "i_targets__ready",
    "targets": "i_targets__payload",
    "turn": "turn_state",
    "entered": "forward.drawn",
    "spiked": "forward.slot_valid",
    "spikes": "forward.spikes",
    "pushed": "learner.push",
    "errors": "forward.errors",
    "active": "learner.active",
    "traced": "learner.trace_written",
    "summed": "learner.sum_valid_{flag}",
    "sum": "learner.sum_written_{place}",
    "gradient done": "learner.gradient_done",
    "out valid": "o_events__valid",
    "out ready": "o_events__ready",
    "out": "o_events__payload",
    "step done": "step_done",
}
"""Signals of the picture, and their paths in the Verilog."""

TURNS = (
    "clear", "events", "neurons", "gradient", "spikes", "close", "update", "schedule", "settle",
)  # fmt: skip
"""States of the core as Amaranth numbers them, in the order of first use."""

TINTS = {"events": "#CDE4F2", "neurons": "#FBE3B5", "gradient": "#C9E8DD", "spikes": "#F3D3E3"}
"""Pale variants of Okabe and Ito's colours; each state is also labelled."""

MOVED, STRONG = "#A9D3EE", "#F7CFB4"
"""Backgrounds of clock cycles that transfer a value, and of spikes and errors that are stored."""


def signal_paths() -> dict[str, str]:
    """Return the path of each signal; paths in the gradient pass contain its latency."""
    from bitlif.hdl.gradient import GradientPipe

    place = GradientPipe.latency
    return {name: path.format(flag=1 + place, place=place) for name, path in SIGNALS.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """Signals of one step.

    Attributes
    ----------
    config : Config
    step : int
        Of the run.
    samples : dict of str to (clocks,) int64
        By the paths of `signal_paths`.
    """

    config: Config
    step: int
    samples: dict[str, NDArray[np.int64]]

    def __getitem__(self, name: str) -> list[int]:
        """Return a signal of `SIGNALS` as Python integers."""
        values: list[int] = self.samples[signal_paths()[name]].tolist()
        return values

    @property
    def clocks(self) -> int:
        """Number of clock cycles of the step."""
        return len(self["turn"])

    def lanes(self, value: int, bits: int, *, signed: bool) -> str:
        """Return the values of the first two lanes, one above the other."""
        raws = [value >> (lane * bits) & ((1 << bits) - 1) for lane in range(2)]
        sign = 1 << (bits - 1)
        numbers = [(raw ^ sign) - sign if signed else raw for raw in raws]
        return "\n".join(f"{n}".replace("-", "−") for n in numbers[: self.config.layer.lanes])


@dataclass(frozen=True, slots=True)
class Beat:
    """A value that a bus has for some clock cycles.

    Attributes
    ----------
    start, stop : int
    text : str
    fill : str
    moves : bool
        Whether it is transferred in its last clock cycle.
    """

    start: int
    stop: int
    text: str
    fill: str = "white"
    moves: bool = False


def runs(keys: Sequence[Any]) -> list[tuple[int, int]]:
    """Return the start and end of each run of equal values; None is not a value."""
    found: list[tuple[int, int]] = []
    for clock, key in enumerate(keys):
        if key is None:
            continue
        if found and found[-1][1] == clock and keys[clock - 1] == key:
            found[-1] = (found[-1][0], clock + 1)
        else:
            found.append((clock, clock + 1))
    return found


def stream_beats(valid: list[int], ready: list[int], texts: list[str]) -> list[Beat]:
    """Return a stream's values, each of which lasts until it is accepted."""
    taken, keys = 0, []
    for clock, offered in enumerate(valid):
        keys.append(taken if offered else None)
        taken += offered and ready[clock]
    return [
        Beat(start, stop, texts[start], moves=bool(ready[stop - 1])) for start, stop in runs(keys)
    ]


def beats(wave: Wave) -> dict[str, list[Beat]]:
    """Return the values of all buses by row."""
    sizes, config = wave.config.layer, wave.config

    def events(payloads: list[int], units: int) -> list[str]:
        last = 1 << (units - 1).bit_length()
        return ["last" if payload & last else str(payload) for payload in payloads]

    def pulses(flags: list[int], texts: Sequence[str], fills: Sequence[str]) -> list[Beat]:
        return [
            Beat(clock, clock + 1, texts[clock], fills[clock])
            for clock, flag in enumerate(flags)
            if flag
        ]

    def counted(flags: list[int], modulo: int) -> list[str]:
        return [str((sum(flags[:clock])) % modulo) for clock in range(len(flags))]

    target_bits, error_bits = config.error.target_bits + 1, config.error.format.bits
    targets = [wave.lanes(value, target_bits, signed=False) for value in wave["targets"]]
    errors = [wave.lanes(value, error_bits, signed=True) for value in wave["errors"]]
    slots = [int(slot) for slot in counted(wave["spiked"], sizes.slots)]
    spikes = []
    for slot, value in zip(slots, wave["spikes"], strict=True):
        fired = [lane for lane in range(sizes.lanes) if value >> lane & 1]
        words = [str(slot * sizes.lanes + lane) for lane in fired[:2]] or ["–"]
        spikes.append("\n".join([words[0], f"+{len(fired) - 1}"] if len(fired) > 2 else words))
    white, clocks = ["white"] * wave.clocks, wave.clocks
    loud = [STRONG if value else "white" for value in wave["spikes"]]
    kept = [STRONG if value else "white" for value in wave["active"]]
    turns = wave["turn"]
    return {
        "i_events.address": stream_beats(
            wave["events valid"], wave["events ready"], events(wave["event"], sizes.inputs)
        ),
        "i_targets": stream_beats(wave["targets valid"], wave["targets ready"], targets),
        "turn": [
            Beat(start, stop, TURNS[turns[start]], TINTS.get(TURNS[turns[start]], "white"))
            for start, stop in runs(turns)
        ],
        "slot to neurons": pulses(wave["entered"], counted(wave["entered"], sizes.slots), white),
        "neurons that spike": pulses(wave["spiked"], spikes, loud),
        "errors": pulses(wave["pushed"], errors, kept),
        "trace written": pulses(wave["traced"], counted(wave["traced"], sizes.inputs), white),
        "gradient row written": pulses(
            wave["summed"], [str(wave["sum"][clock]) for clock in range(clocks)], white
        ),
        "o_events.address": stream_beats(
            wave["out valid"], wave["out ready"], events(wave["out"], sizes.neurons)
        ),
    }


def excerpts(wave: Wave) -> list[tuple[int, int]]:
    """Return the clock cycles that are shown: the start and end of every event."""
    turns = [TURNS[value] for value in wave["turn"]]
    begin = turns.index("events")
    neurons, pushed = turns.index("neurons"), wave["pushed"]
    last_error = wave.clocks - 1 - pushed[::-1].index(1)
    leaves = next(c for c in range(neurons, wave.clocks) if turns[c] != "neurons")
    sent = wave.clocks - 1 - wave["out valid"][::-1].index(1)
    sums = wave["summed"].index(1) if any(wave["summed"]) else leaves
    wanted = [
        (begin, begin + 7),
        (neurons - 5, last_error + 2),
        (leaves - 3, max(sums + 3, min(sent + 2, leaves + 12))),
        (wave.clocks - 3, wave.clocks),
    ]
    found: list[tuple[int, int]] = []
    for start, stop in wanted:
        start, stop = max(start, 0), min(stop, wave.clocks)
        # Do not cut out only one or two clock cycles.
        if found and start - found[-1][1] <= 2:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found
