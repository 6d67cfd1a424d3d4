"""Reading ``.npz`` files of plain arrays: whatever is wrong with one is one clear error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BitlifError


def load_arrays(what: str, path: str | Path) -> dict[str, NDArray[Any]]:
    """Return all arrays of a file by their names; `what` it holds is for errors.

    Raises
    ------
    BitlifError
        If the file cannot be read or is no such file.
    """
    try:
        # Opened here: NumPy leaves a file open that it then cannot make sense of.
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data}
    except OSError as error:
        raise BitlifError(f"{what} '{path}' cannot be read: {error.strerror or error}") from error
    except Exception as error:
        # A damaged file takes the ZIP, the inflater, the header's parser or the allocator by
        # surprise, and each of them has its own errors.
        raise BitlifError(f"{what} '{path}' is not an .npz file of arrays") from error
    # NumPy hands out the bytes of a member that is no array.
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise BitlifError(f"{what} '{path}' is not an .npz file of arrays")
    return arrays
