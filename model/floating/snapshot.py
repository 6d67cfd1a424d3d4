"""The complete state of a float layer as one value."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError
from bitlif.model.files.save_file import (
    MAX_WINDOWS,
    Arrays,
    require_array,
    require_names,
    require_reals,
)
from bitlif.model.state import state_variables

Reals = NDArray[np.float64]

WORD = (1 << 64) - 1

ARRAYS = tuple(own.name for own in state_variables())


class FloatSnapshot(NamedTuple):
    """Weights, state, traces, noise and schedule of a float layer.

    Its arrays are never modified: a run works on a copy, which then replaces the snapshot.
    """

    weights: Reals
    """(N, M)"""
    current: Reals
    membrane: Reals
    trace_current: Reals
    trace: Reals
    random: dict[str, Any]
    """State of NumPy's generator PCG64, in the form of its ``state`` attribute."""
    learned: int
    """Windows learned since the reset."""

    def copied(self) -> FloatSnapshot:
        """Return a copy that a run may modify."""
        return self._replace(**{name: getattr(self, name).copy() for name in ARRAYS})

    def to_arrays(self) -> Arrays:
        """Return the complete state as a dict of arrays; see `from_arrays`."""
        inner = self.random["state"]
        words = [
            *(
                word
                for name in ("state", "inc")
                for word in (inner[name] >> 64, inner[name] & WORD)
            ),
            self.random["has_uint32"],
            self.random["uinteger"],
        ]
        return {
            **{name: getattr(self, name).copy() for name in ARRAYS},
            "random": np.array(words, np.uint64),
            "windows_learned": np.array(self.learned, np.int64),
        }

    def from_arrays(self, arrays: Arrays) -> FloatSnapshot:
        """Return the snapshot that arrays of `to_arrays` describe, for a layer of equal arguments.

        Raises
        ------
        BitlifError
            If an array is missing, or does not fit the layer.
        """
        require_names(arrays, (*ARRAYS, "random", "windows_learned"))
        reals: dict[str, Any] = {
            name: require_reals(arrays, name, getattr(self, name).shape) for name in ARRAYS
        }
        words = [int(word) for word in require_array(arrays, "random", (6,), 0, WORD)]
        inc = words[2] << 64 | words[3]
        # The increment identifies the stream and depends only on the seed.
        if inc != self.random["state"]["inc"] or words[4] > 1 or words[5] >> 32:
            raise BitlifError("random must be a state of the generator with the layer's seed")
        random = {
            **self.random,
            "state": {"state": words[0] << 64 | words[1], "inc": inc},
            "has_uint32": words[4],
            "uinteger": words[5],
        }
        learned = int(require_array(arrays, "windows_learned", (), 0, MAX_WINDOWS))
        return FloatSnapshot(random=random, learned=learned, **reals)
