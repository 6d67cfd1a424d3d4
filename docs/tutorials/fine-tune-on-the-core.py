# %% [markdown]
# # Fine-tune on the core
#
# A network was trained in PyTorch with weights of 8 bits. Reduced to 4 bits, it needs half the
# weight memory, but makes more errors. The core that runs the network can also learn: here it
# continues training, with its own rule and its own 4-bit weights, and recovers most of the loss.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import bitlif
from bitlif import NetworkConfig, tasks
from bitlif.model.files.weight_file import load_network_weights
from bitlif.tasks.colours import BLUE, GREY, VERMILION
from bitlif.tasks.digits import load_digits_task

FILES = Path(os.environ.get("BITLIF_TUTORIALS", "."), "..", "examples")  # torch_digits.npz

# %% [markdown]
# ## The trained network
#
# `docs/examples/torch_digits.py` trains a network with 96 hidden neurons on the digits; see
# [Training in PyTorch](../torch.md). Its result is the file `torch_digits.npz`.

# %%
eight = NetworkConfig.load("digits-96").replace(
    name="digits-96-8bit", layer__0__synapse__weight="s8.6", layer__1__synapse__weight="s8.7"
)
weights = load_network_weights(FILES / "torch_digits.npz", eight)
data = load_digits_task(steps=64, seed=0)


def accuracy(config, weights, events, labels):
    """Return the share of windows in which the neuron of the right digit spikes most."""
    with bitlif.open(config, learning=False) as core:
        core.load(weights)
        return np.mean(core.run(events).counts.argmax(axis=1) == labels)


before = accuracy(eight, weights, data.test, data.test_labels)
print(f"8 bits: test accuracy {before:.1%}")

# %% [markdown]
# ## Four bits
#
# The format of a weight says how many of its bits are fractional: `s4.2` covers -2 to 1.75 in steps
# of 0.25. The largest weights of the two layers need `s4.2` and `s4.3`.


# %%
def cut(first, last):
    """Return the network with 4-bit weights of so many fractional bits, and its weights."""
    network = eight.replace(
        name="digits-96-4bit",
        layer__0__synapse__weight=f"s4.{first}", layer__1__synapse__weight=f"s4.{last}",
    )  # fmt: skip
    found = []
    for raw, old, new in zip(weights, eight.layers, network.layers, strict=True):
        old, new = old.config.synapse.weight, new.config.synapse.weight
        nearest = np.floor(raw * float(old.lsb / new.lsb) + 0.5).astype(np.int64)
        found.append(np.clip(nearest, new.raw_min, new.raw_max))
    return network, found


for own, raw in zip(eight.layers, weights, strict=True):
    lsb = float(own.config.synapse.weight.lsb)
    print(f"weights of {raw.min() * lsb:.2f} to {raw.max() * lsb:.2f}")

four, cut_weights = cut(2, 3)
after = accuracy(four, cut_weights, data.test, data.test_labels)
print(f"4 bits, s4.2 and s4.3: test accuracy {after:.1%}")
for number, raw in enumerate(cut_weights):
    print(f"layer {number}: {np.mean(raw == 0):.0%} of the weights are now 0")

# %% [markdown]
# ## Rates for a trained network
#
# An update is added to a weight with stochastic rounding: a change of a tenth of a step becomes a
# whole step with a probability of one tenth. A weight of 4 bits therefore still follows small
# gradients on average, but each whole step also adds noise. A trained network needs rates far below
# those for training from the beginning. The rates are chosen on the training windows; the test
# windows are not used for this.


# %%
def scheduled(network, rates):
    """Return the network with rates for its layers, halved after each of two passes."""
    changes = {}
    for number, rate in enumerate(rates):
        sigma = network.layers[number].config.schedule[0].sigma
        changes[f"layer__{number}__schedule"] = [
            {"windows": len(data.train_labels), "sigma": sigma, "rate": rate},
            {"windows": len(data.train_labels), "sigma": sigma, "rate": rate / 2},
            {"windows": 0, "sigma": sigma, "rate": rate / 4},
        ]
    return network.replace(**changes)


for factor in (1.0, 0.25, 0.0625):
    with bitlif.open(scheduled(four, (0.02 * factor, 0.00625 * factor))) as core:
        core.load(cut_weights)
        tasks.train(core, "digits", epochs=1, seed=0, examples=data)
        tuned = core.weights()
    share = accuracy(four, tuned, data.train, data.train_labels)
    print(f"rates {0.02 * factor:.5f} and {0.00625 * factor:.5f}: training accuracy {share:.1%}")

# %% [markdown]
# ## Fine-tuning
#
# The core runs each training window and then learns from it: it computes the errors of the last
# layer, sweeps back through both layers, and updates the weights once. Everything is in integers,
# so a board or compiled gates (`bitlif.open(config, "rtl")`) learn the same weights, bit for bit.


# %%
def fine_tuned(network, start):
    """Return the test accuracies after each of four passes, and the weights."""
    with bitlif.open(scheduled(network, (0.00125, 0.00039))) as core:
        core.load(start)
        history = tasks.train(core, "digits", epochs=4, seed=0, examples=data)
        return [epoch.test_accuracy for epoch in history], core.weights()


path, tuned = fine_tuned(four, cut_weights)
print("test accuracy, pass by pass:", *(f"{share:.1%}" for share in path))

# %% [markdown]
# How far have the weights moved? Most still have the value to which they were rounded.

# %%
for number, (old, new) in enumerate(zip(cut_weights, tuned, strict=True)):
    moved = np.abs(new - old)
    print(
        f"layer {number}: {np.mean(moved > 0):.0%} moved, {np.mean(moved > 1):.1%} by over one step"
    )

# %% [markdown]
# ## Better formats
#
# Finer steps saturate the largest weights but represent small weights better. On the training
# windows this is the better choice, and it leaves little for fine-tuning to recover.

# %%
for first, last in ((2, 3), (2, 4), (3, 4), (3, 5)):
    share = accuracy(*cut(first, last), data.train, data.train_labels)
    print(f"s4.{first} and s4.{last}: training accuracy {share:.1%}")

fine, fine_weights = cut(3, 4)
fine_after = accuracy(fine, fine_weights, data.test, data.test_labels)
fine_path, _ = fine_tuned(fine, fine_weights)
print(
    f"s4.3 and s4.4: test accuracy {fine_after:.1%}, then", *(f"{share:.1%}" for share in fine_path)
)

# %%
# Test accuracy after each pass of learning on the core
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained", dpi=90)
axes.axhline(100 * before, color=GREY, linestyle="--")
axes.text(4, 100 * before + 0.2, "8 bits, from PyTorch", ha="right", va="bottom", color=GREY)
for label, colour, shares in (
    ("s4.3 and s4.4", BLUE, [fine_after, *fine_path]), ("s4.2 and s4.3", VERMILION, [after, *path]),
):  # fmt: skip
    axes.plot(range(5), 100 * np.array(shares), "o-", color=colour, label=label)
axes.set(xlabel="passes of learning on the core", ylabel="test accuracy (%)", ylim=(89, 100))
axes.set_xticks(range(5), ["cut to\n4 bits", "1", "2", "3", "4"])
axes.legend(frameon=False, loc="lower right")
axes.spines[["right", "top"]].set_visible(False)
plt.show()

# %% [markdown]
# ## Next
#
# * [Training in PyTorch](../torch.md) can train with 4-bit weights from the beginning: rounding is
#   part of its forward pass.
# * `bitlif quantize` searches for the fewest bits of weights and states; see [Networks in
#   NIR](../nir.md).
# * [Which bits do I need?](which-bits-do-i-need.md) asks the same question for learning from
#   scratch.
