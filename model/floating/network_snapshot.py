"""The complete state of the float twin of a network as one value."""

from __future__ import annotations

from typing import NamedTuple

from bitlif.model.errors import BitlifError, located_in_layer
from bitlif.model.files.save_file import Arrays
from bitlif.model.text import quoted

from .snapshot import FloatSnapshot


class FloatNetworkSnapshot(NamedTuple):
    """The state of each layer."""

    layers: tuple[FloatSnapshot, ...]

    @property
    def learned(self) -> int:
        """Windows learned since the reset."""
        return self.layers[-1].learned

    def to_arrays(self) -> Arrays:
        """Return the complete state as a dict of arrays: ``"layer.0.weights"`` and so on."""
        return {
            f"layer.{number}.{name}": array
            for number, own in enumerate(self.layers)
            for name, array in own.to_arrays().items()
        }

    def from_arrays(self, arrays: Arrays) -> FloatNetworkSnapshot:
        """Return the snapshot that arrays of `to_arrays` describe, for a network like this one.

        Raises
        ------
        BitlifError
            If an array is missing or unknown, or does not fit its layer.
        """
        known = self.to_arrays()
        for name in sorted(known.keys() ^ arrays.keys()):
            wrong = "contain the" if name in known else "not contain an"
            raise BitlifError(f"a state must {wrong} array {quoted(name)}")
        found: list[FloatSnapshot] = []
        for number, fresh in enumerate(self.layers):
            names = fresh.to_arrays()
            own = {name: arrays[f"layer.{number}.{name}"] for name in names}
            with located_in_layer(number):
                found.append(fresh.from_arrays(own))
        if len({own.learned for own in found}) > 1:
            raise BitlifError("windows_learned must be the same in all layers")
        return FloatNetworkSnapshot(tuple(found))
