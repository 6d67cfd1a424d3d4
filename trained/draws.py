"""The draws of the noise in plain tensor operations, on any device."""

from __future__ import annotations

from typing import Any

import torch

from bitlif.model.config.config import Config
from bitlif.model.lfsr import Lfsr, lag_array


def stream_bits(source: Lfsr, count: int, device: Any) -> Any:
    """Return the first bits of the stream of an LFSR: (count,) int64 of 0 and 1.

    The recurrence also holds with all lags doubled, since p(x)^2 = p(x^2) over GF(2). They are
    doubled as soon as the bits before suffice, so a few passes make any number of bits.

    >>> stream_bits(Lfsr((8, 4, 3, 2), 1), 12, "cpu").tolist()
    [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    """
    lags = [int(lag) for lag in lag_array(source.taps)]
    bits = torch.zeros(max(count, source.width), dtype=torch.int64, device=device)
    start = [source.state >> k & 1 for k in range(source.width)]
    bits[: source.width] = torch.tensor(start, dtype=torch.int64, device=device)
    known, stretch = source.width, 1
    while known < count:
        while 2 * stretch * source.width <= known:
            stretch *= 2
        run = min(lags[0] * stretch, count - known)
        own = torch.zeros(run, dtype=torch.int64, device=device)
        for lag in lags:
            own ^= bits[known - lag * stretch : known - lag * stretch + run]
        bits[known : known + run] = own
        known += run
    return bits[:count]


def noise_draws(config: Config, first: int, windows: int, device: Any) -> Any:
    """Return the draws of windows ``first ..< first + windows`` since the reset.

    Returns
    -------
    (T, windows, M) int64 tensor
        Centred, in the unit of the noise's distribution.
    """
    noise, sizes, steps = config.noise, config.layer, config.window.steps
    if not noise.drawn:
        return torch.zeros((steps, windows, sizes.neurons), dtype=torch.int64, device=device)
    carried = config.window.lfsr == "carry"
    made = windows if carried else 1
    count = made * steps * sizes.slots
    start = first * steps * sizes.slots * noise.leap if carried else 0
    found: dict[Lfsr, Any] = {}
    lanes = []
    for source in noise.lfsr.streams(sizes.lanes):
        if source not in found:
            bits = stream_bits(
                source.jump(start), (count - 1) * noise.leap + noise.draw_bits, device
            )
            found[source] = _draws(config, bits, count)
        lanes.append(found[source].view(made, steps, sizes.slots))
    # Slot k of lane l is neuron k P + l.
    every = torch.stack(lanes, -1).view(made, steps, -1)[..., : sizes.neurons]
    return every.transpose(0, 1).expand(steps, windows, sizes.neurons)


def _draws(config: Config, bits: Any, count: int) -> Any:
    """Return `count` draws, made of the bits of a stream."""
    noise = config.noise
    words, word_bits = noise.words, noise.word_bits
    rows = bits.as_strided((count, words, word_bits), (noise.leap, word_bits, 1))
    if noise.kind == "popcount":
        return 2 * rows.sum((1, 2)) - words * word_bits
    scale = 1 << torch.arange(word_bits, dtype=torch.int64, device=bits.device)
    values = (rows * scale).sum(2)
    if noise.kind == "inverse_cdf":
        return torch.from_numpy(noise.quantiles).to(bits.device)[values[:, 0]]
    return 2 * values.sum(1) - words * ((1 << word_bits) - 1)
