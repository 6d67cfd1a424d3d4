"""The demo's network: the digits learned with a hidden layer, in integers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bitlif
from bitlif import tasks
from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.errors import BitlifError
from bitlif.model.files.weight_file import save_network_weights
from bitlif.model.text import quoted
from bitlif.scripts.console.terminal import console, result_table
from bitlif.tasks.task import Epoch, Examples
from bitlif.tasks.training import total_counters, train

MOST_ROWS = 20
"""Most rows of the table of accuracies by epoch."""


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """The trained network.

    Attributes
    ----------
    config : NetworkConfig
    report : dict
    weights : list of (N, M) int64
        Raw weights of each layer.
    """

    config: NetworkConfig
    report: dict[str, Any]
    weights: list[NDArray[np.int64]]

    def write(self, folder: Path) -> None:
        """Write the configuration and the weights into a folder."""
        self.config.save(folder / "network.toml")
        save_network_weights(folder / "network_weights.npz", self.weights, self.config)


def load_network(source: str, task: str, seed: int) -> NetworkConfig:
    """Return the network with seeds derived from `seed`.

    Raises
    ------
    BitlifError
        If it has no hidden layer, or does not fit the task.
    """
    network = NetworkConfig.load(source).seeded(seed)
    if len(network.layers) < 2:
        raise BitlifError(f"--network must have a hidden layer, but {quoted(source)} has none")
    tasks.get(task).check(network.outer)
    return network


def learn_network(
    network: NetworkConfig,
    task: str,
    examples: Examples,
    epochs: int,
    seed: int,
    threads: int,
    bars: Any,
) -> Learned:
    """Train the network, and report accuracy, spikes and saturations.

    Parameters
    ----------
    network : NetworkConfig
    task : str
    examples : Examples
        Of the network's own number of steps.
    epochs, seed, threads : int
    bars : Progress
        Progress bars, to which one is added.
    """
    core: Any = bitlif.open(network, threads=threads, signature=False)
    probe = core.fresh()
    bar = bars.add_task("network", total=epochs)

    def step(epoch: Epoch) -> None:
        text = f"network: test accuracy {100 * epoch.test_accuracy:.1f} %"
        bars.update(bar, advance=1, description=text)

    start = time.perf_counter()
    history = train(
        core, task, epochs=epochs, seed=seed, progress=step, examples=examples, probe=probe
    )
    seconds = time.perf_counter() - start
    # The same windows with the same noise as in the last test.
    probe.reset()
    hidden = probe.run(examples.test).layers[-2].raster.sum(dtype=np.int64)
    report = network_report(network, history, seconds, examples)
    report["hidden_spikes_per_digit"] = float(hidden / examples.test.windows)
    return Learned(network, report, core.weights())


def network_report(
    network: NetworkConfig, history: list[Epoch], seconds: float, examples: Examples
) -> dict[str, Any]:
    """Return what training measured of the network."""
    last, counters = history[-1], total_counters(history)
    windows = examples.train.windows * len(history)
    return {
        "config": network.name,
        "config_hash": any_hash(network),
        "neurons": [own.config.layer.neurons for own in network.layers],
        "weight_formats": [str(own.config.synapse.weight) for own in network.layers],
        "test_accuracy": last.test_accuracy,
        "train_accuracy": last.train_accuracy,
        "test_accuracy_by_epoch": [epoch.test_accuracy for epoch in history],
        "output_spikes_per_digit": last.spikes,
        "synaptic_events_per_digit": counters["synaptic_events"] / windows,
        "training_seconds": seconds,
        "learning_digits_per_second": windows / seconds,
        "counters": counters,
    }


def print_network(report: dict[str, Any]) -> None:
    """Print the network's numbers, and its accuracy and the layer's by epoch."""
    own, screen = report["network"], console()
    layer = report["test_accuracy_by_epoch"]
    courses = (layer["integer"], layer["float"], own["test_accuracy_by_epoch"])
    rows = [
        (str(number + 1), *(f"{100 * course[number]:.2f} %" for course in courses))
        for number in shown_epochs(len(courses[0]))
    ]
    heads = ("epoch", "layer, integer", "layer, float", "network, integer")
    screen.print(result_table("test accuracy of the layer and of the network", heads, rows))
    facts = [
        ("hidden neurons", " + ".join(str(count) for count in own["neurons"][:-1])),
        ("weights", ", ".join(own["weight_formats"])),
        ("test accuracy", f"{100 * own['test_accuracy']:.2f} %"),
        ("training accuracy", f"{100 * own['train_accuracy']:.2f} %"),
        ("hidden spikes a digit", f"{own['hidden_spikes_per_digit']:.1f}"),
        ("output spikes a digit", f"{own['output_spikes_per_digit']:.1f}"),
        ("synaptic events a digit", f"{own['synaptic_events_per_digit']:,.0f}"),
        ("training time", f"{own['training_seconds']:.1f} s"),
        ("digits/s, tests included", f"{own['learning_digits_per_second']:,.0f}"),
    ]
    title = f"the integer network after {report['epochs']} epochs"
    screen.print(result_table(title, ("", ""), facts))


def shown_epochs(epochs: int) -> list[int]:
    """Return the epochs of a table of at most `MOST_ROWS` rows, counted from 0.

    >>> shown_epochs(3), len(shown_epochs(10_000)), shown_epochs(10_000)[-1]
    ([0, 1, 2], 20, 9999)
    """
    if epochs <= MOST_ROWS:
        return list(range(epochs))
    return [(number + 1) * epochs // MOST_ROWS - 1 for number in range(MOST_ROWS)]
