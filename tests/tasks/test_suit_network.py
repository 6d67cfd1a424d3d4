"""Networks scaled to training spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.network_remarks import network_remarks
from bitlif.model.config.network_tree import flat_network
from bitlif.model.errors import BitlifError, BitlifTypeError
from bitlif.model.events import Events
from bitlif.model.layer import Layer
from bitlif.model.network import Network
from bitlif.tasks import suit_network as module
from bitlif.tasks.learner import target_levels
from bitlif.tasks.suit_config import EFFECT, GAIN_BITS, drive_of
from bitlif.tasks.suit_network import hidden_effect, hidden_sizes, suit_network

RANDOM = np.random.default_rng(3)


def spikes(rate: float, inputs: int, windows: int = 12, steps: int = 40) -> Events:
    return Events.from_raster(RANDOM.random((windows, steps, inputs)) < rate)


def test_sizes_are_one_number_or_several() -> None:
    assert hidden_sizes(None) == hidden_sizes(()) == ()
    assert hidden_sizes(3) == hidden_sizes(np.int64(3)) == hidden_sizes(np.array([3])) == (3,)
    assert hidden_sizes((8, 4)) == hidden_sizes([8, 4]) == (8, 4)


@pytest.mark.parametrize("hidden", [0, -1, (3, 0), 2.5, True, "12", (3, "4"), 1 << 17])
def test_wrong_sizes_are_refused(hidden: Any) -> None:
    with pytest.raises(BitlifError, match=r"^hidden must be the size of a hidden layer"):
        hidden_sizes(hidden)


def test_too_many_layers_are_refused() -> None:
    assert len(hidden_sizes([2] * 15)) == 15
    with pytest.raises(BitlifError, match="at most 15 layers, not of 16"):
        hidden_sizes([2] * 16)


@pytest.mark.parametrize(
    ("rate", "inputs", "hidden"), [(0.004, 5, (7,)), (0.02, 300, (20, 9)), (0.9, 4, (3,))]
)
def test_layers_are_scaled_to_their_inputs(rate: float, inputs: int, hidden: Any) -> None:
    events = spikes(rate, inputs)
    network, choices = suit_network(events, 3, hidden=hidden, epochs=4, name="own")
    sizes = [own.config.layer.neurons for own in network.layers]
    assert (network.name, network.layers[0].config.layer.inputs) == ("own", inputs)
    assert sizes == [*hidden, 3]
    assert network_remarks(network.layers) == ()
    for number, own in enumerate(network.layers):
        config, sweep = own.config, own.sweep
        effect = hidden_effect(config.layer.inputs, 40)
        if number == 0:
            effect = drive_of(events, config.synapse.decay, config.membrane.decay).effect
        # Half a step of the gain's least mantissa.
        assert effect * config.membrane.gain == pytest.approx(EFFECT, rel=2.0**-GAIN_BITS)
        assert config.synapse.weight.bits <= 12
        assert max(sweep.membrane.bits, sweep.current.bits, sweep.credit.bits) <= 10
    # What was chosen is what the network holds.
    flat = flat_network(network.to_dict())
    for choice in choices:
        if choice.field == "schedule":
            assert choice.value == len(network.layers[0].config.schedule)
            continue
        place = choice.field.replace("schedule[0]", "schedule.0")
        assert str(flat[place]) == str(choice.value), choice.field
        assert choice.reason


def test_hidden_effect_is_that_of_spikes_at_the_expected_rate() -> None:
    config = suit_network(spikes(0.2, 9), 2, hidden=50)[0].layers[1].config
    regular = np.zeros((1, 64, 50), bool)
    regular[0] = (np.arange(64)[:, None] * 3 + RANDOM.integers(0, 16, 50)) % 16 < 3
    events = Events.from_raster(regular)
    drive = drive_of(events, config.synapse.decay, config.membrane.decay)
    assert drive.effect == pytest.approx(hidden_effect(50, 64), rel=0.1)


def test_hidden_neurons_spike_before_learning() -> None:
    for rate, inputs in ((0.02, 40), (0.4, 7)):
        events = spikes(rate, inputs, steps=64)
        network, _ = suit_network(events, 3, hidden=(40, 30))
        model = Network(network)
        model.load(network.initial_weights())
        for own in model.run(events).layers[:-1]:
            assert 0.05 < own.raster.mean() < 0.35
            assert (own.raster.sum(axis=(0, 1)) > 0).mean() > 0.7


def test_currents_of_inputs_that_spike_once_last_for_a_window() -> None:
    time = RANDOM.integers(0, 40, (12, 1, 9))
    once = Events.from_raster(np.arange(40)[:, None] == time)
    network, choices = suit_network(once, 2, hidden=5)
    decays = [own.config.synapse.decay for own in network.layers]
    assert (decays[0].tau, decays[0].bits, decays[1].shift) == (40.0, 9, 2)
    assert "layer.0.synapse.decay.tau" in {choice.field for choice in choices}
    # Of a window of two steps it would be shorter than usual.
    short = Events.from_raster(np.arange(2)[:, None] == RANDOM.integers(0, 2, (12, 1, 9)))
    assert suit_network(short, 2, hidden=5)[0].layers[0].config.synapse.decay.shift == 2


def test_rates_are_halved_at_parts_of_the_training() -> None:
    events = spikes(0.3, 3, windows=10)
    for epochs, lengths in ((20, [100, 40, 30, 20, 0]), (1, [5, 2, 1, 2, 0])):
        network, _ = suit_network(events, 2, hidden=4, epochs=epochs)
        for own, first in zip(network.layers, module.RATES, strict=True):
            schedule = own.config.schedule
            assert [phase.windows for phase in schedule] == lengths
            assert [phase.rate for phase in schedule] == [first / 2**n for n in range(5)]
    # So few windows that some phases have none.
    network, _ = suit_network(events.select([0]), 2, hidden=4, epochs=1)
    assert [phase.windows for phase in network.layers[0].config.schedule] == [1, 0]


def test_a_network_can_be_saved_and_seeded(tmp_path: Any) -> None:
    events = spikes(0.3, 11)
    network, _ = suit_network(events, 2, hidden=(4, 3), name="mine")
    network.save(tmp_path / "mine.toml")
    assert NetworkConfig.load(tmp_path / "mine.toml") == network
    # Neither the order of the windows nor the name matters to what is seeded anyway.
    other, _ = suit_network(events.select(RANDOM.permutation(12)), 2, hidden=[4, 3], name="yours")
    for left, right in zip(network.seeded(5).layers, other.seeded(5).layers, strict=True):
        assert left.config.replace(name="x") == right.config.replace(name="x")
        assert (left.sweep, left.initial) == (right.sweep, right.initial)


def test_a_network_learns_what_one_layer_cannot() -> None:
    # Exclusive or: the class is 1 if exactly one half of the inputs spikes often.
    halves = RANDOM.integers(0, 2, (300, 2))
    labels = halves[:, 0] ^ halves[:, 1]
    often = np.repeat(halves, 4, axis=1)[:, None, :] == 1
    draws = RANDOM.random((300, 32, 9))
    raster = draws < np.concatenate([np.where(often, 0.4, 0.05), np.full((300, 1, 1), 0.25)], 2)
    events = Events.from_raster(raster)
    network, _ = suit_network(events.select(range(200)), 2, hidden=16, epochs=6)
    model = Network(network)
    model.load(network.initial_weights())
    targets = target_levels(network.outer, np.eye(2)[labels] * 0.5)
    for _ in range(6):
        model.learn(events.select(range(200)), targets[:200])
    tested = model.run(events.select(range(200, 300))).output.counts.argmax(axis=1)
    assert (tested == labels[200:]).mean() > 0.93
    # The same on one layer, for comparison.
    layer = Layer(network.outer)
    for _ in range(6):
        layer.learn(events.select(range(200)), targets[:200])
    tested = layer.run(events.select(range(200, 300))).counts.argmax(axis=1)
    assert (tested == labels[200:]).mean() < 0.75


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(BitlifError, match="must have spikes"):
        suit_network(Events.from_raster(np.zeros((3, 4, 5), bool)), 2, hidden=3)
    with pytest.raises(BitlifTypeError, match="events must be Events"):
        suit_network(np.zeros((3, 4)), 2, hidden=3)  # type: ignore[arg-type]
    with pytest.raises(BitlifError, match="classes"):
        suit_network(spikes(0.5, 3), 0, hidden=3)
    with pytest.raises(BitlifError, match="epochs"):
        suit_network(spikes(0.5, 3), 2, hidden=3, epochs=0)
    with pytest.raises(BitlifError, match="at least one layer"):
        suit_network(spikes(0.5, 3), 2, hidden=())


@pytest.mark.parametrize(
    ("steps", "inputs", "rate", "hidden"),
    [
        (1, 4, 0.5, 2),
        (3, 4, 0.05, 4),
        (3, 1, 0.3, (8, 4)),
        (1, 500, 0.002, 300),
        (4, 13, 0.3, (1,) * 15),
    ],
)
def test_rates_are_lowered_to_what_the_formats_hold(
    steps: int, inputs: int, rate: float, hidden: Any
) -> None:
    events = spikes(rate, inputs, steps=steps, windows=40)
    network, choices = suit_network(events, 2, hidden=hidden, epochs=1)
    reasons = {choice.field: choice.reason for choice in choices}
    lowered = 0
    for number, own in enumerate(network.layers):
        usual = module.RATES[not network.is_hidden(number)]
        schedule = own.config.schedule
        first = schedule[0].rate
        assert [phase.rate for phase in schedule] == [first / 2**n for n in range(len(schedule))]
        reason = reasons[f"layer.{number}.schedule[0].rate"]
        assert (first < usual) == reason.startswith("the largest that fits")
        assert f"{usual:g} is usual" in reason or first == usual
        if first < usual:
            lowered += 1
            name = f"layer__{number}__schedule"
            with pytest.raises(BitlifError, match=r"rate must be at most"):
                network.replace(**{name: [{"sigma": 0.2, "rate": first * 1.01}]})
    assert lowered
