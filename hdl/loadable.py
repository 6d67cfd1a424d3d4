"""What a host can load into a core: rows of the schedule, and compatible configurations.

This module does not need Amaranth, so that a host can drive boards without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.derive import derive
from bitlif.model.derive_sweep import DerivedSweep
from bitlif.model.errors import BitlifError, located_in_layer
from bitlif.model.interval import Interval

LOADABLE = (
    "name", "learning.rate", "error.rule", "error.a", "error.b", "error.limit", "error.guard",
)  # fmt: skip
"""Fields outside the schedule that affect only memories which a host can load."""


class SweptUpdate(NamedTuple):
    """What the update of a layer that a sweep teaches has of its own."""

    gradient: Interval
    """Range of a sum of adjoint currents."""
    shifts: tuple[tuple[int, int, int], ...]
    """As `rate_shifts`, for the unit of these sums."""


def swept_update(swept: DerivedSweep) -> SweptUpdate:
    """Return gradient and shifts of a layer from what is derived for its sweep."""
    shifts = tuple(dict.fromkeys((p.rate_left, p.rate_bias, p.rate_right) for p in swept.phases))
    return SweptUpdate(swept.ranges["sweep gradient"], shifts)


def swept_rows(config: Config, swept: DerivedSweep) -> list[dict[str, int]]:
    """Return the schedule of a layer that a sweep teaches; compare `phase_rows`."""
    shifts = swept_update(swept).shifts
    rows = []
    for number, (phase, made) in enumerate(zip(config.schedule, swept.phases, strict=True)):
        shift = (made.rate_left, made.rate_bias, made.rate_right)
        windows = phase.windows if number < len(config.schedule) - 1 else 0
        rows.append(_row(config, made, shifts.index(shift), windows))
    return rows


def _row(config: Config, made: Any, shift: int, windows: int) -> dict[str, int]:
    """Return a row of the schedule; see `bitlif.hdl.host_port.phase_layout`."""
    scale = {"noise_scale": made.noise_scale} if config.noise.drawn else {}
    return {
        **scale,
        "reciprocal": made.reciprocal,
        "rate": made.rate,
        "shift": shift,
        "windows": windows,
    }


def rate_shifts(config: Config) -> tuple[tuple[int, int, int], ...]:
    """Return the distinct (left, bias, right) shifts of the schedule, which the gates implement."""
    phases = derive(config).phases
    return tuple(dict.fromkeys((p.rate_left, p.rate_bias, p.rate_right) for p in phases))


def phase_rows(core: Config, config: Config | None = None) -> list[dict[str, int]]:
    """Return the schedule of `config` as rows for a core built from `core`.

    Parameters
    ----------
    core : Config
        Configuration that the core was built from.
    config : Config or None
        Default: `core`.

    Returns
    -------
    list of dict of str to int
        One row per phase of `core`. A shorter schedule is padded with its last row. The last phase
        never ends, so its row and the padding have 0 windows.

    Raises
    ------
    BitlifError
        If the schedule has more phases than the core, a shift that the core does not implement, or
        a phase other than the last with more windows than the core's counter can hold.
    """
    config = core if config is None else config
    return _rows(core, config, derive(config).phases, rate_shifts(core))


def network_rows(built: NetworkConfig, network: NetworkConfig, number: int) -> list[dict[str, int]]:
    """Return the schedule of a layer of `network` as rows for a core built from `built`.

    Raises
    ------
    BitlifError
        As `phase_rows`; the message names the layer.
    """
    core, config = built.layers[number].config, network.layers[number].config
    shifts = swept_update(built.derived_sweep(number)).shifts
    with located_in_layer(number):
        return _rows(core, config, network.derived_sweep(number).phases, shifts)


def _rows(
    core: Config, config: Config, phases: Sequence[Any], shifts: Sequence[tuple[int, int, int]]
) -> list[dict[str, int]]:
    rows = []
    if len(config.schedule) > len(core.schedule):
        raise BitlifError(
            f"schedule must have at most {len(core.schedule)} phases, as the core has, "
            f"not {len(config.schedule)}"
        )
    most = (1 << max(phase.windows for phase in core.schedule).bit_length()) - 1
    pairs = zip(config.schedule, phases, strict=True)
    for number, (phase, made) in enumerate(pairs):
        shift = (made.rate_left, made.rate_bias, made.rate_right)
        if shift not in shifts:
            raise BitlifError(
                f"schedule[{number}].rate needs a shift that the core was not built with"
            )
        windows = phase.windows if number < len(config.schedule) - 1 else 0
        if windows > most:
            raise BitlifError(
                f"schedule[{number}].windows must be at most {most}, the range of the core, "
                f"not {phase.windows}"
            )
        rows.append(_row(config, made, shifts.index(shift), windows))
    return rows + rows[-1:] * (len(core.schedule) - len(rows))


def require_loadable(core: Config, config: Config) -> None:
    """Check that loading table and schedule turns a core of `core` into one of `config`.

    The sections ``gates`` may differ, since results do not depend on them.

    Raises
    ------
    BitlifError
        If the two differ in anything else; the message names it.
    """
    ours, theirs = (_fixed_fields(each) for each in (core, config))
    differ = [path for path in ours if ours[path] != theirs[path]]
    if differ:
        path = differ[0]
        raise BitlifError(
            f"{path} must be {ours[path]}, as the core was built, not {theirs[path]}; only the "
            f"error table and the schedule can be loaded"
        )
    own, other = derive(core).constants, derive(config).constants
    if own != other:
        names = [name for name in own._fields if getattr(own, name) != getattr(other, name)]
        raise BitlifError(
            f"schedule must not change {', '.join(names)} of the core; choose its largest and "
            f"smallest sigma closer to those of the core"
        )
    phase_rows(core, config)


def _fixed_fields(config: Config) -> dict[str, Any]:
    """Return the fields that are fixed when a core is built, and that results depend on."""
    return {
        path: value
        for path, value in config.flat().items()
        if path not in LOADABLE and not path.startswith(("gates.", "schedule["))
    }
