# %% [markdown]
# # First ten minutes
#
# This tutorial goes from a table of numbers to an accuracy, a picture, a configuration file and a
# running study. The table is scikit-learn's wine data: 178 wines from three growers, with 13
# measurements each.

# %%
import subprocess
import sys
from pathlib import Path

import numpy as np
from matplotlib_inline.backend_inline import set_matplotlib_formats
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import bitlif
from bitlif import SpikingClassifier, tasks
from bitlif.tasks.scores import confusion_matrix

set_matplotlib_formats("png")  # a figure at the end of a cell is shown

# %% [markdown]
# ## From arrays to accuracy
#
# `SpikingClassifier` follows scikit-learn's conventions. It scales the columns, encodes them as
# spikes, chooses a configuration that suits these spikes, and trains one noisy neuron for each
# class.

# %%
wine = load_wine()
X, X_test, y, y_test = train_test_split(
    wine.data, wine.target, stratify=wine.target, random_state=0
)
classifier = SpikingClassifier().fit(X, y)
print(f"test accuracy {classifier.score(X_test, y_test):.1%} of {len(y_test)} wines")

# %% [markdown]
# Everything was computed in integers; gates would compute the same bits. For comparison, a logistic
# regression in floating point on the same split:

# %%
reference = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
print(f"logistic regression {reference.score(X_test, y_test):.1%}")

# %% [markdown]
# Other splits and other seeds give other numbers. Compare several of them before you draw a
# conclusion:

# %%
for seed in range(5):
    parts = train_test_split(wine.data, wine.target, stratify=wine.target, random_state=seed)
    spiking = SpikingClassifier(seed=seed).fit(parts[0], parts[2]).score(parts[1], parts[3])
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(parts[0], parts[2])
    print(f"seed {seed}: spiking {spiking:.1%}, linear {linear.score(parts[1], parts[3]):.1%}")

# %% [markdown]
# ## What was chosen, and is it healthy?
#
# `choices_` shows how the configuration was scaled to the data. `findings_` shows whether anything
# saturates, stays silent or cannot learn; messages appear only for values that are out of range.

# %%
for choice in classifier.choices_[:8]:
    print(f"{choice.field} = {choice.value}: {choice.reason}")

# %%
for finding in classifier.findings_:
    print(f"{finding.name:<32} {finding.value:8.3f}  {finding.message or 'in range'}")

# %% [markdown]
# ## Pictures
#
# `tasks.draw_*` return Matplotlib figures.

# %%
# Output spikes of one test wine, one row for each class
test = classifier.encoder_.encode(X_test, seed=0)
with bitlif.open(classifier.config_, learning=False) as core:
    core.load(classifier.weights_)
    result = core.run(test)
counts = [int(count) for count in result.counts[0]]
print(f"spike counts {counts}, the wine is of class {y_test[0]}")
tasks.draw_raster(result, window=0)

# %%
# Confusion matrix of the test wines
matrix = confusion_matrix(y_test, classifier.predict(X_test), 3)
tasks.draw_confusion(matrix)

# %% [markdown]
# ## The same from the command line
#
# `bitlif new` writes a configuration file scaled to a data file, with a line of explanation at each
# field. `bitlif learn` trains on it and prints accuracy, a table of the classes and the confusion
# matrix.

# %%
names = [name.replace("/", " of ") for name in wine.feature_names]
table = np.column_stack([wine.data, wine.target])
np.savetxt("wine.csv", table, fmt="%g", delimiter=",", header=",".join([*names, "y"]), comments="")


def run(command):
    """Run a bitlif command and print what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], capture_output=True, text=True, check=True
    )
    print(done.stdout)


# %% varies
run("bitlif new wine --data wine.csv")

# %% varies
run("bitlif learn wine.toml --data wine.csv --test 0.25 --out wine-run")

# %% varies
print("\n".join(Path("wine.toml").read_text().splitlines()[:24]))

# %% [markdown]
# ## A study
#
# How many bits does a weight need? A study trains every point with several seeds. It can be stopped
# and resumed at any time, and `bitlif report` makes a page from it.

# %% varies
Path("bits.toml").write_text("""
name = "wine-bits"
title = "How many weight bits does the wine need?"
epochs = 5
seeds = [0, 1]
objectives = ["accuracy", "bits"]

[task]
data = "wine.csv"

[[axis]]
field = "synapse.weight.bits"
values = [2, 4, 8]
unit = "bits"
""")
run("bitlif study bits.toml --out bits --workers 1")

# %% [markdown]
# ## Next
#
# * [Which bits do I need?](which-bits-do-i-need.md) reads such a study and its report.
# * [Your own time series](your-own-time-series.md) and [Into my own Verilog
#   top](into-my-own-verilog-top.md).
# * [Configuration fields](../fields.md) explains everything in `wine.toml`.
