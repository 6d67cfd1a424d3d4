# %% [markdown]
# # Which bits do I need?
#
# Bits cost memory and gates. For a table of breast tumours, this tutorial asks how many bits the
# weights need and whether their updates need random bits. It runs a small study on two workers and
# reads the answer from its report.

# %%
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from IPython.display import Image
from sklearn.datasets import load_breast_cancer

import bitlif


def run(command):
    """Run a bitlif command and print what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], capture_output=True, text=True, check=True
    )
    print(done.stdout)


# %% [markdown]
# ## The study file
#
# The data are a CSV file with one row per tumour and a column `y`. The table `[task]` names this
# file. Without `config`, each point starts from a configuration that is scaled to the data. Two
# axes make a grid of ten points, and each point is trained with three seeds: data split, spikes,
# order and noise all depend on the seed.

# %%
tumours = load_breast_cancer()
table = np.column_stack([tumours.data, tumours.target])
header = ",".join([*tumours.feature_names, "y"])
np.savetxt("tumours.csv", table, fmt="%g", delimiter=",", header=header, comments="")
Path("tumours.toml").write_text("""
name = "tumours"
title = "Which bits do the tumours need?"
epochs = 5
seeds = [0, 1, 2]
objectives = ["accuracy", "bits"]

[task]
data = "tumours.csv"

[[axis]]
field = "synapse.weight.bits"
values = [2, 3, 4, 6, 8]
unit = "bits"

[[axis]]
field = "learning.random_bits"
values = [0, 8]
unit = "bits"
""")
print(f"{len(table)} tumours, {tumours.data.shape[1]} measurements")

# %% [markdown]
# ## Run it
#
# Results are written as they arrive. You can stop the command at any time. Run it again to
# continue; the final table is the same.

# %% varies
run("bitlif study tumours.toml --out study --workers 2")

# %% [markdown]
# The results are a Parquet file with one row per point and seed, and one column per axis and
# metric.

# %%
rows = pq.read_table("study/results.parquet").to_pylist()
print("weight bits  random bits  accuracy  stored bits")
for weight_bits in (2, 3, 4, 6, 8):
    for random_bits in (0, 8):
        point = (weight_bits, random_bits)
        runs = [row for row in rows
                if (row["synapse.weight.bits"], row["learning.random_bits"]) == point]  # fmt: skip
        accuracy = np.mean([row["accuracy"] for row in runs])
        print(f"{weight_bits:>11}  {random_bits:>11}  {accuracy:>8.1%}  {runs[0]['bits']:>11}")

# %% [markdown]
# ## The report
#
# `bitlif report` writes an interactive page (`report.html`), the same pictures as PNG, and
# `recommended.toml`: the configuration with the fewest bits whose accuracy is at most two points
# below the best.

# %% varies
run("bitlif report study --loss 0.02")

# %%
# Accuracy against stored bits: each point is a configuration, the line is the Pareto front
Image("study/report/pareto.png", width=700)

# %%
# Mean accuracy over weight bits and random bits
Image("study/report/interactions.png", width=700)

# %% [markdown]
# With two or three weight bits and no random bits nothing is learned: every update is below half an
# LSB and rounds to 0. Eight random bits recover most of the accuracy for 31 bits of state. With six
# or more weight bits they make no difference here. The recommended point:

# %%
report = json.loads(Path("study/report/report.json").read_text())
print(report["recommended"]["reason"])
recommended = bitlif.Config.load("study/report/recommended.toml")
print(f"weights {recommended.synapse.weight}, {recommended.learning.random_bits} random bits")

# %% [markdown]
# ## On a board
#
# `bitlif estimate` estimates what this configuration needs on an FPGA.

# %%
run("bitlif estimate study/report/recommended.toml --board icebreaker")

# %% [markdown]
# ## Next
#
# * [Studies](../studies.md) lists all axes and metrics, guided searches and clusters, and shows the
#   studies that come with bitlif.
# * [Noise and learning](noise-and-learning.md) explains what the random bits do.
