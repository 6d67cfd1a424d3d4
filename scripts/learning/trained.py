"""A result folder of ``bitlif learn``, read to run its layer on other windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, load_any_config
from bitlif.model.errors import BitlifError, located, require_int
from bitlif.model.events import Events
from bitlif.model.storage.reading import read_text
from bitlif.model.text import path_text
from bitlif.tasks.data_file import load_data
from bitlif.tasks.encoding import Encoder
from bitlif.tasks.label_file import Labels, read_labels
from bitlif.tasks.readouts import READOUTS

from .own_data import READOUT, in_order

CONFIG = "config.toml"
REPORT = "report.json"

MOST_BYTES = 1 << 28
"""Most bytes of a report or an encoder."""


class Trained(NamedTuple):
    """What a result folder says about its layer.

    Attributes
    ----------
    folder : Path
    config : Config or NetworkConfig
    encoder : Encoder or None
        Of own data.
    labels : Labels or None
        Classes of the test windows, of a classifier.
    readout : str
    seed : int
        Seed of the encoder.
    features : tuple of str
        Names of the columns of own data; empty if unknown.
    """

    folder: Path
    config: Config | NetworkConfig
    encoder: Encoder | None
    labels: Labels | None
    readout: str
    seed: int
    features: tuple[str, ...]

    @property
    def weights(self) -> str:
        """The file of the weights.

        Raises
        ------
        BitlifError
            If the float twin was trained, whose weights have no format.
        """
        path = self.folder / "weights.npz"
        if not path.is_file() and (self.folder / "float_weights.npz").is_file():
            raise BitlifError(
                f"CONFIG must be a folder with weights.npz, not '{path_text(self.folder)}', which "
                f"has weights of the float twin: train without --float"
            )
        return str(path)

    def encoded(self, path: str, column: str | None) -> tuple[Events, Labels | None]:
        """Return the windows of a data file as spikes, and their labels if it has any.

        Parameters
        ----------
        path : str
        column : str or None
            Column or array of the labels; None for one of the usual names, if there is one.

        Raises
        ------
        BitlifError
            If the layer was not trained on own data, or the data are of another kind.
        """
        if self.encoder is None:
            raise BitlifError(
                f"--data needs a layer trained on own data, and '{path_text(self.folder)}' has no "
                f"encoder.json"
            )
        data = load_data(path, column, required=column is not None)
        if self.features and data.kind == self.encoder.kind == "table":
            data = in_order(data, self.features, f"data '{path_text(path)}'")
        with located(f"data '{path_text(path)}'"):
            events = self.encoder.encode(data.inputs, seed=self.seed)
        if self.labels is None or data.labels is None:
            return events, None
        return events, self.labels._replace(values=data.labels)


def is_trained(source: str) -> bool:
    """Return whether CONFIG names a folder rather than a file or a ready-made configuration."""
    return Path(source).is_dir()


def load_trained(source: str) -> Trained:
    """Read a result folder of ``bitlif learn``.

    Raises
    ------
    BitlifError
        If it is another folder, or a file in it is damaged.
    """
    folder = Path(source)
    if not (folder / CONFIG).is_file() or not (folder / REPORT).is_file():
        raise BitlifError(
            f"CONFIG must be a TOML file, a ready-made name or a folder of bitlif learn, "
            f"not '{path_text(source)}', which lacks {CONFIG} or {REPORT}"
        )
    report = _json("report", folder / REPORT)
    readout = report.get("readout", READOUT)
    if readout not in READOUTS:
        raise BitlifError(f"readout in '{path_text(folder / REPORT)}' must be one of {READOUTS}")
    with located(f"report '{path_text(folder / REPORT)}'"):
        seed = require_int("seed", report.get("seed"), 0, (1 << 31) - 1)
    encoder = None
    if (folder / "encoder.json").is_file():
        tree = _json("encoder", folder / "encoder.json")
        with located(f"encoder '{path_text(folder / 'encoder.json')}'"):
            encoder = Encoder.from_json(tree)
    labels = folder / "labels.npz"
    return Trained(
        folder,
        load_any_config(folder / CONFIG),
        encoder,
        read_labels(labels) if labels.is_file() else None,
        readout,
        seed,
        _names(report.get("features"), encoder),
    )


def _names(names: Any, encoder: Encoder | None) -> tuple[str, ...]:
    """Return names of columns from a report, which may have been edited."""
    count = 0 if encoder is None else encoder.features
    usable = isinstance(names, list) and all(isinstance(own, str) for own in names)
    return tuple(names) if usable and len(names) == count else ()


def _json(what: str, path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(read_text(what, path, MOST_BYTES))
    except (ValueError, RecursionError) as error:
        if isinstance(error, BitlifError):
            raise
        raise BitlifError(f"{what} '{path_text(path)}' must be JSON") from error
    if not isinstance(tree, dict):
        raise BitlifError(f"{what} '{path_text(path)}' must be a JSON object")
    return tree
