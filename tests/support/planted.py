"""Mistakes that an implementer of the contract could make, planted in `golden_steps`.

A mistake is a change to the text of that module: the wrong program is run on golden sets, and its
arrays are compared with theirs in the order of docs/golden.md.

    python tests/support/planted.py    # prints the table of docs/golden.md
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from golden_steps import arrays_of, manifest

STEPS = Path(__file__).with_name("golden_steps.py")

LONGEST = 10
"""Seconds of processor time after which a wrong program counts as noticed.

A set needs a hundredth of it.
"""


NOT_COMPUTED = {
    "input_spike", "target", "initial_weight", "error_table_a", "error_table_b", "noise_quantile",
    "noise_lfsr_start", "update_lfsr_start", "step_clocks",
}  # fmt: skip
"""Inputs, constants, and the clock cycles of bitlif's own core."""


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """A golden set in memory.

    Attributes
    ----------
    name : str
    told : dict
        The manifest.
    arrays : dict of str to array
    """

    name: str
    told: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @classmethod
    def read(cls, folder: Path) -> GoldenSet:
        return cls(folder.name, manifest(folder), arrays_of(folder))


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake, as changes to the text of `golden_steps`.

    Attributes
    ----------
    title : str
        What is wrong.
    first : str
        The array in which it must show first.
    changes : tuple of (str, str)
        Each text, which occurs once, and what replaces it.
    """

    title: str
    first: str
    changes: tuple[tuple[str, str], ...]

    def program(self) -> CodeType:
        text = STEPS.read_text("utf-8")
        for right, wrong in self.changes:
            assert text.count(right) == 1, right
            text = text.replace(right, wrong)
        return compile(text, f"<{self.title}>", "exec")


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError after some processor time, in the main thread."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def narrow(values: np.ndarray) -> np.ndarray:
    """Return integers wrapped to 32 bits."""
    return np.asarray(values).astype(np.int32).astype(np.int64)


def toward_zero(values: np.ndarray, shift: int) -> np.ndarray:
    """Return integers divided by a power of two and rounded toward zero."""
    return np.where(values < 0, -(-values >> shift), values >> shift)


def first_difference(program: CodeType, given: GoldenSet) -> str:
    """Return the array in which a program first differs from a set, "" if nowhere.

    The first window decides, then the step, then the order of the arrays.
    """
    space: dict[str, Any] = {"__name__": "planted", "NARROW": narrow, "TOWARD_ZERO": toward_zero}
    try:
        with limited(LONGEST), np.errstate(all="ignore"):
            exec(program, space)
            again = space["Again"](given.told, given.arrays)
            found = again.arrays()
    except Exception as error:
        return f"raises {type(error).__name__}"
    earliest: tuple[float, float, int] | None = None
    name = ""
    for order, (key, values) in enumerate(given.arrays.items()):
        if key in NOT_COMPUTED:
            continue
        if key not in found:
            return f"lacks {key}"
        wrong = np.argwhere(np.asarray(found[key] != values))
        if not wrong.size:
            continue
        axes = next(own["axes"] for own in given.told["arrays"] if own["name"] == key)
        window = wrong[0][0] if axes[0] == "window" else np.inf
        # The phase is known before the first step; all others without steps, after the last.
        step = wrong[0][1] if axes[1:2] == ["step"] else -1 if key == "phase" else np.inf
        if earliest is None or (window, step, order) < earliest:
            earliest, name = (window, step, order), key
    if not name and again.counters != given.told["counters"]:
        return "counters"
    if not name and again.phase(given.told["run"]["windows"]) != given.told["final_phase"]:
        return "final_phase"
    return name


def noticed(mistake: Mistake, sets: Sequence[GoldenSet]) -> dict[str, str]:
    """Return the sets that notice a mistake, each with the array in which it shows first."""
    program = mistake.program()
    found = {given.name: first_difference(program, given) for given in sets}
    return {name: array for name, array in found.items() if array}
