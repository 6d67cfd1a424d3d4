"""Mutual information of stimuli and responses in bits, estimated from counts of trials."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def entropy(counts: NDArray[np.integer]) -> float:
    """Return the entropy in bits of a distribution given by counts, with Miller's correction.

    The plug-in estimate is increased by (K - 1) / (2 N ln 2) for N counts on K occupied values
    (Miller 1955, "Note on the bias of information estimates"; also known as Miller-Madow).

    >>> round(entropy(np.array([500, 500])), 6)                       # 1 + 1 / (2000 ln 2)
    1.000721
    """
    occupied = np.asarray(counts)[np.asarray(counts) > 0]
    total = int(occupied.sum())
    share = occupied / total
    plug_in = -float((share * np.log2(share)).sum())
    return plug_in + (occupied.size - 1) / (2 * total * math.log(2))


def mutual_information(responses: NDArray[np.integer]) -> float:
    """Return the information in bits of responses about equally frequent stimuli.

    I = H(R) - mean over stimuli of H(R | s), each corrected as in `entropy`.

    Parameters
    ----------
    responses : (S, trials) int
        Responses to S stimuli; equal integers are the same response.

    Examples
    --------
    >>> mutual_information(np.repeat([[3], [7]], 100, axis=1)) - 1.0 < 0.004    # one bit, no noise
    True
    """
    stimuli = responses.shape[0]
    values, index = np.unique(responses, return_inverse=True)
    index = index.reshape(responses.shape)
    cells = index + values.size * np.arange(stimuli)[:, None]
    table = np.bincount(cells.ravel(), minlength=stimuli * values.size)
    table = table.reshape(stimuli, values.size)
    return entropy(table.sum(axis=0)) - float(np.mean([entropy(row) for row in table]))


def shuffled_information(responses: NDArray[np.integer], seed: int) -> float:
    """Return the mutual information in bits after a random permutation of the responses.

    Its true value is zero, so that the estimate shows the bias that the correction leaves.
    """
    random = np.random.default_rng([seed, 0x5F])
    flat = responses.ravel().copy()
    random.shuffle(flat)
    return mutual_information(flat.reshape(responses.shape))


def binary_words(trains: NDArray[np.integer], letters: int) -> NDArray[np.int64]:
    """Return spike trains as binary words; bit k is 1 if the k-th bin has a spike.

    Parameters
    ----------
    trains : (..., steps) int
    letters : int
        Number of bins, which must divide the number of steps.

    Returns
    -------
    (...) int64
    """
    steps = trains.shape[-1]
    bins = trains.reshape(*trains.shape[:-1], letters, steps // letters).any(axis=-1)
    return np.asarray((bins * (1 << np.arange(letters))).sum(axis=-1), np.int64)
