"""Windows and labels, checked as scikit-learn checks those of its estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.text import quoted
from bitlif.tasks.numeric import as_inputs


def checked_inputs(estimator: Any, X: Any, y: Any = None, *, reset: bool) -> tuple[Any, Any]:
    """Return inputs as `bitlif.tasks.numeric.as_inputs` does, and labels.

    Parameters
    ----------
    estimator : object
        Its ``n_features_in_``, and ``feature_names_in_`` for data frames, are set if `reset`, or
        compared with `X` otherwise.
    X, y
        As for ``fit``; `y` may be None.
    reset : bool

    Raises
    ------
    ValueError
        Of scikit-learn or as `BitlifError`, if `X` or `y` is not accepted.
    """
    from sklearn.utils.validation import column_or_1d, validate_data

    raster = isinstance(X, np.ndarray) and X.dtype == np.bool_ and X.ndim == 3
    if not isinstance(X, Events) and not raster:
        options: dict[str, Any] = {"reset": reset, "dtype": np.float64, "allow_nd": True}
        if y is None:
            return as_inputs(validate_data(estimator, X, **options)), None
        X, y = validate_data(estimator, X, y, **options)
        return as_inputs(X), y
    spikes = as_inputs(X)
    assert isinstance(spikes, Events)
    if reset:
        estimator.n_features_in_ = spikes.units
        vars(estimator).pop("feature_names_in_", None)
    if y is not None:
        y = column_or_1d(y, warn=True)
        if len(y) != spikes.windows:
            raise BitlifError(
                f"y must have a class for each of {spikes.windows} windows, not {len(y)}"
            )
    return spikes, y


def codes_among(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the place of each label among ascending classes.

    Raises
    ------
    BitlifError
        If a label is not one of the classes.

    Examples
    --------
    >>> codes_among(np.array(["b", "a"]), np.array(["a", "b"])).tolist()
    [1, 0]
    """
    new = np.setdiff1d(labels, classes)
    if new.size:
        raise BitlifError(
            f"y must be of the classes {quoted(classes.tolist())}, not {quoted(new[0].item())}"
        )
    return np.searchsorted(classes, labels).astype(np.int64)
