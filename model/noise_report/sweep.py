"""The random bits of the backward sweep of a layer: how many are drawn, and when they repeat."""

from __future__ import annotations

from typing import Any

from bitlif.model.config.network import NetworkConfig
from bitlif.model.period import draw_period, sweep_draw_steps


def describe_sweep(network: NetworkConfig, number: int) -> dict[str, Any]:
    """Return the draws of the sweep of a layer, and their periods, as values of JSON.

    Parameters
    ----------
    network : NetworkConfig
    number : int
        Of the layer.

    Returns
    -------
    dict
        ``rounding`` and ``learned``; if the layer draws: ``width`` of its LFSRs, ``random_bits``
        and ``leap`` of a draw, ``draws_per_step`` of a lane, ``draws_per_window``,
        ``period_draws`` of a lane, ``period_steps`` of a neuron, ``windows_before_repeat``, and
        ``remarks``.
    """
    own = network.layers[number]
    sweep, sizes, steps = own.sweep, own.config.layer, own.config.window.steps
    found: dict[str, Any] = {
        "rounding": str(sweep.rounding),
        "learned": number >= network.learned_from,
    }
    hidden = network.is_hidden(number)
    period = sweep_draw_steps(sweep, sizes, hidden=hidden)
    if not period or not found["learned"]:
        return found
    each = (2 + int(hidden)) * sizes.slots
    remarks = []
    if own.config.window.lfsr == "clear":
        remarks.append("the draws are the same in every window, because window.lfsr is 'clear'")
    if period < steps:
        remarks.append(
            f"the draws of a neuron repeat after {period} of the {steps} steps of a window: choose "
            f"a wider sweep.lfsr or another leap"
        )
    return {
        **found,
        "width": sweep.lfsr.width,
        "random_bits": sweep.random_bits,
        "leap": sweep.leap,
        "draws_per_step": each,
        "draws_per_window": each * steps,
        "period_draws": draw_period(sweep.leap, (1 << sweep.lfsr.width) - 1),
        "period_steps": period,
        "windows_before_repeat": period // steps,
        "remarks": remarks,
    }
