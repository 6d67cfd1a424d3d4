"""Train the digits with a hidden layer in PyTorch, on the integers of a core with 8-bit weights.

    python docs/examples/torch_digits.py               # train on all training windows, then test
    python docs/examples/torch_digits.py --validate    # on four fifths; validate on the rest

The hyper-parameters were chosen by ``--validate``: the test windows were not used.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

import bitlif
from bitlif.model.files.weight_file import save_network_weights
from bitlif.tasks.digits import load_digits_task

STEPS, BATCH = 64, 32


def config_with_weights(bits: int = 8) -> bitlif.NetworkConfig:
    """Return the network digits-96 with weights of so many bits in both layers."""
    network = bitlif.NetworkConfig.load("digits-96")
    return network.replace(
        name=f"digits-96-{bits}bit",
        layer__0__synapse__weight=f"s{bits}.{bits - 2}",
        layer__1__synapse__weight=f"s{bits}.{bits - 1}",
        layer__0__initial__low=-0.5,
        layer__0__initial__high=0.7,
    )


def as_tensor(events: bitlif.Events) -> torch.Tensor:
    """Return windows of spikes as a tensor: [T, B, N] float32."""
    return torch.from_numpy(events.raster().swapaxes(0, 1).astype(np.float32))


def train(
    network: bitlif.torch.Network,
    given: torch.Tensor,
    labels: torch.Tensor,
    *,
    epochs: int,
    rate: float,
) -> None:
    """Maximise the likelihood of half a spike per step of the label's neuron and none of others.

    Adam, with a rate that falls to zero along a cosine.
    """
    loss = bitlif.torch.LikelihoodLoss(network)
    targets = 0.5 * torch.nn.functional.one_hot(labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    batches = epochs * -(-len(labels) // BATCH)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, batches)
    network.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels)).split(BATCH):
            _, state = network(given[:, chosen])
            optimizer.zero_grad()
            loss(state, targets[chosen]).backward()
            optimizer.step()
            scheduler.step()


def accuracy(network: bitlif.torch.Network, given: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of windows in which the neuron of the label spikes most."""
    network.eval()
    with torch.no_grad():
        spikes, _ = network(given)
    return float((spikes.sum(0).argmax(1) == labels).double().mean())


def main() -> None:
    """Train and print the accuracy."""
    parser = argparse.ArgumentParser(description="Train the digits in PyTorch.")
    parser.add_argument("--validate", action="store_true", help="use no test window")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--derivative", choices=("noise", "sweep"), default="noise")
    parser.add_argument("--bits", type=int, default=8, help="bits of a weight")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", metavar="FILE", help="write the weights here (.npz)")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    data = load_digits_task(STEPS, args.seed)
    given, labels = as_tensor(data.train), torch.from_numpy(np.asarray(data.train_labels))
    test, test_labels = as_tensor(data.test), torch.from_numpy(np.asarray(data.test_labels))
    if args.validate:
        first = len(labels) * 4 // 5
        given, test = given[:, :first], given[:, first:]
        labels, test_labels = labels[:first], labels[first:]
    network = bitlif.torch.Network(config_with_weights(args.bits), derivative=args.derivative)
    train(network, given, labels, epochs=args.epochs, rate=args.rate)
    if args.out:
        save_network_weights(args.out, network.to_core_weights(), network.config)
    name = "validation" if args.validate else "test"
    print(f"{name} accuracy in integers: {100 * accuracy(network, test, test_labels):.2f} %")


if __name__ == "__main__":
    main()
