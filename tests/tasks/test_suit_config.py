"""Configurations scaled to training spikes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.remarks import remarks
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.layer import Layer
from bitlif.tasks.suit_config import EFFECT, Choice, drive_of, leak_ratio, suit_config

BASE = Config.load("digits")
RANDOM = np.random.default_rng(3)


def spikes(rate: float, inputs: int, windows: int = 12, steps: int = 40) -> Events:
    return Events.from_raster(RANDOM.random((windows, steps, inputs)) < rate)


def test_drive_is_that_of_the_traces_of_a_layer() -> None:
    events = spikes(0.2, 9)
    drive = drive_of(events, BASE.synapse.decay, BASE.membrane.decay)
    fine = BASE.replace(
        layer__inputs=9, layer__neurons=1, layer__lanes=1, window__steps=40,
        membrane__gain=1.0, trace__current="u16.12", trace__format="u16.11",
    )  # fmt: skip
    targets = np.zeros((12, 1), np.uint16)
    traces = Layer(fine).run(events, targets, record=("traces",)).traces / (1 << 11)
    assert drive.spikes == events.count / (12 * 40)
    assert drive.effect == pytest.approx(np.sqrt((traces**2).sum(axis=2).mean()), rel=0.01)
    assert drive.peak == pytest.approx(traces.max(), rel=0.01)
    assert 1 <= drive.current < drive.peak
    assert leak_ratio(BASE.membrane.decay) == 199 / 256


@pytest.mark.parametrize(
    ("rate", "inputs"), [(0.004, 5), (0.02, 300), (0.2, 27), (0.9, 4), (0.5, 100)]
)
def test_inputs_of_any_number_and_rate_have_the_same_effect(rate: float, inputs: int) -> None:
    events = spikes(rate, inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config, choices = suit_config(events, 3, epochs=4, name="own")
    assert (config.name, config.layer.inputs, config.layer.neurons) == ("own", inputs, 3)
    assert remarks(config) == ()
    drive = drive_of(events, config.synapse.decay, config.membrane.decay)
    assert drive.effect * config.membrane.gain == pytest.approx(EFFECT, rel=0.04)
    # The traces fit their format, and use at least a quarter of it.
    most = float(config.trace.current.real(config.trace.current.raw_max))
    assert drive.current <= most
    most = float(config.trace.format.real(config.trace.format.raw_max))
    peak = drive.peak * config.membrane.gain
    assert most / 4 < peak <= most or config.trace.format.frac == 8
    # What was chosen is what the configuration holds.
    flat = config.flat()
    for choice in choices:
        if choice.field == "schedule":
            assert choice.value == len(config.schedule)
        else:
            assert str(flat[choice.field]) == str(choice.value)
        assert choice.reason


def test_currents_of_inputs_that_spike_once_last_for_a_window() -> None:
    time = RANDOM.integers(0, 40, (12, 1, 9))
    once = Events.from_raster(np.arange(40)[:, None] == time)
    config, choices = suit_config(once, 2)
    assert (config.synapse.decay.tau, config.synapse.decay.bits) == (40.0, 9)
    assert "synapse.decay.tau" in {choice.field for choice in choices}
    assert config.trace.current.bits == 16
    assert suit_config(spikes(0.2, 9), 2)[0].synapse.decay == BASE.synapse.decay
    # Of a window of two steps it would be shorter than usual.
    short = Events.from_raster(np.arange(2)[:, None] == RANDOM.integers(0, 2, (12, 1, 9)))
    assert suit_config(short, 2)[0].synapse.decay == BASE.synapse.decay


def test_all_that_differs_from_the_base_is_listed() -> None:
    config, choices = suit_config(spikes(0.1, 7), 2, epochs=20)
    named = {choice.field for choice in choices} | {"name"}
    mine, base = config.flat(), BASE.flat()
    assert {key for key in mine if mine[key] != base.get(key) and "schedule" not in key} <= named


def test_windows_in_another_order_give_the_same_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = spikes(0.3, 11)
    config, _ = suit_config(events, 2)
    monkeypatch.setattr("bitlif.tasks.suit_config.BLOCK", 1)
    assert suit_config(events.select(RANDOM.permutation(12)), 2)[0] == config


def test_schedule_spans_all_epochs() -> None:
    events = spikes(0.3, 3, windows=10)
    for epochs, lengths in ((1, [0]), (3, [10, 10, 0]), (50, [20, 30] * 9 + [20, 0])):
        config, _ = suit_config(events, 2, epochs=epochs)
        assert [phase.windows for phase in config.schedule] == lengths
        rates = [phase.rate for phase in config.schedule]
        assert rates == sorted(rates, reverse=True)
        assert rates[0] == 0.125
        if epochs > 1:
            assert rates[-1] == 0.007812


def test_windows_without_spikes_are_refused() -> None:
    with pytest.raises(BitlifError, match="must have spikes"):
        suit_config(Events.from_raster(np.zeros((3, 4, 5), bool)), 2)
    with pytest.raises(BitlifError, match="events must be Events"):
        suit_config(np.zeros((3, 4)), 2)  # type: ignore[arg-type]
    with pytest.raises(BitlifError, match="classes"):
        suit_config(spikes(0.5, 3), 0)
    assert Choice("a.b", 1, "why").reason == "why"
