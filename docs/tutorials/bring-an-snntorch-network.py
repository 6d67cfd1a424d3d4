# %% [markdown]
# # Bring an snnTorch network
#
# A network trained in snnTorch is transferred as a NIR file. Which of its spikes does bitlif
# reproduce, and which differ? Two networks give the answer: one with snnTorch's default settings,
# and one with settings that compute the same equations.

# %%
import matplotlib.pyplot as plt
import numpy as np
import snntorch
import torch
from sklearn.datasets import load_iris
from snntorch import surrogate
from snntorch.export_nir import export_to_nir
from snntorch.utils import reset

import bitlif
from bitlif import tasks
from bitlif.tasks.colours import BLUE, GREY, VERMILION
from bitlif.trained.nir_compare import compare, ranges_of, run_real
from bitlif.trained.nir_formats import quantised
from bitlif.trained.nir_graph import read_layers

torch.set_num_threads(1)

# %% [markdown]
# ## Train in snnTorch
#
# The data are irises as spikes: nine inputs, 64 steps. `Synaptic` is a neuron with two leaks, like
# bitlif's. Its default reset subtracts the threshold, one step after the spike. With
# `reset_mechanism="zero"` and `reset_delay=False` the membrane potential is 0 immediately after the
# spike.
#
# snnTorch exports the parameters of a layer unchanged, and NIR needs one value per neuron. The
# parameters are therefore tensors.

# %%
irises = load_iris()
data = tasks.Task.from_arrays(irises.data, irises.target, name="iris").encoded(steps=64, seed=0)


def as_tensor(events):
    """Return windows of spikes as a tensor: [T, B, N]."""
    return torch.from_numpy(events.raster().swapaxes(0, 1))


def neurons(size, settings):
    """Return a layer of neurons with leaks of 3/4 and 7/8 and a threshold of 4."""
    alpha, beta, threshold = (torch.full((size,), own) for own in (0.75, 0.875, 4.0))
    gradient = surrogate.fast_sigmoid(slope=5)
    return snntorch.Synaptic(
        alpha, beta, threshold=threshold, init_hidden=True, spike_grad=gradient, **settings
    )


def run(module, given):
    """Return the spikes of both layers: [T, B, 12] and [T, B, 3]."""
    reset(module)
    enter, hidden, leave, output = module
    first, second = [], []
    for row in given.to(enter.weight.dtype):
        first.append(hidden(enter(row)).to(row.dtype))
        second.append(output(leave(first[-1])).to(row.dtype))
    return torch.stack(first), torch.stack(second)


def trained(settings):
    """Return a network 9-12-3 that has learned the irises."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(9, 12, bias=False), neurons(12, settings),
        torch.nn.Linear(12, 3, bias=False), neurons(3, settings),
    )  # fmt: skip
    given, labels = as_tensor(data.train), torch.from_numpy(np.asarray(data.train_labels))
    optimizer = torch.optim.Adam([module[0].weight, module[2].weight], lr=0.05)
    for _ in range(25):
        _, spikes = run(module, given)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(spikes.sum(0) / 4, labels).backward()
        optimizer.step()
    return module


EXACT = {"reset_mechanism": "zero", "reset_delay": False}
modules = {"defaults": trained({}), "exact": trained(EXACT)}

# %% [markdown]
# `export_to_nir` makes the graph; `nir.write` would write it to a file for `bitlif import`. The
# networks then run in double precision, so that no rounding in snnTorch changes a spike.

# %%
graphs, spikes = {}, {}
for name, module in modules.items():
    reset(module)
    graphs[name] = export_to_nir(module, torch.zeros(9))
    with torch.no_grad():
        both = run(module.double(), as_tensor(data.test))
    spikes[name] = [own.numpy().swapaxes(0, 1) > 0 for own in both]

# %% varies
for name, (_, last) in spikes.items():
    share = np.mean(last.sum(axis=1).argmax(axis=1) == data.test_labels)
    print(f"{name:<8} {share:.1%} of {len(last)} test windows are told right")

# %% [markdown]
# ## Through NIR
#
# `read_layers` finds the time step in the graph, and folds thresholds and gains into the weights.
# `run_real` computes bitlif's equations in real numbers, without any rounding.

# %%
networks = {name: read_layers(graph) for name, graph in graphs.items()}
runs = {name: run_real(network, data.test) for name, network in networks.items()}
print(*networks["exact"].notes, sep="\n")

# %% [markdown]
# With the exact settings no spike differs. The file of the other network is equally valid, but NIR
# has no field that describes the reset, so snnTorch's default reset is lost.

# %%
for ours, theirs in zip(runs["exact"], spikes["exact"], strict=True):
    print(f"exact: {(ours.spikes != theirs).sum()} spikes differ")

# %% varies
for ours, theirs in zip(runs["defaults"], spikes["defaults"], strict=True):
    print(f"defaults: {(ours.spikes != theirs).sum()} of {theirs.sum()} spikes differ")

# %%
# Hidden spikes of the test window in which the defaults differ most
differ = runs["defaults"][0].spikes != spikes["defaults"][0]
window = int(differ.sum(axis=(1, 2)).argmax())
figure, axes = plt.subplots(1, 2, figsize=(8.5, 2.8), sharey=True, layout="constrained", dpi=90)
for axis, name in zip(axes, modules, strict=True):
    ours, theirs = runs[name][0].spikes[window], spikes[name][0][window]
    for shown, colour, label in (
        (ours & theirs, GREY, "both"), (theirs & ~ours, VERMILION, "snnTorch only"),
        (ours & ~theirs, BLUE, "bitlif only"),
    ):  # fmt: skip
        when, neuron = np.nonzero(shown)
        axis.plot(when, neuron, "|", color=colour, markersize=7, label=label)
    axis.set(title=f"snnTorch: {name}", xlabel="step", xlim=(-1, 64), yticks=[0, 11])
axes[0].set_ylabel("hidden neuron")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3,
              frameon=False)  # fmt: skip
plt.show()

# %% [markdown]
# ## Into integers
#
# `quantised` chooses the formats: 8 bits for weights, 16 for currents and membrane potentials, with
# the ranges that occur in the training windows. Now rounding changes some spikes; the report says
# how many, and where the first one is.

# %%
exact = networks["exact"]
config, weights = quantised(
    exact, steps=64, weight_bits=8, state_bits=16, ranges=ranges_of(run_real(exact, data.train)),
    name="iris",
)  # fmt: skip
print(config)
report = compare(config, weights, runs["exact"], data.test, data.test_labels)

# %% varies
for number, layer in enumerate(report["layers"]):
    print(f"layer {number}: {layer['spikes_that_differ']} of {layer['spikes']} spikes differ,"
          f" {layer['membrane']['saturations']} saturations")  # fmt: skip
print("first difference:", report["first_difference"])
print("accuracy:", report["accuracy"])

# %% [markdown]
# ## In gates
#
# From here on this is an ordinary bitlif network: it computes the same integers on every backend.

# %%
counts = {}
for backend in ("model", "rtl"):
    with bitlif.open(config, backend, learning=False) as core:
        core.load(weights)
        counts[backend] = core.run(data.test).counts
print(f"{(counts['model'] != counts['rtl']).sum()} of {counts['rtl'].size} spike counts differ")

# %% [markdown]
# ## Next
#
# * [Networks in NIR](../nir.md) describes the settings of Norse and SpikingJelly, `bitlif import`,
#   and `bitlif quantize`, which searches for the fewest bits.
# * [Train in PyTorch, run in gates](train-in-pytorch.md) continues to a bitstream.
# * [Fine-tune on the core](fine-tune-on-the-core.md) recovers the accuracy that the rounding of
#   weights costs.
