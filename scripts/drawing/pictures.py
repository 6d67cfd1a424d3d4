"""Matplotlib without a screen and with its default settings, whatever the user has set."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from bitlif.model.errors import BitlifError
from bitlif.model.extras import missing_extra
from bitlif.model.storage.trust import own_cache, user_cache
from bitlif.model.text import shortened, terminal_text


def require_matplotlib(need: str = "pictures need Matplotlib", extra: str = "demo") -> Any:
    """Return Matplotlib's class of figures, which needs no screen.

    Parameters
    ----------
    need, extra : str
        As of `bitlif.model.extras.missing_extra`.

    Raises
    ------
    BitlifError
        If Matplotlib is not installed, or cannot be loaded.
    """
    if user_cache() is None:
        # Matplotlib needs a home folder.
        os.environ.setdefault("MPLCONFIGDIR", str(own_cache() / "matplotlib"))
    # Matplotlib cannot be imported if this names a notebook backend that is not installed.
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra(need, extra, error) from error
    except Exception as error:
        raise BitlifError(
            "Matplotlib cannot be loaded; look at your matplotlibrc: "
            f"{shortened(terminal_text(error))}"
        ) from error
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    return Figure


@contextlib.contextmanager
def own_style() -> Iterator[None]:
    """Draw with Matplotlib's default settings, and restore the user's afterwards.

    The same numbers then give the same bytes on every machine: a matplotlibrc or style has no
    effect on colours, fonts, sizes or formats, and TeX is not used.
    """
    require_matplotlib()
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield
