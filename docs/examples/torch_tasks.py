"""Train Yin-Yang or GunPoint in PyTorch, on the integers of their ready-made networks.

    python docs/examples/torch_tasks.py yin_yang               # train, then test
    python docs/examples/torch_tasks.py gunpoint --seed 1
    python docs/examples/torch_tasks.py gunpoint --validate    # on other windows than those to test

The hyper-parameters were chosen by ``--validate``: the published validation points of Yin-Yang, and
five folds of GunPoint's training series.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
import torch
from torch_digits import accuracy, as_tensor, train

import bitlif
from bitlif import tasks
from bitlif.model.files.weight_file import save_network_weights
from bitlif.tasks.gunpoint import FOLDS, GunPointTask
from bitlif.tasks.yin_yang import VALIDATION


class Choice(NamedTuple):
    """Hyper-parameters of a task."""

    epochs: int
    rate: float
    derivative: str


CHOSEN = {"yin_yang": Choice(12, 0.01, "noise"), "gunpoint": Choice(10, 0.003, "noise")}


def parts(name: str, *, validate: bool) -> list[tasks.Task]:
    """Return the task, or those that test on validation windows."""
    if not validate:
        return [tasks.get(name)]
    if name == "yin_yang":
        return [VALIDATION]
    return [GunPointTask(fold=fold) for fold in range(FOLDS)]


def trained(task: tasks.Task, choice: Choice, seed: int) -> tuple[bitlif.torch.Network, float]:
    """Return a network that has learned the task, and its accuracy on the windows to test with."""
    torch.manual_seed(seed)
    config = bitlif.NetworkConfig.load(task.config).seeded(seed)
    network = bitlif.torch.Network(config, derivative=choice.derivative)
    data = task.load(network.config.outer, seed)
    labels, test_labels = (
        torch.from_numpy(np.array(own)) for own in (data.train_labels, data.test_labels)
    )
    train(
        network, as_tensor(data.train), labels, epochs=choice.epochs, rate=choice.rate,
        true_target=task.true_target,
    )  # fmt: skip
    return network, accuracy(network, as_tensor(data.test), test_labels)


def main() -> None:
    """Train and print the accuracy."""
    parser = argparse.ArgumentParser(description="Train Yin-Yang or GunPoint in PyTorch.")
    parser.add_argument("task", choices=CHOSEN)
    parser.add_argument("--validate", action="store_true", help="use no test window")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--derivative", choices=("noise", "sweep"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", metavar="FILE", help="write the weights here (.npz)")
    args = parser.parse_args()
    given = {name: getattr(args, name) for name in Choice._fields}
    changes = {name: value for name, value in given.items() if value is not None}
    choice = CHOSEN[args.task]._replace(**changes)
    found = []
    for task in parts(args.task, validate=args.validate):
        network, right = trained(task, choice, args.seed)
        found.append(right)
    if args.out:
        save_network_weights(args.out, network.to_core_weights(), network.config)
    name = "validation" if args.validate else "test"
    print(f"{name} accuracy in integers: {100 * np.mean(found):.2f} %")


if __name__ == "__main__":
    main()
