"""What a host can load into a core: the rows of its schedule, and which configurations fit.

Nothing here needs Amaranth: a host may have boards only.
"""

from __future__ import annotations

from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError

LOADABLE = (
    "name", "learning.rate", "error.rule", "error.a", "error.b", "error.limit", "error.guard",
)  # fmt: skip
"""Fields, besides the schedule's, that only the loaded memories depend on."""


def rate_shifts(config: Config) -> tuple[tuple[int, int, int], ...]:
    """Return the distinct (left, bias, right) of the schedule: the shifts that gates must have."""
    phases = derive(config).phases
    return tuple(dict.fromkeys((p.rate_left, p.rate_bias, p.rate_right) for p in phases))


def phase_rows(core: Config, config: Config | None = None) -> list[dict[str, int]]:
    """Return the schedule of `config` (default: the core's own) as rows for a core of `core`.

    A core has as many rows as its own configuration has phases; when there are fewer, the last one
    is repeated. The last phase stays in force for ever, whatever its windows: its row, and the
    repetitions, have 0.

    Raises
    ------
    BitlifError
        If the core cannot run the schedule: more phases, a shift that it was not built with, a
        number of windows, of any phase but the last, that its counter does not hold.
    """
    config = core if config is None else config
    shifts, rows = rate_shifts(core), []
    if len(config.schedule) > len(core.schedule):
        raise BitlifError(
            f"schedule must have at most {len(core.schedule)} phases, as the core was built, "
            f"not {len(config.schedule)}"
        )
    most = (1 << max(phase.windows for phase in core.schedule).bit_length()) - 1
    pairs = zip(config.schedule, derive(config).phases, strict=True)
    for number, (phase, made) in enumerate(pairs):
        shift = (made.rate_left, made.rate_bias, made.rate_right)
        if shift not in shifts:
            raise BitlifError(
                f"schedule[{number}].rate needs another shift than the core was built with"
            )
        windows = phase.windows if number < len(config.schedule) - 1 else 0
        if windows > most:
            raise BitlifError(
                f"schedule[{number}].windows must be at most {most}, as the core was built, "
                f"not {phase.windows}"
            )
        rows.append(
            {
                "noise_scale": made.noise_scale,
                "reciprocal": made.reciprocal,
                "rate": made.rate,
                "shift": shifts.index(shift),
                "windows": windows,
            }
        )
    return rows + rows[-1:] * (len(core.schedule) - len(rows))


def require_loadable(core: Config, config: Config) -> None:
    """Raise unless a core of `core` becomes one of `config` by loading table and schedule.

    Raises
    ------
    BitlifError
        Naming what else differs.
    """
    ours, theirs = (_fixed_fields(each) for each in (core, config))
    differ = [path for path in ours if ours[path] != theirs[path]]
    if differ:
        path = differ[0]
        raise BitlifError(
            f"{path} must be {ours[path]}, as the core was built, not {theirs[path]}: only the "
            f"error table and the schedule can be loaded"
        )
    own, other = derive(core).constants, derive(config).constants
    if own != other:
        names = [name for name in own._fields if getattr(own, name) != getattr(other, name)]
        raise BitlifError(
            f"schedule must leave the core's {' and '.join(names)} as they are: choose its largest "
            f"and smallest sigma nearer to the core's own"
        )
    phase_rows(core, config)


def _fixed_fields(config: Config) -> dict[str, Any]:
    """Return the fields that are built into a core."""
    return {
        path: value
        for path, value in config.flat().items()
        if path not in LOADABLE and not path.startswith("schedule[")
    }
