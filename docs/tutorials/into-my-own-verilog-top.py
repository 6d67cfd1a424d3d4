# %% [markdown]
# # Into my own Verilog top
#
# A trained layer becomes one SystemVerilog file with its weights inside. This tutorial trains a
# layer on the irises, exports it, instantiates it in a top module of 100 lines, simulates this
# module with Icarus Verilog, and compares every spike count with Python.

# %%
import os
import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

import bitlif
from bitlif import tasks
from bitlif.hdl.export.verilog import core_verilog
from bitlif.tasks.colours import BLUE, GREY, VERMILION
from bitlif.tasks.suit_config import suit_config

FILES = Path(os.environ.get("BITLIF_TUTORIALS", "."))  # iris_top.sv and iris_bench.sv

# %% [markdown]
# ## Train
#
# `Task.from_arrays` splits the table, encodes its four features as spike rates, and `suit_config`
# chooses a configuration that suits these spikes. Each feature has two inputs, one for values above
# its median and one for values below, and there is a bias input: nine in all.

# %%
irises = load_iris()
task = tasks.Task.from_arrays(irises.data, irises.target, name="iris")
train = task.encoded(steps=64, seed=0).train
config, choices = suit_config(train, classes=3, epochs=20, name="iris")

core = bitlif.open(config)
history = tasks.train(core, task, epochs=20, seed=0)
print(f"{config.layer.inputs} inputs, {config.layer.neurons} neurons, {config.window.steps} steps")
print(f"test accuracy {history[-1].test_accuracy:.1%}")

# %% [markdown]
# ## Export
#
# `core_verilog` returns the text of the core, weights included. `bitlif verilog CONFIG --inference
# --weights FILE` writes the same core, with the weights in a separate file. The header of the file
# explains every port. Streams use ready/valid handshakes: a transfer happens at each rising edge at
# which both are high.

# %%
verilog = core_verilog(config, learning=False, weights=core.weights())
Path("core.sv").write_text(verilog)
print("\n".join(line for line in verilog.splitlines() if "events__" in line and line[:2] == "//"))

# %% [markdown]
# ## The top
#
# The top takes the spikes of a step as a vector, sends them to the core one by one, lowest number
# first, ends the step with an event that has `last` set, counts the output spikes of each neuron,
# and names the neuron with the most spikes once a window is over. While the core computes a step,
# `event_ready` is 0 and the next step waits.

# %%
top = (FILES / "iris_top.sv").read_text()
print(top[top.index("  // -- spikes of a step") : top.index("  // -- spike counts")].rstrip())

# %% [markdown]
# ## Simulate
#
# The bench reads one line of bits for each step, and prints the answer and the three counts of each
# window. Python runs the same windows through the integer model, which starts from the same LFSR
# seeds as a core after its reset.

# %%
test = task.encoded(steps=64, seed=0).test
raster = np.zeros((test.windows * test.steps, test.units), int)
steps_of_events = np.repeat(np.arange(len(raster)), np.diff(test.pointers))
raster[steps_of_events, test.addresses] = 1
lines = ["".join(map(str, row[::-1])) for row in raster]  # input 0 is the lowest bit
Path("spikes.txt").write_text("\n".join(lines) + "\n")

sources = [FILES / "iris_bench.sv", FILES / "iris_top.sv", "core.sv"]
subprocess.run(["iverilog", "-g2012", "-o", "bench", *sources], check=True)
printed = subprocess.run(["vvp", "bench"], check=True, capture_output=True, text=True).stdout
simulated = np.array([line.split() for line in printed.splitlines() if line[0].isdigit()], int)

with bitlif.open(config, learning=False) as model:
    model.load(core.weights())
    timing = model.run(test)
    expected = timing.counts
assert (simulated[:, 1:] == expected).all()
print(f"{len(expected)} windows, all {expected.size} spike counts equal those of the model")

# %% [markdown]
# These are the last windows, and the share of correct answers. If two neurons spike equally often,
# this top answers with the lower number; `tasks.accuracy` also compares their membrane potentials.

# %%
names = irises.target_names
labels = task.encoded(steps=64, seed=0).test_labels
for answer, *counts in simulated[-5:]:
    print(f"{names[answer]:<12} {[int(count) for count in counts]}")
print(f"right in {np.mean(simulated[:, 0] == labels):.1%} of {len(labels)} windows")

# %% [markdown]
# ## Timing
#
# The bench has recorded the ports of the top and of the core at every rising edge. The picture
# shows two steps around the first output spike. Boxes show the number of an input or neuron, and
# red boxes are events with `last`, which end a step.

# %%
# Two steps of a window at the ports, clock cycle by clock cycle
columns = ["step_valid", "step_ready", "spikes", "event_valid", "event_ready", "event",
           "out_valid", "out", "answer_valid"]  # fmt: skip
rows = [line.split() for line in Path("trace.txt").read_text().splitlines()]
rows = [[int(value) if value.isdigit() else 0 for value in row] for row in rows]
trace = dict(zip(columns, np.array(rows).T, strict=True))
first_spike = int(np.flatnonzero(trace["out_valid"] & (trace["out"] < 4))[0])
START, CYCLES = first_spike - 36, 64


def wires(axes, signals):
    """Draw signals of one bit, and buses as labelled boxes while they are valid."""
    for row, (label, values, valid, last) in enumerate(signals):
        level = -1.5 * row
        values = values[START : START + CYCLES]
        if valid is None:
            axes.stairs(level + 0.9 * values, baseline=None, color=BLUE, linewidth=1.3)
        else:
            axes.plot([0, CYCLES], [level + 0.45] * 2, color="#AAAAAA", linewidth=0.8)
            for cycle in np.flatnonzero(valid[START : START + CYCLES]):
                ends = values[cycle] >= last
                box = plt.Rectangle((cycle + 0.06, level), 0.88, 0.9, facecolor="white",
                                    edgecolor=VERMILION if ends else GREY, linewidth=1)  # fmt: skip
                axes.add_patch(box)
                if not ends:
                    axes.text(cycle + 0.5, level + 0.42, str(values[cycle]), ha="center",
                              va="center", fontsize=7)  # fmt: skip
        axes.text(-0.8, level + 0.45, label, ha="right", va="center", fontsize=8)


taken = (trace["event_valid"] & trace["event_ready"]).astype(bool)
figure, axes = plt.subplots(figsize=(11, 3.6), layout="constrained", dpi=90)
wires(axes, [
    ("step_valid", trace["step_valid"], None, 0),
    ("step_ready", trace["step_ready"], None, 0),
    ("event_valid", trace["event_valid"], None, 0),
    ("event_ready", trace["event_ready"], None, 0),
    ("event taken", trace["event"], taken, 16),
    ("out_valid", trace["out_valid"], None, 0),
    ("output event", trace["out"], trace["out_valid"].astype(bool), 4),
])  # fmt: skip
axes.set(xlabel=f"clock cycles after cycle {START}, 10 ns each", yticks=[], xlim=(0, CYCLES))
axes.spines[["left", "right", "top"]].set_visible(False)
plt.show()

# %% [markdown]
# A step takes clock cycles for each input event and for the pipeline that all neurons pass through.
# The model computes their number: `window_clocks` of a result holds the clock cycle in which each
# window ends, if events never wait. With this top they never wait: it accepts the next vector while
# the core is busy. The answer comes a few clock cycles before the end of the window, with the
# output of the last step.

# %%
began = int(np.flatnonzero(taken)[0])
first_answer = int(np.flatnonzero(trace["answer_valid"])[0]) - began
print(f"core, by the model: {timing.window_clocks[0]} clock cycles for the first window")
print(f"with this top:      {first_answer}, or {first_answer / 100:.1f} us at 100 MHz")

# %% [markdown]
# ## Next
#
# * `bitlif verilog CONFIG --bus axi` exports the core behind AXI4-Lite registers and AXI4-Stream
#   events instead; see [Registers and streams](../registers.md).
# * `bitlif estimate CONFIG` estimates how many cells the core needs on each board.
# * With `learning=True` the core can also learn: it then has a stream of targets and an input
#   `learn`; see [The core](../gates.md).
