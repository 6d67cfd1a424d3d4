"""Sample data that scikit-learn ships, for examples."""

from __future__ import annotations

import importlib
from typing import Any

from bitlif.model.errors import require_choice
from bitlif.model.extras import missing_extra

PREFIX = "sklearn:"
SAMPLES = ("iris", "wine", "breast_cancer", "digits")


def load_sample(name: str) -> tuple[Any, Any, list[str]]:
    """Return a table, its labels and the names of its columns.

    Parameters
    ----------
    name : str
        One of `SAMPLES`, after `PREFIX`.

    Raises
    ------
    BitlifError
        If there is no such sample, or scikit-learn is not installed.

    Examples
    --------
    >>> X, y, names = load_sample("sklearn:iris")
    >>> X.shape, y[0].item(), names[0]
    ((150, 4), 'setosa', 'sepal length (cm)')
    """
    chosen = require_choice("sample", name.removeprefix(PREFIX), SAMPLES)
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise missing_extra("samples come with scikit-learn", "demo", error) from error
    bunch = getattr(datasets, f"load_{chosen}")()
    return bunch.data, bunch.target_names[bunch.target], [str(own) for own in bunch.feature_names]
