"""How long a core lives: it is open until it is closed, in the process that opened it."""

from __future__ import annotations

import os
from abc import ABC
from types import TracebackType
from typing import Self

from bitlif.model.errors import BitlifError


class Lifetime(ABC):
    """A context manager whose resources are released once, by the process that acquired them."""

    backend: str
    """Name of the backend, as passed to `bitlif.open`."""

    stays_in_process = True
    """Whether a forked child must not use it. False for the models, which are plain memory."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._open = True

    def close(self) -> None:
        """Release all resources. Idempotent. In a forked child, the parent's core stays open."""
        if self._open:
            self._open = False
            if not self._in_child():
                self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _require_own(self) -> None:
        if not self._open:
            raise BitlifError(f"the core ({self.backend}) is closed: open a new one")
        if self._in_child():
            raise BitlifError(
                f"the core ({self.backend}) belongs to the process that opened it: open a new one"
            )

    def _in_child(self) -> bool:
        return self.stays_in_process and os.getpid() != self._process

    def _close(self) -> None:  # noqa: B027 - the models hold no resources
        pass
