"""Train the digits with a hidden layer in PyTorch, on the integers of a core with 8-bit weights.

    python docs/examples/torch_digits.py               # train on all training windows, then test
    python docs/examples/torch_digits.py --validate    # on four fifths; validate on the rest
    python docs/examples/torch_digits.py --load docs/examples/torch_digits.npz --backend rtl

The last line trains nothing: it takes weights from a file and compares the class that gates tell in
each test window with that of the network in PyTorch. The hyper-parameters were chosen by
``--validate``: the test windows were not used.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

import bitlif
from bitlif.model.files.weight_file import load_network_weights, save_network_weights
from bitlif.tasks.digits import TRUE_TARGET, load_digits_task

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
    true_target: float = TRUE_TARGET,
) -> None:
    """Maximise the likelihood of `true_target` spikes per step of the label's neuron, 0 of others.

    Adam, with a rate that falls to zero along a cosine.
    """
    loss = bitlif.torch.LikelihoodLoss(network)
    targets = true_target * torch.nn.functional.one_hot(labels)
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


def classes_of(network: bitlif.torch.Network, given: torch.Tensor) -> NDArray[np.int64]:
    """Return the neuron that spikes most in each window, the first of equals: (B,)."""
    network.eval()
    with torch.no_grad():
        spikes, _ = network(given)
    return spikes.numpy().sum(0).argmax(1)


def classes_in_gates(
    config: bitlif.NetworkConfig,
    weights: Sequence[NDArray[np.int64]],
    events: bitlif.Events,
    backend: str,
) -> NDArray[np.int64]:
    """Return the same of a core on a backend, after its reset."""
    with bitlif.open(config, backend, learning=False) as core:
        core.load(weights)
        return core.run(events).counts.argmax(1)


def accuracy(network: bitlif.torch.Network, given: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of windows in which the neuron of the label spikes most."""
    return float((classes_of(network, given) == labels.numpy()).mean())


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description="Train the digits in PyTorch.")
    parser.add_argument("--validate", action="store_true", help="use no test window")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--derivative", choices=("noise", "sweep"), default="noise")
    parser.add_argument("--bits", type=int, default=8, help="bits of a weight")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", metavar="FILE", help="write the weights here (.npz)")
    parser.add_argument("--load", metavar="FILE", help="weights; do not train")
    parser.add_argument("--backend", metavar="NAME", help="compare with rtl, netlist:ecp5, ...")
    parser.add_argument("--windows", type=int, help="of the test, on the backend; default: all")
    return parser.parse_args()


def main() -> None:
    """Train, or load weights, and print the accuracy; compare with gates."""
    args = parsed()
    torch.manual_seed(args.seed)
    data = load_digits_task(STEPS, args.seed)
    given, labels = as_tensor(data.train), torch.from_numpy(np.asarray(data.train_labels))
    test, test_labels = as_tensor(data.test), torch.from_numpy(np.asarray(data.test_labels))
    if args.validate:
        first = len(labels) * 4 // 5
        given, test = given[:, :first], given[:, first:]
        labels, test_labels = labels[:first], labels[first:]
    network = bitlif.torch.Network(config_with_weights(args.bits), derivative=args.derivative)
    if args.load:
        network.load_core_weights(load_network_weights(args.load, network.config))
    else:
        train(network, given, labels, epochs=args.epochs, rate=args.rate)
    weights = network.to_core_weights()
    if args.out:
        save_network_weights(args.out, weights, network.config)
    name = "validation" if args.validate else "test"
    print(f"{name} accuracy in integers: {100 * accuracy(network, test, test_labels):.2f} %")
    if args.backend:
        shown = data.test.select(range(args.windows or data.test.windows))
        in_gates = classes_in_gates(network.config, weights, shown, args.backend)
        differ = int((in_gates != classes_of(network, as_tensor(shown))).sum())
        print(f"{args.backend}: {differ} of {shown.windows} test windows told otherwise")


if __name__ == "__main__":
    main()
