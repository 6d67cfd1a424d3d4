"""Own data on the command line: options, and the task that they describe."""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bitlif.model.config.network import NetworkConfig, outer
from bitlif.model.errors import BitlifError, located, warn
from bitlif.model.text import path_text, quoted
from bitlif.scripts.support.encoder_options import add_encoder_options, encoder_options

if TYPE_CHECKING:
    from bitlif.model.config.config import Config
    from bitlif.tasks.arrays import ArrayTask
    from bitlif.tasks.data_file import Data

SHARE = "0.25"
"""Default of ``--test``."""

LABELS = (
    "labels: the column or array of --data (default: y, label, labels, class or target), or the "
    "file (.npz, .csv, .txt) of --spikes"
)
"""Help of ``--labels``."""

ENCODER = "rate"
READOUT = "count"

SUFFIXES = (".csv", ".tsv", ".npz")


class OwnData(NamedTuple):
    """A task on own data.

    Attributes
    ----------
    task : ArrayTask
    source : str
        The file, for messages.
    told : dict
        How the data are used, for the report: test, encoder, its options, readout. A training
        that is resumed must use them alike.
    whole : bool
        Whether the file has the labels, too.
    """

    task: ArrayTask
    source: str
    told: dict[str, Any]
    whole: bool = True

    @property
    def data_hash(self) -> str:
        """Hash of the windows and of how they are used, 16 hexadecimal digits."""
        task = self.task
        test = task.test if isinstance(task.test, float) else task.test.digest
        used = [
            task.data.digest, test, task.encoder_name, dict(task.encoder_options), task.true_target,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(used, sort_keys=True).encode()).hexdigest()[:16]


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe own data, but the data themselves."""
    from bitlif.tasks.encoder_options import ENCODERS

    parser.add_argument("--labels", metavar="NAME", help=LABELS)
    parser.add_argument(
        "--test", metavar="SHARE|FILE",
        help=f"test windows: a share of the data, or another file (default: {SHARE})",
    )  # fmt: skip
    parser.add_argument(
        "--encoder", choices=ENCODERS,
        help=f"code of the spikes (default: {ENCODER}; ready spikes need none)",
    )  # fmt: skip
    add_encoder_options(parser)


def require_data_file(path: str, names: list[str]) -> None:
    """Raise unless ``--data`` is the name of a data file; `names` are those of the tasks."""
    from bitlif.tasks.samples import PREFIX

    if Path(path).suffix.lower() in SUFFIXES or path.startswith(PREFIX):
        return
    cure = f": use --task {path}" if path in names or ":" in path else ""
    raise BitlifError(
        f"--data must be a .csv, .tsv or .npz file, or sklearn:NAME, not {quoted(path)}{cure}"
    )


def own_data(args: argparse.Namespace, name: str, data: Data, source: str) -> OwnData:
    """Return the task on data with labels that the options describe.

    Parameters
    ----------
    args : Namespace
        With test, encoder and perhaps readout.
    name : str
        Name of the task.
    data : Data
    source : str
        File of the data, for errors.

    Raises
    ------
    BitlifError
        If an option does not fit the data; the message names the file.
    """
    from bitlif.tasks.arrays import ArrayTask

    readout = getattr(args, "readout", None) or READOUT
    test, options = _test(args, data), encoder_options(args.option)
    with located(f"data '{path_text(source)}'"):
        task = ArrayTask(
            data, test=test, encoder=args.encoder or ENCODER, encoder_options=options,
            readout=readout, name=name,
        )  # fmt: skip
    told = {"test": test if isinstance(test, float) else args.test, "encoder": task.encoder_name}
    return OwnData(task, source, {**told, "option": options, "readout": readout}, bool(args.data))


def _test(args: argparse.Namespace, data: Data) -> float | Data:
    """Return the share or the windows of ``--test``."""
    from bitlif.tasks.data_file import load_data

    text = args.test or SHARE
    try:
        share = float(text)
    except ValueError:
        pass
    else:
        if not 0.0 < share < 1.0:
            raise BitlifError(
                f"--test must be a share above 0 and below 1, or a file of test windows, "
                f"not {quoted(text)}"
            )
        return share
    test = load_data(text, getattr(args, "labels", None) if args.data else None)
    if data.kind == test.kind == "table":
        test = in_order(test, data.names, f"--test '{path_text(text)}'")
    if _all_known(test, data):
        warn(
            f"all windows of --test '{path_text(text)}' are among the training windows, so the "
            f"accuracy says nothing about new ones: give other windows, or a share"
        )
    return test


def _all_known(test: Data, data: Data) -> bool:
    """Return whether all test windows are also windows of the data."""
    if isinstance(test.inputs, np.ndarray) and isinstance(data.inputs, np.ndarray):
        known = {row.tobytes() for row in data.inputs}
        return all(row.tobytes() in known for row in test.inputs)
    return test.digest == data.digest


def in_order(data: Data, names: Sequence[str], what: str) -> Data:
    """Return a table with the columns `names`, those of training, in their order.

    Raises
    ------
    BitlifError
        If a column is missing, or the table has another one; the message begins with `what`.
    """
    from bitlif.tasks.data_file import Data

    for some, others, verb in ((names, data.names, "lacks"), (data.names, names, "also has")):
        other = next((own for own in some if own not in others), None)
        if other is not None:
            raise BitlifError(
                f"{what} must have the columns of the training data, but it {verb} {quoted(other)}"
            )
    order = [data.names.index(own) for own in names]
    return Data(data.inputs[:, order], data.labels, tuple(names))  # type: ignore[index]


def require_layer(own: OwnData, config: Config | NetworkConfig) -> None:
    """Raise unless the layer or network fits the data; the message says which one would."""
    seen = outer(config)
    try:
        own.task.check(seen)
    except BitlifError as error:
        layers = config.layers[:-1] if isinstance(config, NetworkConfig) else ()
        hidden = [layer.config.layer.neurons for layer in layers]
        raise BitlifError(f"{error}; {_cure(own, seen.layer.inputs, hidden)}") from error


def _cure(own: OwnData, inputs: int, hidden: Sequence[int]) -> str:
    from bitlif.tasks.arrays import ArrayTask
    from bitlif.tasks.encoder_options import ENCODERS

    for name in ENCODERS:
        try:
            other = ArrayTask(own.task.data, encoder=name)
        except BitlifError:
            continue
        if other.inputs == inputs != own.task.inputs:
            return f"--encoder {name} gives {inputs} inputs"
    encoder = own.task.encoder_name
    more = "" if encoder in (ENCODER, "spikes") else f" --encoder {encoder}"
    if hidden:
        more += f" --hidden {','.join(map(str, hidden))}"
    file = shlex.quote(own.source)
    given = f"--data {file}" if own.whole else f"--spikes {file} --labels FILE"
    return f"`bitlif new NAME {given}{more}` writes a configuration that fits"


def default_epochs(config: Config, windows: int) -> int | None:
    """Return the passes over the training windows that a schedule was made for, or None.

    A schedule of several phases is made for whole passes; the last phase, if it has no end, counts
    as many as the one before it. Those of `bitlif.tasks.suit_network` end at parts of all passes.

    Parameters
    ----------
    config : Config
    windows : int
        Training windows.
    """
    from bitlif.tasks.suit_network import epochs_of

    if epochs := epochs_of(config.schedule, windows):
        return epochs
    lengths = [phase.windows for phase in config.schedule]
    if len(lengths) < 2 or any(length % windows for length in lengths):
        return None
    lengths[-1] = lengths[-1] or lengths[-2]
    return sum(lengths) // windows
