# %% [markdown]
# # Train in PyTorch, run in gates
#
# A network is trained in PyTorch on the integers that gates compute. The compiled RTL then gives
# the same spikes, and the network becomes a bitstream for an iCEBreaker.

# %%
import json
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_iris

import bitlif
from bitlif import tasks
from bitlif.model.files.weight_file import save_network_weights
from bitlif.tasks.colours import BLUE, VERMILION
from bitlif.tasks.suit_network import suit_network

# %% [markdown]
# ## A network that suits the data
#
# `suit_network` chooses leaks, gains, formats and noise for the spikes of your own data. Weights of
# 8 bits are enough here.

# %%
irises = load_iris()
data = tasks.Task.from_arrays(irises.data, irises.target, name="iris").encoded(steps=64, seed=0)
config, _ = suit_network(data.train, classes=3, hidden=12, name="iris")
config = config.replace(layer__0__synapse__weight="s8.5", layer__1__synapse__weight="s8.6")
print(config)
print(f"{data.train.windows} windows to train with, {data.test.windows} to test with")

# %% [markdown]
# ## Train
#
# `bitlif.torch.Network` is trained like any other PyTorch module, with an optimiser, a loss and
# batches. Its forward pass computes integers, so there is nothing to quantise afterwards. The
# label's neuron should spike in three steps of ten, the other neurons never.


# %%
def as_tensor(events):
    """Return windows of spikes as a tensor: [T, B, N]."""
    return torch.from_numpy(events.raster().swapaxes(0, 1).astype(np.float32))


torch.manual_seed(0)
torch.set_num_threads(1)
network = bitlif.torch.Network(config)
loss = bitlif.torch.LikelihoodLoss(network)
optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
given, labels = as_tensor(data.train), torch.from_numpy(np.asarray(data.train_labels))
targets = 0.3 * torch.nn.functional.one_hot(labels)
losses = []
for _epoch in range(40):
    for chosen in torch.randperm(len(labels)).split(56):
        spikes, state = network(given[:, chosen])
        value = loss(state, targets[chosen])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    losses.append(float(value.detach()))

# %% varies
print(f"loss of the last batch: {losses[0]:.2f} at first, {losses[-1]:.2f} in the end")

# %% [markdown]
# ## Test
#
# In evaluation mode the network starts as a core does after its reset. `to_core_weights` returns
# the integers that a core loads.

# %%
network.eval()
test = as_tensor(data.test)
with torch.no_grad():
    spikes, _ = network(test)
in_pytorch = spikes.numpy().swapaxes(0, 1).astype(bool)  # (windows, steps, neurons)
weights = network.to_core_weights()

# %% varies
told = in_pytorch.sum(axis=1).argmax(axis=1)
print(f"{np.mean(told == data.test_labels):.1%} of {len(told)} test windows are told right")

# %% [markdown]
# ## The same spikes in gates
#
# The backend `"rtl"` is the core's Verilog, compiled by Verilator. Every spike of every neuron, and
# every membrane potential in every step, equals that of PyTorch.

# %%
signals = network.signals(test)
with bitlif.open(config, "rtl", learning=False) as core:
    core.load(weights)
    result = core.run(data.test, record=["membrane"])
for number, (layer, own) in enumerate(zip(result.layers, signals, strict=True)):
    spikes_differ = (layer.raster != own.spikes.numpy().swapaxes(0, 1)).sum()
    membranes_differ = (layer.membrane != own.membrane.numpy().swapaxes(0, 1)).sum()
    print(f"layer {number}: {spikes_differ} spikes and {membranes_differ} membranes differ", end="")
    print(f" of {layer.raster.size}")
assert (result.raster == in_pytorch).all()

# %%
# Spikes of a test window: of the inputs, of the hidden neurons, and in red of the three classes
figure, axes = plt.subplots(3, 1, figsize=(6.5, 4.2), sharex=True, layout="constrained", dpi=90,
                            height_ratios=[9, 12, 3])  # fmt: skip
rasters = {
    "input": data.test.raster()[0],
    "hidden": result.layers[0].raster[0],
    "class": result.layers[1].raster[0],
}
for axis, (label, raster) in zip(axes, rasters.items(), strict=True):
    when, unit = np.nonzero(raster)
    axis.plot(when, unit, "|", color=VERMILION if label == "class" else BLUE, markersize=6)
    axis.set(ylabel=label, ylim=(-0.7, raster.shape[1] - 0.3), yticks=[0, raster.shape[1] - 1])
axes[-1].set_xlabel("step")
plt.show()

# %% [markdown]
# ## The bitstream
#
# `bitlif build` synthesises the network with a serial port, places and routes it, and packs the
# bitstream. It checks cell by cell that the core in the bitstream is the netlist that the backend
# `netlist:ice40` simulates. `--inference` omits the learning hardware. The widths are the smallest:
# one neuron and one weight per clock cycle. Without these options, the build chooses the fastest
# widths that fit.

# %%
config.save("iris.toml")
command = (
    "-m bitlif build iris.toml --inference --lanes 1,1 --synapses 1,1 "
    "--board icebreaker --mhz 18 --out iris-board --json"
)
done = subprocess.run(
    [sys.executable, *command.split()], capture_output=True, text=True, check=True
)
report = json.loads(done.stdout)
bitstream = Path("iris-board", report["files"]["bitstream"])
print(f"{report['device']}, {report['clock']['mhz']:g} MHz, {bitstream.stat().st_size} bytes")

# %% varies
for name, use in report["use"].items():
    print(f"{name:<15} {use['used']:>5} of {use['available']:>5} ({use['percent']:.0f} %)")
print(f"{report['pace']['runs_per_s']:.0f} windows per second")

# %% [markdown]
# ## On the board
#
# `bitlif build ... --program` loads the bitstream. The weights are loaded over the serial port:
#
#     with bitlif.open(config, "serial:/dev/ttyUSB1", learning=False) as core:
#         core.load(weights)
#         result = core.run(data.test)
#
# `save_network_weights` keeps them in a file.

# %%
save_network_weights("weights.npz", weights, config)

# %% [markdown]
# ## Next
#
# * [Boards](../boards.md) shows which networks fit where.
# * [Training in PyTorch](../torch.md) describes gradients, losses and results on the digits.
# * [Fine-tune on the core](fine-tune-on-the-core.md) continues training on the core.
