"""Networks as modules of PyTorch: containers, optimisers, files, errors."""

from __future__ import annotations

import copy
import io
import runpy
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import bitlif
from bitlif.model.errors import BitlifError, BitlifTypeError

CONFIG = bitlif.NetworkConfig.load("digits-96").replace(layer__0__neurons=12)


def batch(seed: int = 0, size: int = 6) -> tuple[Any, Any]:
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(size) % 2
    rates = torch.where(labels[:, None] == torch.arange(65) % 2, 0.4, 0.05)
    return (torch.rand(64, size, 65, generator=random) < rates).float(), labels


@pytest.mark.parametrize("kind", [bitlif.torch.Network, bitlif.torch.FloatNetwork])
@pytest.mark.parametrize("loss", [bitlif.torch.SpikeCountLoss(), bitlif.torch.FirstSpikeLoss()])
def test_it_learns_in_a_sequential_with_a_loader(kind: Any, loss: Any) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(kind(CONFIG), bitlif.torch.Spikes())
    given, labels = batch(size=32)
    loader = DataLoader(TensorDataset(given.swapaxes(0, 1), labels), batch_size=16, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 6)
    values = []
    for _ in range(8):
        for windows, own in loader:
            value = loss(model(windows.swapaxes(0, 1)), own)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            values.append(value.item())
        scheduler.step()
    assert np.mean(values[-2:]) < 0.7 * np.mean(values[:2])
    model.eval()
    guess = model(given).sum(0)[:, :2].argmax(1)
    assert (guess == labels).double().mean() > 0.9


@pytest.mark.parametrize("kind", [bitlif.torch.Network, bitlif.torch.FloatNetwork])
def test_likelihood_of_a_train_rises(kind: Any) -> None:
    torch.manual_seed(0)
    config = bitlif.Config.load("digits").replace(membrane__reset="teacher")
    network = kind(config)
    loss = bitlif.torch.LikelihoodLoss(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    given, labels = batch()
    goals = torch.nn.functional.one_hot(labels, 10) * 0.3
    values = []
    for _ in range(20):
        _, state = network(given, targets=goals)
        value = loss(state, goals)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < values[0]


def test_first_spike_times_have_the_gradient_of_the_product() -> None:
    spikes = torch.tensor([[[0.0]], [[0.0]], [[1.0]], [[1.0]]], requires_grad=True)
    times = bitlif.torch.first_spike_times(spikes)
    assert times.item() == 2.0
    times.sum().backward()
    # A spike in step 0 would end the wait two steps earlier; without that of step 2 it would be
    # one step longer, and a later one changes nothing.
    np.testing.assert_array_equal(spikes.grad.ravel(), [-2.0, -1.0, -1.0, 0.0])


def test_state_dict_and_files_keep_weights_and_noise() -> None:
    network = bitlif.torch.Network(CONFIG)
    given, _ = batch()
    network(given)
    stored = io.BytesIO()
    torch.save(network, stored)
    stored.seek(0)
    loaded = torch.load(stored, weights_only=False)
    copied = copy.deepcopy(network)
    other = bitlif.torch.Network(CONFIG.seeded("other weights"))
    fresh = bitlif.torch.Network(CONFIG)
    fresh.load_state_dict(network.state_dict())
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(other.to_core_weights()[0], network.to_core_weights()[0])
    wanted, _ = network(given)
    for own in (loaded, copied, fresh):
        spikes, state = own(given)
        assert torch.equal(spikes, wanted)
        assert state.windows == 12


def test_integers_take_the_weights_of_the_float_mode() -> None:
    real = bitlif.torch.FloatNetwork(CONFIG)
    with torch.no_grad():
        real.weights[0].mul_(0.5)
    network = bitlif.torch.Network(CONFIG)
    network.load_state_dict(real.state_dict())
    for own, right in zip(network.weights, real.weights, strict=True):
        assert torch.equal(own, right)


def test_float_noise_has_its_distribution() -> None:
    # Without inputs, Vb is 0, and a spike has the probability of the noise beyond the threshold.
    config = bitlif.Config.load("tiny").replace(membrane__threshold=0.25)
    torch.manual_seed(0)
    sigma = config.schedule[0].sigma
    beyond = {
        "gaussian": float(torch.special.ndtr(torch.tensor(-0.25 / sigma))),
        "pmf": float(config.noise.pmf.probability_above(-Decimal(0.25 / sigma))),
    }
    for noise, wanted in beyond.items():
        network = bitlif.torch.FloatNetwork(config, noise=noise).eval()
        spikes, _ = network(torch.zeros(16, 4000, 6))
        assert abs(float(spikes.detach().mean()) - wanted) < 0.005


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bitlif.torch.Network("digits"), "^config must be a Config or NetworkConfig, not"),
        (lambda: bitlif.torch.Network(CONFIG, engine="gpu"), "^engine must be 'auto' or"),
        (lambda: bitlif.torch.Network(CONFIG, cut="none"), "^cut must be 'hidden' or 'all', not"),
        (lambda: bitlif.torch.Network(CONFIG, derivative="x"), "^derivative must be 'noise' or"),
        (lambda: bitlif.torch.FloatNetwork(CONFIG, noise="x"), "^noise must be 'gaussian' or"),
        (lambda: bitlif.torch.FloatNetwork(CONFIG, outputs="x"), "^outputs must be 'spikes' or"),
        (lambda: bitlif.torch.SpikeCountLoss(0.0), "^scale must be above 0"),
        (lambda: bitlif.torch.FirstSpikeLoss(0.0), "^tau must be above 0"),
        (lambda: bitlif.torch.LikelihoodLoss(None), "^network must be a Network or FloatNetwork"),
    ],
)
def test_wrong_arguments_are_named(call: Any, message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        call()


@pytest.mark.parametrize(
    ("given", "state", "targets", "message"),
    [
        (np.zeros((64, 1, 65)), None, None, "^input must be a tensor, not"),
        (torch.zeros(1, 64, 65), None, None, r"^input must have shape \(T, B, N\) = \(64, batch"),
        (torch.zeros(64, 0, 65), None, None, r"^input must be of at least one window, not of 0$"),
        (torch.full((64, 1, 65), 0.5), None, None, "^input must be spikes, 0 or 1, not 0.5"),
        (torch.zeros(64, 1, 65), 3, None, "^state must be a NetworkState, not 3"),
        (torch.zeros(64, 1, 65), None, torch.zeros(3), r"^targets must have shape \(B, M\)"),
        (torch.zeros(64, 1, 65), None, torch.full((1, 10), 2.0), "^targets must be in 0 ..= 1"),
        (torch.zeros(64, 1, 65), None, "x", "^targets must be a tensor, not 'x'"),
    ],
)
def test_wrong_inputs_are_named(given: Any, state: Any, targets: Any, message: str) -> None:
    network = bitlif.torch.Network(CONFIG)
    with pytest.raises(BitlifError, match=message):
        network(given, state, targets)
    assert int(network.windows_run) == 0


def test_wrong_weights_change_nothing() -> None:
    network = bitlif.torch.Network(CONFIG)
    before = network.to_core_weights()
    for wrong, message in (
        (before[:1], "^weights must be a list of 2 arrays, one per layer, not of 1$"),
        ([before[0], before[1] + 5000], "^layer.1: weights must be in"),
        ([before[0], before[1].astype(float)], "^layer.1: weights must be integers"),
    ):
        with pytest.raises(BitlifError, match=message):
            network.load_core_weights(wrong)
    for own, right in zip(network.to_core_weights(), before, strict=True):
        np.testing.assert_array_equal(own, right)


def test_likelihood_is_finite_far_from_the_threshold() -> None:
    for kind in (bitlif.torch.Network, bitlif.torch.FloatNetwork):
        network = kind(bitlif.Config.load("digits"))
        with torch.no_grad():
            network.weights[0].fill_(0.3)
        loss = bitlif.torch.LikelihoodLoss(network)
        _, state = network(torch.ones(64, 1, 65))
        value = loss(state, torch.zeros(1, 10))
        value.backward()
        assert value.item() > 1.0
        assert torch.isfinite(value)
        assert torch.isfinite(network.weights[0].grad).all()


def test_the_digits_are_learned_with_weights_of_eight_bits() -> None:
    place = Path(__file__).parents[2] / "docs" / "examples" / "torch_digits.py"
    example = runpy.run_path(str(place))
    torch.manual_seed(0)
    data = example["load_digits_task"](64, 0)
    given, labels = example["as_tensor"](data.train), torch.from_numpy(data.train_labels)
    network = bitlif.torch.Network(example["config_with_weights"]())
    assert {str(own.config.synapse.weight)[:3] for own in network.config.layers} == {"s8."}
    example["train"](network, given, labels, epochs=2, rate=0.01)
    test, wanted = example["as_tensor"](data.test), torch.from_numpy(data.test_labels)
    assert example["accuracy"](network, test, wanted) > 0.85


def test_a_teachers_reset_needs_targets() -> None:
    network = bitlif.torch.Network(bitlif.Config().replace(membrane__reset="teacher"))
    with pytest.raises(BitlifError, match=r"^targets are needed: membrane\.reset is 'teacher'$"):
        network(torch.zeros(64, 1, 64))
    state = bitlif.torch.NetworkState()
    with pytest.raises(BitlifError, match=r"^state must be what a network returned"):
        bitlif.torch.LikelihoodLoss(network)(state, torch.zeros(1, 10))
    assert issubclass(BitlifTypeError, BitlifError)


@pytest.mark.parametrize("loss", [bitlif.torch.SpikeCountLoss(), bitlif.torch.FirstSpikeLoss()])
@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [
        (
            (8, 3, 4),
            torch.tensor([0, 1]),
            r"^labels must have shape \(B,\) = \(3,\), .*\(2,\)$",
        ),
        ((8, 3, 4), torch.tensor([[0, 1, 2]]), r"^labels must have shape .*, not \(1, 3\)$"),
        ((8, 3, 4), torch.tensor([0, 1, 4]), r"^labels must be in 0 \.\.= 3, .*, not 4$"),
        ((8, 3, 4), torch.tensor([0, -1, 3]), r"^labels must be in 0 \.\.= 3, .*, not -1$"),
        ((8, 3, 4), torch.tensor([0.0, 1.0, 2.0]), r"tensor of integers, not float32 of shape"),
        ((8, 3, 4), torch.tensor([True, False, True]), r"tensor of integers, not bool of shape"),
        ((8, 3, 4), [0, 1, 2], r"^labels must be a tensor of integers, not \[0, 1, 2\]$"),
        ((3, 4), torch.tensor([0, 1, 2]), r"^spikes must be a tensor of shape \(T, B, M\), not"),
        ((8, 0, 4), torch.zeros(0, dtype=torch.int64), r"^spikes must be of at least one window"),
    ],
)
def test_losses_refuse_wrong_labels(loss: Any, shape: Any, labels: Any, message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        loss(torch.zeros(shape), labels)


def test_losses_take_integers_of_any_width() -> None:
    spikes, labels = torch.rand(8, 3, 4), torch.tensor([0, 3, 2])
    for loss in (bitlif.torch.SpikeCountLoss(), bitlif.torch.FirstSpikeLoss()):
        assert loss(spikes, labels.to(torch.int32)) == loss(spikes, labels)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.zeros(2, 9), r"^targets must have shape \(B, M\) = \(2, 10\) or .* not \(2, 9\)$"),
        (torch.zeros(1, 10), r"^targets must have shape .*, not \(1, 10\)$"),
        (torch.zeros(10), r"^targets must have shape .*, not \(10,\)$"),
        (torch.full((2, 10), 1.5), r"^targets must be in 0 \.\.= 1, not 1\.5$"),
        (torch.full((2, 10), float("nan")), r"^targets must be in 0 \.\.= 1, not nan$"),
        (np.zeros((2, 10)), r"^targets must be a tensor of real numbers, not "),
    ],
)
def test_likelihood_refuses_wrong_targets(targets: Any, message: str) -> None:
    network = bitlif.torch.Network(bitlif.Config())
    loss = bitlif.torch.LikelihoodLoss(network)
    _, state = network(torch.zeros(64, 2, 64))
    with pytest.raises(BitlifError, match=message):
        loss(state, targets)
    assert loss(state, torch.zeros(2, 10, dtype=torch.bool)) == loss(state, torch.zeros(2, 10))


def test_likelihood_needs_a_window() -> None:
    loss = bitlif.torch.LikelihoodLoss(bitlif.torch.Network(bitlif.Config()))
    state = bitlif.torch.NetworkState(distance=torch.zeros(64, 0, 10))
    with pytest.raises(BitlifError, match=r"^state must be of at least one window, not of 0$"):
        loss(state, torch.zeros(0, 10))
