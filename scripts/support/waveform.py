"""One learning step of the core, clock cycle by clock cycle, as rows of a waveform.

Steps overlap: values of the steps before and after are shown, too, in a pale colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    "started": "turns.start",
    "entered": "forward.drawn",
    "spiked": "forward.slot_valid",
    "spikes": "forward.spikes",
    "pushed": "learner.push",
    "errors": "forward.errors",
    "active": "learner.active",
    "taught": "learner.started",
    "learned": "learner.done",
    "traced": "learner.trace_written",
    "summed": "learner.sums.write",
    "sum": "learner.sums.write_address",
    "out valid": "o_events__valid",
    "out ready": "o_events__ready",
    "out": "o_events__payload",
    "step done": "step_done",
}
"""Signals of the picture, and their paths in the Verilog."""

PASSES = {"gather": "#CDE4F2", "neurons": "#FBE3B5", "learn": "#C9E8DD", "send": "#F3D3E3"}
"""The passes of a step, with pale variants of Okabe and Ito's colours; each is also labelled."""

MOVED, STRONG, OTHER = "#A9D3EE", "#F7CFB4", "#E9E9E9"
"""Backgrounds of clock cycles that transfer a value, of spikes and errors that are stored, and of
values of other steps."""


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """Signals of one step, from the end of the events of the step before to its own end.

    Attributes
    ----------
    config : Config
    step : int
        Of the first window.
    samples : dict of str to (clocks,) int64
        By the paths of `SIGNALS`, from the first event to the end of the step.
    """

    config: Config
    step: int
    samples: dict[str, NDArray[np.int64]]

    def whole(self, name: str) -> list[int]:
        """Return a signal of `SIGNALS` from the first event on, as Python integers."""
        values: list[int] = self.samples[SIGNALS[name]].tolist()
        return values

    def __getitem__(self, name: str) -> list[int]:
        """Return a signal of `SIGNALS` in the clock cycles that are shown."""
        return self.whole(name)[self.begin :]

    @property
    def begin(self) -> int:
        """The first clock cycle that is shown, counted from the first event."""
        last = 1 << (self.config.layer.inputs - 1).bit_length()
        ends = [
            clock
            for clock, (valid, ready, event) in enumerate(
                zip(*map(self.whole, ("events valid", "events ready", "event")), strict=True)
            )
            if valid and ready and event & last
        ]
        return ends[self.step - 1] + 1 if self.step else 0

    @property
    def clocks(self) -> int:
        """Number of clock cycles that are shown."""
        return len(self.whole("step done")) - self.begin

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
    own : bool
        Whether it belongs to the step that is shown.
    """

    start: int
    stop: int
    text: str
    fill: str = "white"
    moves: bool = False
    own: bool = True


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
    """Return the values of all buses by row, in the clock cycles that are shown."""
    found = {**_stream_rows(wave), **_pass_rows(wave), **_value_rows(wave)}
    begin, end = wave.begin, wave.begin + wave.clocks
    return {
        name: [
            replace(beat, start=max(0, beat.start - begin), stop=min(beat.stop, end) - begin)
            for beat in row
            if beat.stop > begin
        ]
        for name, row in found.items()
    }


def _events(payloads: list[int], units: int) -> list[str]:
    last = 1 << (units - 1).bit_length()
    return ["last" if payload & last else str(payload) for payload in payloads]


def _stream_rows(wave: Wave) -> dict[str, list[Beat]]:
    sizes, bits = wave.config.layer, wave.config.error.target_bits + 1
    targets = [wave.lanes(value, bits, signed=False) for value in wave.whole("targets")]
    texts = {
        "i_events.address": ("events", _events(wave.whole("event"), sizes.inputs)),
        "i_targets": ("targets", targets),
        "o_events.address": ("out", _events(wave.whole("out"), sizes.neurons)),
    }
    found = {}
    for row, (name, own) in texts.items():
        all_beats = stream_beats(wave.whole(f"{name} valid"), wave.whole(f"{name} ready"), own)
        found[row], step = list[Beat](), 0
        for place, beat in enumerate(all_beats, 1):
            here = step == wave.step
            found[row].append(replace(beat, fill="white" if here else OTHER, own=here))
            # A step has a transfer of targets per slot; its events end with the last one.
            if beat.text == "last" or (name == "targets" and place % sizes.slots == 0):
                step += 1
    return found


def _pass_rows(wave: Wave) -> dict[str, list[Beat]]:
    """Return the step that each pass works on; a pass ends in the clock cycle of its last value."""
    sizes = wave.config.layer
    last = 1 << (sizes.neurons - 1).bit_length()
    spiked, slots = 0, list[int]()
    for flag in wave.whole("spiked"):
        slots.append(int(flag and spiked % sizes.slots == sizes.slots - 1))
        spiked += flag
    out = zip(*map(wave.whole, ("out valid", "out ready", "out")), strict=True)
    sent = [int(valid and ready and event & last != 0) for valid, ready, event in out]
    starts = wave.whole("started")
    return {
        name: _intervals(begins, ends, wave.step, PASSES[name])
        for name, begins, ends in (
            ("gather", [1, *starts[:-1]], starts),
            ("neurons", starts, slots),
            ("learn", wave.whole("taught"), wave.whole("learned")),
            ("send", slots, sent),
        )
    }


def _intervals(begins: list[int], ends: list[int], step: int, tint: str) -> list[Beat]:
    """Return the steps from their begins, pulses, to their ends; one after the other."""
    clocks = len(ends)
    first = [clock for clock, flag in enumerate(begins) if flag]
    final = [clock for clock, flag in enumerate(ends) if flag]
    found, free = [], 0
    for number, begin in enumerate(first):
        end = final[number] + 1 if number < len(final) else clocks
        start = max(begin, free)
        if start < end:
            own = number == step
            found.append(Beat(start, end, str(number), tint if own else OTHER, own=own))
        free = end
    return found


def _value_rows(wave: Wave) -> dict[str, list[Beat]]:
    """Return the values within the passes; those of other steps are pale."""
    sizes, bits = wave.config.layer, wave.config.error.format.bits

    def pulses(
        name: str, count: int, values: Sequence[str] = (), loud: Sequence[int] = ()
    ) -> list[Beat]:
        """Return the values of a pass that has `count` in each step."""
        found: list[Beat] = []
        for clock, flag in enumerate(wave.whole(name)):
            if flag:
                step, place = divmod(len(found), count)
                own = step == wave.step
                strong = STRONG if loud and loud[clock] else "white"
                text = values[clock] if values else str(place)
                found.append(Beat(clock, clock + 1, text, strong if own else OTHER, own=own))
        return found

    spikes, seen = [], 0
    for flag, value in zip(wave.whole("spiked"), wave.whole("spikes"), strict=True):
        slot, seen = seen % sizes.slots, seen + flag
        fired = [lane for lane in range(sizes.lanes) if value >> lane & 1]
        words = [str(slot * sizes.lanes + lane) for lane in fired[:2]] or ["–"]
        spikes.append("\n".join([words[0], f"+{len(fired) - 1}"] if len(fired) > 2 else words))
    errors = [wave.lanes(value, bits, signed=True) for value in wave.whole("errors")]
    own = next(beat for beat in _pass_rows(wave)["learn"] if beat.own)
    return {
        "slot to neurons": pulses("entered", sizes.slots),
        "neurons that spike": pulses("spiked", sizes.slots, spikes, wave.whole("spikes")),
        "errors": pulses("pushed", sizes.slots, errors, wave.whole("active")),
        "trace written": pulses("traced", sizes.inputs),
        "gradient row written": [
            Beat(clock, clock + 1, str(place), "white" if here else OTHER, own=here)
            for clock, (flag, place) in enumerate(
                zip(wave.whole("summed"), wave.whole("sum"), strict=True)
            )
            if flag
            for here in [own.start <= clock < own.stop]
        ],
    }


def excerpts(wave: Wave) -> list[tuple[int, int]]:
    """Return the clock cycles that are shown: the start and end of every pass."""
    rows = beats(wave)
    neurons, learn, send = (
        next(beat for beat in rows[name] if beat.own) for name in ("neurons", "learn", "send")
    )
    errors = [beat for beat in rows["errors"] if beat.own]
    summed = [beat for beat in rows["gradient row written"] if beat.own]
    wanted = [
        (0, 7),
        (neurons.start - 4, errors[-1].stop + 2),
        (learn.start - 1, learn.start + 3),
        (send.stop - 3, send.stop + 1),
        *([(summed[0].start - 2, summed[0].start + 3)] if summed else []),
        (wave.clocks - 4, wave.clocks),
    ]
    found: list[tuple[int, int]] = []
    for start, stop in sorted((max(start, 0), min(stop, wave.clocks)) for start, stop in wanted):
        # Do not cut out only one or two clock cycles.
        if found and start - found[-1][1] <= 2:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found
