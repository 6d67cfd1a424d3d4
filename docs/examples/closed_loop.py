"""A pole on a cart, balanced by two neurons that learn while they balance it.

    python docs/examples/closed_loop.py --backend rtl --out closed_loop.png

In each step of 20 ms, the state of cart and pole chooses the inputs that spike, the core runs one
step, and its two neurons push the cart: one to the left, one to the right. A teacher gives the
targets of the same step: the neuron whose side a linear controller would choose shall spike. Only
the neurons push, so the core learns in the states that it brings about itself.

Controls: the same loop without learning, the learned weights without the teacher, and the teacher.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bitlif
from bitlif import Config
from bitlif.tasks.colours import BLUE, GREEN, GREY, VERMILION

STEP = 0.02
"""Seconds per step."""

LIMITS = np.array([2.4, 3.0, math.radians(12.0), 3.0])
"""Ends of position (m), speed (m/s), angle (rad) and angular speed (rad/s) in the code."""

BINS = 8
"""Inputs per variable, of which the one whose interval holds the value spikes."""

GAINS = np.array([0.1, 0.3, 3.0, 0.8])
"""The teacher pushes to the right where the sum of gains times state is positive."""

CONFIG = Config.load("tiny").replace(
    name="pole",
    layer__inputs=4 * BINS,
    layer__neurons=2,
    synapse__weight="s10.7",
    synapse__current="s12.7",
    synapse__decay={"shift": 1},
    membrane__format="s12.7",
    membrane__decay={"shift": 1},
    membrane__gain=0.5,
    learning__random_bits=8,
    # The weights keep moving as long as the rate is high.
    schedule=[{"windows": 250, "sigma": 0.3, "rate": 0.5}, {"sigma": 0.3, "rate": 0.0625}],
)


@dataclass
class Pole:
    """Cart and pole of Barto, Sutton and Anderson (1983).

    Attributes
    ----------
    random : numpy.random.Generator
        Draws the state in which each attempt starts.
    """

    random: np.random.Generator

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin an attempt near the upright position."""
        self.state = self.random.uniform(-0.05, 0.05, 4)

    @property
    def fallen(self) -> bool:
        """Whether the pole has fallen, or the cart has reached the end of its track."""
        return bool(abs(self.state[0]) > LIMITS[0] or abs(self.state[2]) > LIMITS[2])

    def push(self, force: float) -> None:
        """Apply a force, in newton, for one step."""
        _, speed, angle, turning = self.state
        sine, cosine = math.sin(angle), math.cos(angle)
        mass, pole, half = 1.1, 0.1, 0.5
        pushed = (force + pole * half * turning**2 * sine) / mass
        turned = (9.8 * sine - cosine * pushed) / (half * (4 / 3 - pole * cosine**2 / mass))
        moved = pushed - pole * half * turned * cosine / mass
        self.state = self.state + STEP * np.array([speed, moved, turning, turned])


def code(state: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the inputs that spike: one per variable."""
    place = (np.tanh(1.5 * state / LIMITS) + 1) / 2 * BINS
    return np.arange(4) * BINS + np.clip(place, 0, BINS - 1).astype(np.int64)


@dataclass(frozen=True)
class Trial:
    """What a loop did.

    Attributes
    ----------
    durations : list of float
        Seconds of each attempt that has ended.
    ends : list of float
        Time at the end of each attempt, in seconds.
    angles : (steps,) float
        In degrees.
    """

    durations: list[float]
    ends: list[float]
    angles: NDArray[np.float64]


def balance(
    core: bitlif.sim.Core | None,
    steps: int,
    *,
    learn: bool,
    seed: int = 1,
    longest: float = 10.0,
    begin: float = 0.0,
) -> Trial:
    """Close the loop for some steps.

    Parameters
    ----------
    core : Core or None
        A core of `CONFIG`. None: the teacher pushes.
    steps : int
    learn : bool
        Whether the core learns.
    seed : int
        Of the states in which attempts start.
    longest : float
        Seconds after which an attempt ends that has not failed.
    begin : float
        Time at which the loop begins, in seconds.
    """
    pole = Pole(np.random.default_rng(seed))
    durations, ends, angles, began = [], [], np.zeros(steps), 0
    for step in range(steps):
        right = bool(GAINS @ pole.state > 0)
        if core is None:
            left_spike, right_spike = not right, right
        else:
            targets = np.array([0.05, 0.9] if right else [0.9, 0.05])
            spikes = core.step(code(pole.state), targets, learn=learn).spikes
            left_spike, right_spike = bool(spikes[0]), bool(spikes[1])
        pole.push(10.0 * (right_spike - left_spike))
        angles[step] = math.degrees(pole.state[2])
        seconds = (step + 1 - began) * STEP
        if pole.fallen or seconds >= longest:
            durations.append(seconds)
            ends.append(begin + (step + 1) * STEP)
            began = step + 1
            pole.start()
    return Trial(durations, ends, angles)


def run_trials(backend: str, steps: int) -> dict[str, Trial]:
    """Run the loop with learning, and its three controls; steps are rounded to whole windows."""
    steps -= steps % CONFIG.window.steps
    with bitlif.open(CONFIG, backend) as core:
        without = balance(core, steps, learn=False)
        core.reset()
        learning = balance(core, steps, learn=True)
        # New starts, and no teacher: only the learned weights are left.
        some = steps // 2 - steps // 2 % CONFIG.window.steps
        frozen = balance(core, some, learn=False, seed=2, begin=steps * STEP)
    return {
        "without learning": without,
        "learning": learning,
        "learned weights, no teacher": frozen,
        "teacher alone": balance(None, steps, learn=False),
    }


def draw(trials: dict[str, Trial], path: Path, title: str) -> None:
    """Draw the durations of all attempts, and the angle while learning begins and ends."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    looks = {
        "without learning": (VERMILION, "s"),
        "learning": (BLUE, "o"),
        "learned weights, no teacher": (GREEN, "^"),
        "teacher alone": (GREY, "x"),
    }
    figure = Figure(figsize=(8, 6.4), layout="constrained")
    axes = figure.subplot_mosaic([["attempts", "attempts"], ["first", "last"]])
    top = axes["attempts"]
    for name, trial in trials.items():
        colour, mark = looks[name]
        mean = np.mean(trial.durations)
        top.plot(
            trial.ends, trial.durations, mark, color=colour, markersize=5, fillstyle="none",
            label=f"{name}: mean {mean:.1f} s",
        )  # fmt: skip
    top.set(xlabel="time of the attempt's end (s)", ylabel="duration of the attempt (s)")
    top.set(title=title, ylim=(0, 11))
    figure.legend(*top.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    angles = trials["learning"].angles
    shown = min(len(angles), round(10 / STEP))
    for place, first in (("first", 0), ("last", len(angles) - shown)):
        panel = axes[place]
        panel.plot((first + np.arange(shown)) * STEP, angles[first : first + shown], color=BLUE)
        for side in (-1, 1):
            panel.axhline(side * math.degrees(LIMITS[2]), color=GREY, linestyle="--")
        panel.set(
            xlabel="time (s)", ylim=(-15, 15), title=f"learning, the {place} {shown * STEP:g} s"
        )
        panel.set_ylabel("angle (degrees)" if place == "first" else "")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run the loop and its controls, print the mean durations, and draw them."""
    parser = argparse.ArgumentParser(description="Balance a pole with a core in the loop.")
    parser.add_argument("--backend", default="rtl", help="name of a backend (default: rtl)")
    parser.add_argument("--steps", type=int, default=9000, help="steps of 20 ms (default: 9000)")
    parser.add_argument("--out", type=Path, default=Path("closed_loop.png"), help="picture")
    arguments = parser.parse_args()
    trials = run_trials(arguments.backend, arguments.steps)
    for name, trial in trials.items():
        count, mean = len(trial.durations), np.mean(trial.durations)
        print(f"{name}: {count} attempts, mean duration {mean:.1f} s")
    draw(trials, arguments.out, f"A pole balanced by two neurons ({arguments.backend})")


if __name__ == "__main__":
    main()
