# %% [markdown]
# # Noise and learning
#
# The neurons of bitlif are noisy on purpose: noise turns the threshold into a probability of a
# spike, and a probability has a gradient. This tutorial looks at the noise of one layer, at the
# probability of a spike, at the effect of too little and too much noise on learning, and at the
# random bits that preserve small updates of weights with few bits.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import ndtr

import bitlif
from bitlif import tasks
from bitlif.model.noise_report.distribution import levels_in_sigma, probabilities
from bitlif.tasks.colours import BLUE, GREY, ORANGE, VERMILION
from bitlif.tasks.teacher import learn_from_teacher, make_teacher_task, teacher_correlation

# %% [markdown]
# ## The noise itself
#
# Gates draw noise from a linear feedback shift register (LFSR). The layer for the digits adds four
# of its bytes. The distribution of this sum is known exactly, because all values of the bytes are
# equally likely. It is nearly Gaussian in the middle, and ends at 3.45 sigma: a neuron that is
# further below its threshold never spikes.

# %%
digits = bitlif.Config.load("digits")
pmf = digits.noise.pmf
print(f"cut-off {pmf.cutoff:.2f} sigma, excess kurtosis {pmf.kurtosis:.2f}")

# %%
# Exact distribution of the noise, beside a Gaussian
levels, mass = levels_in_sigma(pmf), probabilities(pmf)
density = mass / np.diff(levels).mean()
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained", dpi=90)
axes.semilogy(levels, density, color=BLUE, label="sum of four bytes")
gaussian = np.exp(-(levels**2) / 2) / np.sqrt(2 * np.pi)
axes.semilogy(levels, gaussian, "--", color=GREY, label="Gaussian")
axes.set(xlabel="noise (sigma)", ylabel="probability density (1/sigma)", ylim=(1e-7, 1))
axes.legend()
plt.show()

# %% [markdown]
# ## The probability of a spike
#
# In each step a neuron spikes if its membrane potential plus a new draw reaches the threshold.
# Train the digits, run the test windows, and count how often neurons spike at each distance from
# the threshold: the measured share follows the distribution of the noise. Without noise this curve
# would be a step, and its derivative, which learning needs, would be zero almost everywhere.

# %%
core = bitlif.open(digits)
history = tasks.train(core, "digits", epochs=5)
print(f"{history[-1].test_accuracy:.1%} after 5 epochs")

test = tasks.get("digits").load(digits, seed=0).test
result = core.run(test, record=("membrane",))
last_sigma = digits.schedule[core.phase()].sigma
membrane = result.membrane / 2**digits.membrane.format.frac
distance = (membrane - digits.membrane.threshold) / last_sigma
print(f"{distance.size:,} neuron-steps with sigma {last_sigma:g}")

# %%
# Share of spikes by distance of the membrane from the threshold
edges = np.linspace(-4, 4, 41)
place = np.digitize(distance.ravel(), edges)
count = np.bincount(place, minlength=42)[1:41]
share = np.bincount(place, result.raster.ravel(), minlength=42)[1:41] / np.maximum(count, 1)
middle = (edges[:-1] + edges[1:]) / 2
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained", dpi=90)
fine = np.linspace(-4, 4, 200)
axes.plot(fine, ndtr(fine), "--", color=GREY, label="Gaussian noise")
axes.step([-4, 0, 0, 4], [0, 0, 1, 1], ":", color=ORANGE, label="no noise")
many = count > 50
axes.plot(
    middle[many], share[many], "o", color=BLUE, markersize=4, label="measured in the integers"
)
axes.set(xlabel="membrane minus threshold (sigma)", ylabel="share of steps with a spike")
axes.legend()
plt.show()
near = np.abs(middle) < 3
worst = np.abs(share - ndtr(middle))[near & many].max()
print(f"largest distance from the Gaussian curve: {worst:.3f}")

# %% [markdown]
# ## Too little, too much
#
# A student learns the unknown weights of a teacher from the teacher's spikes alone. There are two
# error rules. The likelihood rule divides the density of the noise by the probability of a spike,
# so that it also learns far from the threshold. The clipped rule does not divide. From zero
# weights, far below the threshold, its error is zero unless the noise reaches the threshold. Each
# point is the median of three students, on 400 repetitions of a window, in integers.

# %%
SIGMAS = (0.02, 0.05, 0.1, 0.2, 0.3, 1.0)
teacher = bitlif.Config.load("teacher")
found = {}
for rule in ("likelihood", "clipped"):
    for sigma in SIGMAS:
        config = teacher.replace(error__rule=rule, schedule=[{"sigma": sigma}])
        correlations = []
        for seed in range(3):
            task = make_teacher_task(config, seed)
            with bitlif.open(config.seeded(seed)) as student:
                learn_from_teacher(student, task)
                correlations.append(teacher_correlation(student, task))
        found[rule, sigma] = np.median(correlations)
for rule in ("likelihood", "clipped"):
    print(f"{rule:<11}", *(f"{found[rule, sigma]:5.2f}" for sigma in SIGMAS))

# %%
# Correlation of learned weights with the teacher's, by noise and rule
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained", dpi=90)
for rule, colour, mark in (("likelihood", BLUE, "o-"), ("clipped", VERMILION, "s--")):
    axes.semilogx(SIGMAS, [found[rule, s] for s in SIGMAS], mark, color=colour, label=rule)
axes.set(xlabel="sigma of the noise (threshold = 1)", ylabel="correlation with the teacher")
axes.set(xticks=SIGMAS, xticklabels=[f"{s:g}" for s in SIGMAS])
axes.minorticks_off()
axes.legend()
plt.show()

# %% [markdown]
# With much noise both rules are worse, because a spike then says little about the membrane
# potential. The clipped rule also fails with little noise. Cooling solves this: begin with much
# noise and end with little. `bitlif teacher` and [the source's claims](../figures.md) show it.
#
# ## Random bits for small updates
#
# The second noise source belongs to the weight update. With weights of four bits, most updates for
# the digits are far below half an LSB. Rounded to nearest, they all vanish. Rounded stochastically,
# they change a weight by one LSB with a probability that equals their size in LSBs, so the average
# is correct.

# %%
small = bitlif.Config.load("digits-4bit")
curves = {}
for random_bits in (0, small.learning.random_bits):
    with bitlif.open(small.replace(learning__random_bits=random_bits).seeded(0)) as layer:
        curves[random_bits] = tasks.train(layer, "digits", epochs=10)
    print(f"{random_bits:>2} random bits: {curves[random_bits][-1].test_accuracy:.1%}")

# %%
# Test accuracy with 4-bit weights, by rounding of the updates
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained", dpi=90)
styles = ((BLUE, "o-", "stochastic rounding"), (VERMILION, "s--", "rounding to nearest"))
for (color, mark, label), bits in zip(styles, sorted(curves, reverse=True), strict=True):
    epochs = range(1, 1 + len(curves[bits]))
    accuracy = [100 * epoch.test_accuracy for epoch in curves[bits]]
    axes.plot(epochs, accuracy, mark, color=color, label=label)
axes.set(xlabel="epoch", ylabel="test accuracy (%)", ylim=(0, 100))
axes.legend()
plt.show()

# %% [markdown]
# ## Next
#
# * [Which bits do I need?](which-bits-do-i-need.md) searches such settings systematically.
# * `bitlif noise CONFIG` prints the distribution, the periods and the measured statistics of any
#   noise source.
# * The [contract](../contract.md#noise) defines the draws to the bit.
