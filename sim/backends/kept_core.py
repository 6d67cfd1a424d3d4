"""What cores of models share: their complete state can be saved, resumed, pickled and copied."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from bitlif.model.files.save_file import Arrays, load_saved, save_arrays

from .core import Core


class KeptCore(Core):
    """A core of a model, whose complete state is one value, `_now`, that arrays describe."""

    stays_in_process = False
    _now: Any

    _worker: Any
    """What runs: a layer or a network of `bitlif.model`, or its float twin."""

    @abstractmethod
    def _options(self) -> dict[str, Any]:
        """Return the constructor's other arguments."""

    @abstractmethod
    def _to_arrays(self) -> Arrays:
        """Return the core's state as arrays."""

    @abstractmethod
    def _from_arrays(self, arrays: Arrays) -> Any:
        """Return the state that arrays of `_to_arrays` describe, or raise."""

    def save(self, path: str | Path) -> None:
        """Write the core's state to a file; see `Core.save`."""
        self._require_open()
        save_arrays(path, self._kind, self.config, self._to_arrays())

    def resume(self, path: str | Path) -> None:
        """Restore a saved state; see `Core.resume`."""
        self._require_open()
        self._now = self._from_arrays(load_saved(path, self._kind, self.config))

    @property
    def _kind(self) -> str:
        return f"core of kind {self._worker.kind}"

    def _position(self) -> int:
        window = self._now.window
        return 0 if window is None else int(window.step)

    def __getstate__(self) -> dict[str, Any]:
        self._require_open()
        options = {"learning": self._learning, **self._options()}
        configs = {"built": self._built, "config": self.config}
        return {"options": options, **configs, "arrays": self._to_arrays()}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        type(self).__init__(self, saved["built"], **saved["options"])
        if saved["config"] != saved["built"]:
            self.load_tables(saved["config"])
        self._now = self._from_arrays(saved["arrays"])
