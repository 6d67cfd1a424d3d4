"""The algorithm of docs/golden.md for sets with options, which the committed sets do not use.

`golden_steps` has the algorithm of the committed sets, of which tests plant mistakes everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from golden_steps import Again

UNUSED = {"width": 8, "taps": [[8, 4, 3, 2]]}
"""An LFSR whose draws are all replaced by 0."""


class AgainWithOptions(Again):
    """A run computed again, also without noise, and with a threshold that spikes subtract."""

    def __init__(self, told: dict[str, Any], given: dict[str, np.ndarray]) -> None:
        self.quiet = told["noise"]["kind"] == "none"
        self.filters = False
        if self.quiet:
            unused = {**UNUSED, "of_lane": [0] * told["run"]["lanes"]}
            told = {**told, "lfsrs": {**told["lfsrs"], "noise": unused}}
            given = {**given, "noise_lfsr_start": np.array([1], object)}
        super().__init__(told, given)
        if self.quiet:
            del self.seen["noise_draw"], self.seen["noise_lfsr"]

    def draw(self, neuron: int) -> int:
        return 0 if self.quiet else super().draw(neuron)

    def filter(self, name: str, state: str, taken: np.ndarray, counter: str) -> np.ndarray:
        self.filters = True
        found = super().filter(name, state, taken, counter)
        self.filters = False
        return found

    def held(self, value: np.ndarray, low: int, high: int, counter: str) -> np.ndarray:
        if counter == "membrane" and not self.filters and "subtracted" in self.c:
            spike = self.seen["spike"][-1].astype(np.int64)
            self.kept = super().held(value - self.c["subtracted"] * spike, low, high, counter)
            return self.kept
        return super().held(value, low, high, counter)

    def note(self, name: str, value: Any) -> None:
        if name == "kept_membrane" and "subtracted" in self.c:
            value = self.state["V"] = self.kept
        super().note(name, value)
