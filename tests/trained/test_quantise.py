"""Bits are taken while the accuracy stays, and none is left that could be taken; fine-tuning."""

from __future__ import annotations

import nir
import numpy as np
import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.network import Network
from bitlif.trained import quantise as module
from bitlif.trained.fine_tune import fine_tune
from bitlif.trained.nir_compare import RealRun, correct_windows, ranges_of, run_real
from bitlif.trained.nir_formats import LEAST_BITS, LayerBits, quantised
from bitlif.trained.nir_graph import RealNetwork, read_layers
from bitlif.trained.quantise import quantise

INPUTS, HIDDEN, CLASSES, STEPS, WINDOWS = 12, 8, 3, 32, 60


def neurons(size: int) -> nir.CubaLIF:
    values = {
        "tau_syn": 4e-4, "tau_mem": 8e-4, "r": 8.0, "v_leak": 0.0, "v_threshold": 2.0,
        "v_reset": 0.0, "w_in": 4.0,
    }  # fmt: skip
    return nir.CubaLIF(**{name: np.full(size, own) for name, own in values.items()})


@pytest.fixture(scope="module")
def network() -> RealNetwork:
    random = np.random.default_rng(2)
    nodes = {
        "in": nir.Input(np.array([INPUTS])),
        "first": nir.Linear(random.normal(0.2, 0.5, (HIDDEN, INPUTS))),
        "hidden": neurons(HIDDEN),
        "second": nir.Linear(random.normal(0.1, 0.7, (CLASSES, HIDDEN))),
        "last": neurons(CLASSES),
        "out": nir.Output(np.array([CLASSES])),
    }
    edges = list(zip(list(nodes)[:-1], list(nodes)[1:], strict=True))
    return read_layers(nir.NIRGraph(nodes=nodes, edges=edges, type_check=False))


@pytest.fixture(scope="module")
def events() -> Events:
    random = np.random.default_rng(3)
    rates = random.uniform(0, 0.4, (WINDOWS, 1, INPUTS))
    return Events.from_raster(random.random((WINDOWS, STEPS, INPUTS)) < rates)


@pytest.fixture(scope="module")
def runs(network: RealNetwork, events: Events) -> list[RealRun]:
    return run_real(network, events)


@pytest.fixture(scope="module")
def labels(runs: list[RealRun]) -> np.ndarray:
    """The classes that the network itself tells, but for six windows."""
    own = runs[-1].spikes.sum(1).argmax(1)
    own[:6] = (own[:6] + 1) % CLASSES
    return own


def bits_of(config: object) -> float:
    layers = config.layers  # type: ignore[attr-defined]
    return float(
        sum(
            own.config.synapse.weight.bits * 20
            + own.config.synapse.current.bits
            + own.config.membrane.format.bits
            for own in layers
        )
    )


@pytest.mark.parametrize("loss", [0.0, 5.0])
def test_no_bit_is_left_that_could_be_taken(
    loss: float, network: RealNetwork, runs: list[RealRun], events: Events, labels: np.ndarray
) -> None:
    calls: list[None] = []
    found = quantise(
        network, runs, events, labels, cost=bits_of, loss=loss, progress=lambda: calls.append(None)
    )
    assert found.correct_before == WINDOWS - 6
    assert len(calls) == len(found.trials) == len({own.bits for own in found.trials})
    least = found.correct_before - loss * WINDOWS / 100

    def correct(bits: tuple[LayerBits, ...]) -> int:
        config, weights = quantised(network, steps=STEPS, bits=bits, ranges=ranges_of(runs))
        core = Network(config)
        core.load(weights)
        counts = core.run(events).output.raster.sum(1, dtype=np.int64)
        return int((counts.argmax(1) == labels).sum())

    for own in found.path:
        assert own.correct == correct(own.bits) >= least
    for before, after in zip(found.path, found.path[1:], strict=False):
        taken = np.array(before.bits) - np.array(after.bits)
        assert (taken >= 0).all()
        assert np.count_nonzero(taken) == 1
        assert after.cost < before.cost
    for number, own in enumerate(found.chosen.bits):
        for field, value in own._asdict().items():
            if value > getattr(LEAST_BITS, field):
                fewer = list(found.chosen.bits)
                fewer[number] = own._replace(**{field: value - 1})
                assert correct(tuple(fewer)) < least
    assert found.chosen.cost < found.path[0].cost
    formats = [own.config.synapse.weight.bits for own in found.config.layers]
    assert formats == [own.weight for own in found.chosen.bits]
    core = Network(found.config)
    core.load(found.weights)
    assert correct_windows(core.run(events).output.counts, labels) == found.chosen.correct


def test_more_loss_needs_fewer_bits(
    network: RealNetwork, runs: list[RealRun], events: Events, labels: np.ndarray
) -> None:
    costs = [
        quantise(network, runs, events, labels, cost=bits_of, loss=loss).chosen.cost
        for loss in (0.0, 10.0, 100.0)
    ]
    assert costs[0] > costs[1] > costs[2]
    # With all to lose, every format is the smallest that a configuration accepts.
    assert costs[2] <= 2 * (20 * LEAST_BITS.weight + 12 + 12)


def test_noise_is_never_lost_in_an_lsb(
    network: RealNetwork, runs: list[RealRun], events: Events, labels: np.ndarray
) -> None:
    found = quantise(network, runs, events, labels, cost=bits_of, loss=100.0, sigma=0.1)
    for own in found.config.layers:
        assert own.config.membrane.format.lsb <= 0.1


def test_a_start_that_loses_too_much_is_refused(
    network: RealNetwork, runs: list[RealRun], events: Events, labels: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "START", LayerBits(2, 7, 7))
    with pytest.raises(BitlifError, match=r"^loss must be at least [\d.]+ points, not 0: so much"):
        quantise(network, runs, events, labels, cost=bits_of, loss=0.0)


def test_noise_below_the_finest_lsb_is_refused(
    network: RealNetwork, runs: list[RealRun], events: Events, labels: np.ndarray
) -> None:
    with pytest.raises(BitlifError, match=r"^sigma must be 0 or at least [\d.e-]+, one LSB of the"):
        quantise(network, runs, events, labels, cost=bits_of, sigma=2e-5)


@pytest.mark.parametrize("loss", [-1.0, 101.0, float("nan")])
def test_loss_is_checked(
    loss: float, network: RealNetwork, runs: list[RealRun], events: Events, labels: np.ndarray
) -> None:
    with pytest.raises(BitlifError, match=r"^loss must be"):
        quantise(network, runs, events, labels, cost=bits_of, loss=loss)


def test_fine_tuning_raises_the_accuracy(
    network: RealNetwork, runs: list[RealRun], events: Events, labels: np.ndarray
) -> None:
    config, weights = quantised(
        network, steps=STEPS, weight_bits=4, sigma=0.2, ranges=ranges_of(runs)
    )
    # Other classes than those that the network tells.
    other = (labels + 1) % CLASSES

    def correct(own: list[np.ndarray]) -> int:
        core = Network(config)
        core.load(own)
        return correct_windows(core.run(events).output.counts, other)

    found, again = (
        fine_tune(config, weights, events, other, epochs=20, rate=0.02, seed=0) for _ in range(2)
    )
    assert correct(found) > correct(weights) + WINDOWS // 10
    for one, two in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert all(abs(own).max() <= 8 for own in found)


def test_fine_tuning_needs_noise(network: RealNetwork, events: Events, labels: np.ndarray) -> None:
    config, weights = quantised(network, steps=STEPS)
    with pytest.raises(BitlifError, match=r"^sigma must be at least one LSB of the membrane"):
        fine_tune(config, weights, events, labels, epochs=1)
