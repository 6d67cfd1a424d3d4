"""What training returns, whatever it learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bitlif.model.events import Events
from bitlif.scripts.support.resume import Earlier, counters_of
from bitlif.sim.backends.core import Core
from bitlif.tasks.encoding import Encoder
from bitlif.tasks.finding import Finding

from .judged import Judged


class Outcome(NamedTuple):
    """Outcome of training.

    Attributes
    ----------
    report : dict
        Covers all epochs, including those before a --resume.
    events : Events
        Windows to run the layer with.
    seconds : float
        Time of this call.
    windows : int
        Windows learned in this call.
    judged : Judged or None
        The test of a classifier.
    findings : list of Finding
        The diagnosis of a training on a task.
    encoder : Encoder or None
        The encoder of own data.
    """

    report: dict[str, Any]
    events: Events
    seconds: float
    windows: int
    judged: Judged | None = None
    findings: Sequence[Finding] = ()
    encoder: Encoder | None = None


def summed_counters(
    core: Core, earlier: Earlier, tallies: Sequence[dict[str, int]]
) -> dict[str, int]:
    """Return the sums of counters over calls, those of earlier runs included."""
    known = [earlier.counters] if earlier.counters else []
    names = counters_of(core.backend, core.config)
    every = (*known, *tallies)
    return {
        name: sum(tally[name] for tally in every)
        for name in names
        if all(name in tally for tally in every)
    }
