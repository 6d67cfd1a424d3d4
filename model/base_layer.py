"""The base classes of layers and networks: snapshots, files, pickling, schedule and display."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from .config.config import Config
from .derive import derive
from .display import html_table, one_line
from .errors import BitlifTypeError, require_kind
from .files.save_file import Arrays, load_saved, save_arrays
from .result import RECORDS
from .text import quoted


class LayerSnapshot(Protocol):
    """What the shared code needs to know of a snapshot."""

    @property
    def learned(self) -> int:
        """Windows learned since the reset."""


S = TypeVar("S", bound=LayerSnapshot)


class Kept(ABC, Generic[S]):
    """Something whose complete state is one immutable snapshot, which can be kept in files.

    Each run works on a copy of the snapshot and then replaces it by one assignment, so a copy, a
    pickle or a file taken at any moment, even between two windows of an interrupted run, is
    consistent. Copies and unpickled layers continue to the bit.
    """

    _snapshot_type: ClassVar[type]
    _config: Any
    _now: S

    @property
    @abstractmethod
    def kind(self) -> str:
        """Kind of the files that `save` writes; `resume` accepts only files of the same kind."""

    def snapshot(self) -> S:
        """Return the complete state, weights included, for `restore`. Nothing is copied."""
        return self._now

    def restore(self, snapshot: S) -> None:
        """Return to a snapshot of this layer or network."""
        require_kind("snapshot", snapshot, self._snapshot_type)
        self._now = snapshot

    def save(self, path: str | Path) -> None:
        """Write the complete state to an ``.npz`` file, atomically, for `resume`.

        Raises
        ------
        OSError
            If the file cannot be written. An existing file is then unchanged.
        """
        save_arrays(path, self.kind, self._config, self.to_arrays())

    def resume(self, path: str | Path) -> None:
        """Continue from the state that `save` wrote to a file.

        Raises
        ------
        BitlifError
            If the file cannot be read, was saved with another configuration or kind (of the float
            twin: also another seed), or holds a value that is out of range. The state is then
            unchanged.
        """
        self._now = self.from_arrays(load_saved(path, self.kind, self._config))

    @abstractmethod
    def to_arrays(self) -> Arrays:
        """Return the complete state as a dict of arrays."""

    @abstractmethod
    def from_arrays(self, arrays: Arrays) -> S:
        """Return the snapshot that arrays of `to_arrays` describe.

        Raises
        ------
        BitlifError
            If an array is missing, unknown, or does not fit the configuration.
        """

    @abstractmethod
    def _arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, without the configuration."""

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self._config, **self._arguments(), "arrays": self.to_arrays()}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        arguments = {name: value for name, value in saved.items() if name != "arrays"}
        type(self).__init__(self, **arguments)
        self._now = self.from_arrays(saved["arrays"])


class BaseLayer(Kept[S]):
    """A layer of one configuration, with its schedule; see `Kept`."""

    _config: Config
    _phase_ends: tuple[int, ...]

    def __init__(self, config: Config) -> None:
        if not isinstance(config, Config):
            raise BitlifTypeError(f"config must be a Config, not {quoted(config)}")
        self._config = config
        # Kept, since every call of a small layer would pay for the hash of the configuration.
        self._phase_ends = derive(config).phase_ends

    @property
    def config(self) -> Config:
        """The configuration."""
        return self._config

    @property
    def records(self) -> tuple[str, ...]:
        """Names of the signals that `run` and `learn` can record."""
        return RECORDS

    @property
    def windows_learned(self) -> int:
        """Windows learned since `reset`; they determine the phase of the schedule."""
        return self._now.learned

    @property
    def phase(self) -> int:
        """Index of the schedule's phase that the next window runs in."""
        return self._phase(self._now)

    def _phase(self, now: S) -> int:
        return sum(now.learned >= end for end in self._phase_ends)

    def _facts(self) -> dict[str, object]:
        """Return what `__repr__` and `_repr_html_` show."""
        sizes = self._config.layer
        return {
            "name": self._config.name,
            "inputs": sizes.inputs,
            "neurons": sizes.neurons,
            "windows learned": self.windows_learned,
        }

    def __repr__(self) -> str:
        return one_line(type(self).__name__, self._facts())

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, self._facts())
