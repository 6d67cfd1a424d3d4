"""LFSR seeds derived from a number or a name, for layers with different noise.

A configuration holds the initial states of its LFSRs, by default 1, so two layers of one
configuration draw identical noise. `Config.seeded` returns a configuration with other states,
derived from a number (for example of a run) or a name (for example of a layer)::

    hidden, output = Layer(config.seeded("hidden")), Layer(config.seeded("output"))

The states are drawn from NumPy's ``default_rng([n, 0x11F5])``, first that of the noise LFSR, then
that of the update LFSR, each an unsigned 64-bit integer from 1 to ``2**width - 1``. n is the
number, or the SHA-256 of the name in UTF-8 as a big-endian integer.
"""

from __future__ import annotations

import hashlib

import numpy as np

from bitlif.model.errors import BitlifError, require_int
from bitlif.model.sections import Settings

STREAM = 0x11F5
"""Distinguishes these draws from others that are made from the same number."""


def seeds_of(settings: Settings, which: int | str) -> tuple[int, int]:
    """Return the seeds of the noise LFSR and of the update LFSR for a number or a name.

    Parameters
    ----------
    settings : Settings
    which : int or str
        A number, 0 ..= 2**31 - 1, or a name of at least one character. The seeds differ unless
        they collide by chance: two 8-bit seeds are equal with probability 1/255.

    Raises
    ------
    BitlifError
        If `which` is out of range or empty.

    Examples
    --------
    >>> from bitlif.model.config.config import Config
    >>> tiny = Config.load("tiny")
    >>> [seeds_of(tiny, which)[0] for which in (0, 1, "hidden")]
    [39400, 23687, 39081]
    """
    noise, learning = states_of(which, settings.noise.lfsr.width, settings.learning.lfsr.width)
    return noise, learning


def states_of(which: int | str, *widths: int) -> tuple[int, ...]:
    """Return an LFSR state for each width, drawn from a number or a name; see `seeds_of`."""
    if isinstance(which, str):
        if not which:
            raise BitlifError("the name that gives a layer its seeds must not be empty")
        number = int.from_bytes(hashlib.sha256(which.encode("utf-8", "surrogatepass")).digest())
    else:
        number = require_int("seed", which, 0, (1 << 31) - 1)
    random = np.random.default_rng([number, STREAM])
    return tuple(
        int(random.integers(1, (1 << width) - 1, endpoint=True, dtype=np.uint64))
        for width in widths
    )
