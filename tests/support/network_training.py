"""Trainings of networks in gates beside the same trainings in the model, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import bitlif
from bitlif import NetworkConfig, tasks
from bitlif.tasks.task import Epoch
from bitlif.tasks.training import checked_examples, task_config


class Training(NamedTuple):
    """What a training in gates did, after it was equal to the model's in every epoch."""

    windows: int
    clocks: int
    accuracies: list[float]


def compare_training(
    name: str, synapses: tuple[int, ...], *, epochs: int | None = None, windows: int | None = None,
    backend: str = "rtl", told: Callable[[str], Any] = lambda text: None,
) -> Training:  # fmt: skip
    """Train a ready-made network in the model and in gates; raise if an epoch differs.

    After every epoch, the signatures, which cover all spikes, membranes and weights of all windows
    so far, the weights of all layers, their states and counters, and the accuracies must be equal.

    Parameters
    ----------
    name : str
        Of the configuration.
    synapses : tuple of int
        Of each layer, weights that its gates take in a clock cycle. No bit depends on it.
    epochs, windows : int or None
        Epochs, and training and test windows; None: those of the task.
    backend : str
    told : callable
        Called with a line after each epoch.
    """
    config = NetworkConfig.load(name)
    config = config.replace(
        **{f"layer__{k}__gates__synapses": width for k, width in enumerate(synapses)}
    )
    task = tasks.default_task(config)
    examples = checked_examples(task, task_config(task, config), 0)
    if windows is not None:
        examples = examples.head(windows)
    expected: list[dict[str, Any]] = []
    for kind in ("model", backend):
        with bitlif.open(config, kind) as core:

            def after(epoch: Epoch, core: Any = core, kind: str = kind) -> None:
                facts = _facts(core, epoch)
                if kind == "model":
                    expected.append(facts)
                    return
                right = expected[epoch.number - 1]
                for fact, value in facts.items():
                    np.testing.assert_equal(value, right[fact], err_msg=f"{fact}, {epoch.number}")
                told(
                    f"{name}, epoch {epoch.number}: {core.windows_learned()} windows, "
                    f"{core.clocks()} clock cycles, signature {core.signature():08x}, "
                    f"test accuracy {100 * epoch.test_accuracy:.2f} %"
                )

            length = epochs or task.epochs
            tasks.train(core, task, epochs=length, seed=0, examples=examples, progress=after)
            if kind == backend:
                clocks = core.clocks()
                learned = core.windows_learned()
    return Training(learned, clocks, [own["test accuracy"] for own in expected])


def _facts(core: Any, epoch: Epoch) -> dict[str, Any]:
    """Return what must be equal after an epoch."""
    found = {
        "signature": core.signature(),
        "layer signatures": core.layer_signatures(),
        "sweep LFSRs": core.sweep_lfsr(),
        "counters": core.layer_counters(),
        "test accuracy": epoch.test_accuracy,
        "train accuracy": epoch.train_accuracy,
    }
    for number, (weights, state) in enumerate(zip(core.weights(), core.state(), strict=True)):
        found |= {
            f"weights {number}": weights,
            f"membrane {number}": state.membrane,
            f"LFSRs {number}": (state.noise_lfsr, state.update_lfsr),
            f"phase {number}": state.phase,
        }
    return found
