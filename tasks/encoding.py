"""Encoders that are fitted on training data: from tables and time series to spikes.

An `Encoder` scales each feature to 0 ..= 1 by the training data, and applies a code of
`bitlif.tasks.encoders`. The spikes of a window depend only on its own row and the seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import (
    BitlifError,
    BitlifTypeError,
    require_choice,
    require_int,
    require_real,
)
from bitlif.model.events import MAX_TOTAL, MAX_UNITS, Events
from bitlif.model.text import quoted

from .encoder_options import ENCODERS, KINDS, checked_options, named_kind, wrong_kind
from .encoders import delta_level, field_width
from .numeric import as_inputs, kind_of, levels_of, scale_of, windows_of
from .spike_codes import (
    LEVEL_BITS,
    ONE,
    SILENT_BELOW,
    crossings,
    drawn_spikes,
    latency_spikes,
    random_words,
    receptive_fields,
    regular_spikes,
    resampled,
)

__all__ = ["ENCODERS", "Encoder"]

MOST_STEPS = 1 << 20
BLOCK = 1 << 22
"""Most steps times inputs that are encoded at once."""

VERSION = 1


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder with the scale of its training data. Made by `fit` or `from_json`; immutable.

    Attributes
    ----------
    name : str
        One of `ENCODERS`.
    steps : int
        Steps per window.
    kind : str
        What it encodes: ``"table"``, ``"series"`` or ``"spikes"``.
    features : int
        Features of a table, channels of a series, or units of spikes.
    samples : int
        Samples per window of a series; else 0.
    settings : tuple of (str, object)
        All options and their values.
    low, high : tuple of float
        Values of each feature that are scaled to 0 and 1.
    middle : tuple of float
        With the option `opponent`, the median of each feature; else empty.

    Examples
    --------
    >>> encoder = Encoder.fit("rate", np.array([[1.0], [3.0]]), steps=8, bias_rate=0.5)
    >>> encoder.inputs, encoder.encode(np.array([[1.0], [2.0], [9.0]])).counts()[:, 0].tolist()
    (2, [0, 4, 7])
    """

    name: str
    steps: int
    kind: str
    features: int
    samples: int
    settings: tuple[tuple[str, Any], ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    middle: tuple[float, ...] = ()

    @classmethod
    def fit(cls, name: str, X: Any, *, steps: int, **options: Any) -> Encoder:
        """Return an encoder with the scale of training data.

        Parameters
        ----------
        name : str
            ``"rate"``: spikes at a rate that follows the value; for series, the value at that step.
            ``"latency"``: one spike per feature of a table, earlier for larger values.
            ``"level_crossing"``: two inputs per channel of a series, for crossings of a level
            upwards and downwards. ``"population"``: several inputs per feature, with Gaussian
            receptive fields. ``"spikes"``: ready spikes, unchanged.
        X : (windows, features) or (windows, channels, samples) float, or Events
            Training data: a table, series, or spikes (also as (windows, steps, inputs) bool).
        steps : int
            Steps per window. Series of another length are averaged or interpolated to it.
        max_rate : float
            Spikes per step at the largest value, for ``"rate"`` and ``"population"``.
        bias_rate : float
            Spikes per step of an additional last input, except for ``"population"``, whose inputs
            need none; 0 for no such input. By default 0.25 for ``"rate"``, else 0.
        opponent : bool
            For ``"rate"``: two inputs per feature, for the distance above and below its median,
            each scaled to 0 ..= 1 by itself. A usual value then spikes little.
        regular : bool
            True: evenly spaced spikes, each input with a phase that the seed determines. False: a
            draw per step.
        delta, reference : float, str
            See `bitlif.tasks.encoders.encode_level_crossing`.
        fields, width, code : int, float, str
            See `bitlif.tasks.encoders.encode_population`.
        quantile : float
            Share of a feature's values below the value that is scaled to 0, and above the one that
            is scaled to 1; in 0 ..= 0.25. Values beyond are clipped. If both are equal, the
            extremes are used. A constant feature is scaled to 0.
        shared : bool
            Whether all features share one scale, as pixels do.

        Raises
        ------
        BitlifError
            If the name, an option or the data are not accepted.
        """
        name = require_choice("encoder", name, ENCODERS)
        steps = require_int("steps", steps, 1, MOST_STEPS)
        settings = checked_options(name, options)
        values = as_inputs(X)
        kind = kind_of(values)
        if kind not in KINDS[name]:
            raise BitlifError(wrong_kind(name, kind))
        if windows_of(values) == 0:
            raise BitlifError(f"an encoder must be fitted to at least one window, not 0: '{name}'")
        if settings.get("code") == "latency" and kind == "series":
            raise BitlifError("code of encoder 'population' must be 'rate' for time series")
        if isinstance(values, Events):
            encoder = cls(name, steps, kind, values.units, 0, (), (), ())
            encoder._check_spikes(values)
            return encoder
        low, middle, high = scale_of(values, settings["quantile"], settings["shared"])
        middle = middle if settings.get("opponent") else ()
        samples = values.shape[2] if kind == "series" else 0
        options_now = tuple(sorted(settings.items()))
        made = cls(name, steps, kind, values.shape[1], samples, options_now, low, high, middle)
        if made.inputs > MAX_UNITS:
            raise BitlifError(
                f"encoder '{name}' must have at most {MAX_UNITS} inputs, not {made.inputs}"
            )
        return made

    @property
    def options(self) -> dict[str, Any]:
        """All options and their values."""
        return dict(self.settings)

    @property
    def inputs(self) -> int:
        """Number of inputs that the encoder drives: N of the layer, a bias input included."""
        if self.name == "population":
            return self.features * int(self.options["fields"])
        two = self.name == "level_crossing" or bool(self.middle)
        return self.features * (2 if two else 1) + self._has_bias

    @property
    def _has_bias(self) -> bool:
        return bool(self.options.get("bias_rate", 0.0) > 0)

    def input_names(self, names: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return a name for each input, made of those of the features.

        >>> Encoder.fit("rate", np.array([[1.0], [3.0]]), steps=8).input_names(("alcohol",))
        ('alcohol', 'bias')
        """
        names = names or tuple(f"x{k}" for k in range(self.features))
        if len(names) != self.features:
            raise BitlifError(f"names must be of {self.features} features, not {len(names)}")
        if self.name == "level_crossing":
            names = tuple(f"{own} {way}" for own in names for way in ("up", "down"))
        if self.name == "population":
            return tuple(f"{own} [{k}]" for own in names for k in range(self.options["fields"]))
        if self.middle:
            names = tuple(f"{own} {side}" for own in names for side in ("above", "below"))
        return (*names, "bias") if self._has_bias else names

    def scaled(self, X: Any) -> NDArray[np.int64]:
        """Return the levels of data, 0 ..= 2**16, of the shape of `X`; values outside are clipped.

        With the option `opponent`, a feature or channel has two: above and below the median.

        Raises
        ------
        BitlifError
            If the data have another shape than the training data, or are not finite.
        """
        values = as_inputs(X)
        if isinstance(values, Events) or kind_of(values) != self.kind:
            raise BitlifError(
                f"X must be a {self.kind} as in training, not {named_kind(kind_of(values))}"
            )
        if values.shape[1] != self.features:
            noun = "features" if self.kind == "table" else "channels"
            raise BitlifError(
                f"X must have {self.features} {noun} as in training, not {values.shape[1]}"
            )
        if self.kind == "series" and values.shape[2] != self.samples:
            raise BitlifError(
                f"X must have {self.samples} samples per window as in training, "
                f"not {values.shape[2]}"
            )
        shape = (1, self.features) if self.kind == "table" else (1, self.features, 1)
        low, high = np.reshape(self.low, shape), np.reshape(self.high, shape)
        if not self.middle:
            return levels_of(values, low, high)
        middle = np.reshape(self.middle, shape)
        both = levels_of(values, middle, high), levels_of(-values, -middle, -low)
        return np.stack(both, axis=2).reshape(len(values), 2 * self.features, *values.shape[2:])

    def encode(
        self, X: Any, *, seed: int = 0, progress: Callable[[int], Any] | None = None
    ) -> Events:
        """Return the spikes of data.

        The spikes of a window depend on its own values and the seed only: not on the other windows,
        and not on its place among them.

        Parameters
        ----------
        X : array or Events
            Of the kind, features and samples of the training data; any number of windows.
        seed : int
            Seed of phases and draws, 0 ..= 2**64 - 1. The codes latency and level crossing draw
            nothing.
        progress : callable or None
            Called with the number of windows encoded so far.

        Raises
        ------
        BitlifError
            As `scaled`, or if the windows have more than `bitlif.model.events.MAX_TOTAL` steps.
        """
        seed = require_int("seed", seed, 0, (1 << 64) - 1)
        if self.kind == "spikes":
            spikes = as_inputs(X)
            if not isinstance(spikes, Events):
                raise BitlifError(wrong_kind(self.name, kind_of(spikes)))
            self._check_spikes(spikes)
            return spikes
        levels = self.scaled(X)
        if len(levels) * self.steps > MAX_TOTAL:
            raise BitlifError(
                f"windows * steps must be at most {MAX_TOTAL}, not {len(levels)} * {self.steps}: "
                f"encode fewer windows at a time"
            )
        size = max(1, BLOCK // (self.steps * max(self.inputs, self.samples)))
        parts = []
        for first in range(0, len(levels), size):
            parts.append(Events.from_raster(self._raster(levels[first : first + size], seed)))
            if progress is not None:
                progress(min(first + size, len(levels)))
        return _joined(parts, self.steps, self.inputs)

    def _raster(self, levels: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
        """Return the spikes of a block of windows: (windows, steps, inputs) bool."""
        options = self.options
        if self.name == "latency":
            return self._biased(latency_spikes(levels, self.steps), seed)
        values = resampled(levels, self.steps) if self.kind == "series" else levels[..., None]
        if self.name == "level_crossing":
            first = options["reference"] == "first"
            start = values[:, :, 0] if first else ONE // 2
            return self._biased(crossings(values, delta_level(options["delta"]), start), seed)
        values = values.transpose(0, 2, 1)
        if self.name == "population":
            values = receptive_fields(values, options["fields"], field_width(options["width"]))
            if options["code"] == "latency":
                active = np.where(values < SILENT_BELOW, 0, values)
                return latency_spikes(active[:, 0], self.steps)
        rates = values * _sixteen_bits(options["max_rate"])
        if self._has_bias:
            bias = np.full((*rates.shape[:2], 1), _sixteen_bits(options["bias_rate"]) * ONE)
            rates = np.concatenate((rates, bias), axis=2)
        rates = np.broadcast_to(rates, (len(rates), self.steps, self.inputs))
        if not options["regular"]:
            return drawn_spikes(rates, levels, seed)
        return regular_spikes(rates, self._phases(seed))

    def _phases(self, seed: int) -> NDArray[np.int64]:
        """Return the phase of each input's evenly spaced spikes: (inputs,)."""
        return (random_words(self.inputs, seed) >> np.uint64(64 - 2 * LEVEL_BITS)).astype(np.int64)

    def _biased(self, raster: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
        """Return spikes with those of a bias input, if there is one."""
        if not self._has_bias:
            return raster
        rate = _sixteen_bits(self.options["bias_rate"]) * ONE
        rates = np.full((1, self.steps, 1), rate, np.int64)
        bias = regular_spikes(rates, self._phases(seed)[-1:])
        bias = np.broadcast_to(bias, (*raster.shape[:2], 1))
        return np.concatenate((raster, bias), axis=2)

    def _check_spikes(self, spikes: Events) -> None:
        """Raise unless spikes have the steps and units of this encoder."""
        for what, own, found in (
            ("steps per window", self.steps, spikes.steps),
            ("inputs", self.features, spikes.units),
        ):
            if own != found:
                raise BitlifError(f"spikes must have {own} {what}, not {found}")

    def to_json(self) -> dict[str, Any]:
        """Return the encoder as a tree for JSON; `from_json` is its exact inverse."""
        return {
            "format": "bitlif encoder",
            "version": VERSION,
            "name": self.name,
            "steps": self.steps,
            "kind": self.kind,
            "features": self.features,
            "samples": self.samples,
            "options": self.options,
            "low": list(self.low),
            "high": list(self.high),
            "middle": list(self.middle),
        }

    @classmethod
    def from_json(cls, tree: Any) -> Encoder:
        """Return the encoder of a tree of `to_json`.

        Raises
        ------
        BitlifError
            If the tree is not that of an encoder; the message names the key.
        """
        if not isinstance(tree, dict) or tree.get("format") != "bitlif encoder":
            raise BitlifError(
                f"an encoder must be an object of 'bitlif encoder', not {quoted(tree)}"
            )
        if tree.get("version") != VERSION:
            raise BitlifError(
                f"version of the encoder must be {VERSION}, not {quoted(tree.get('version'))}"
            )
        known = set(cls.__dataclass_fields__) - {"settings"} | {"format", "version", "options"}
        for key in [*sorted(known - set(tree)), *sorted(set(tree) - known)]:
            state = "is missing" if key in known else "is unknown"
            raise BitlifError(f"key {quoted(key)} of the encoder {state}")
        name = require_choice("name of the encoder", tree["name"], ENCODERS)
        kind = require_choice("kind of the encoder", tree["kind"], KINDS[name])
        features = require_int("features of the encoder", tree["features"], 1, MAX_UNITS)
        least = int(kind == "series")
        samples = require_int(
            "samples of the encoder", tree["samples"], least, MAX_TOTAL if least else 0
        )
        if not isinstance(tree["options"], dict):
            raise BitlifTypeError(
                f"options of the encoder must be an object, not {quoted(tree['options'])}"
            )
        settings = tuple(sorted(checked_options(name, tree["options"]).items()))
        count = 0 if kind == "spikes" else features
        low, high = (_reals(key, tree[key], count) for key in ("low", "high"))
        middle = _reals("middle", tree["middle"], count if dict(settings).get("opponent") else 0)
        wrong = [k for k in range(count) if not low[k] <= (middle or low)[k] <= high[k]]
        if wrong:
            raise BitlifError(
                f"low, middle and high of the encoder must ascend, not for feature {wrong[0]}"
            )
        steps = require_int("steps of the encoder", tree["steps"], 1, MOST_STEPS)
        return cls(name, steps, kind, features, samples, settings, low, high, middle)


def _sixteen_bits(rate: float) -> int:
    return int(rate * ONE + 0.5)


def _joined(parts: list[Events], steps: int, inputs: int) -> Events:
    """Return the windows of all parts in their order."""
    if len(parts) == 1:
        return parts[0]
    addresses = [np.zeros(0, np.int32), *(part.addresses for part in parts)]
    pointers, count = [np.zeros(1, np.int64)], 0
    for part in parts:
        pointers.append(part.pointers[1:] + count)
        count += part.count
    return Events(np.concatenate(addresses), np.concatenate(pointers), steps, inputs)


def _reals(key: str, values: Any, count: int) -> tuple[float, ...]:
    if not isinstance(values, list) or len(values) != count:
        raise BitlifError(f"{key} of the encoder must be a list of {count} numbers")
    most = float(np.finfo(np.float64).max)
    return tuple(require_real(f"{key} of the encoder", value, -most, most) for value in values)
