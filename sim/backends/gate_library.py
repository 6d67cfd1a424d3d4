"""The library of a compiled core: its functions, and the structures of its driver."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError
from bitlif.sim.compiled.bit_packing import Words
from bitlif.sim.compiled.design import Design

NOT_BEGUN = -1
"""Value of ``windows_done`` until the driver has begun with a step."""

FAILURES = {
    1: "stalled", 2: "sent the address of no neuron", 3: "sent or recorded too much",
}  # fmt: skip
"""Descriptions of the driver's status codes."""


class Record(ctypes.Structure):
    """The driver's ``Record``: the rows of one probe."""

    _fields_ = (("rows", ctypes.c_void_p), ("capacity", ctypes.c_int64), ("count", ctypes.c_int64))


class Job(ctypes.Structure):
    """The driver's ``Job``, with its fields in the same order."""

    _fields_ = (
        ("windows", ctypes.c_int64), ("steps", ctypes.c_int64), ("pointers", ctypes.c_void_p),
        ("addresses", ctypes.c_void_p), ("targets", ctypes.c_void_p),
        ("target_words", ctypes.c_int32), ("learn", ctypes.c_int32),
        ("max_step_clocks", ctypes.c_int64), ("raster", ctypes.c_void_p),
        ("step_clocks", ctypes.c_void_p), ("window_clocks", ctypes.c_void_p),
        ("step_digests", ctypes.c_void_p), ("records", ctypes.c_void_p),
        ("windows_done", ctypes.c_int64),
    )  # fmt: skip


class StepJob:
    """A job of one step, with its arrays, which all steps share.

    Parameters
    ----------
    design : Design
    """

    def __init__(self, design: Design) -> None:
        first, last = design.layers[0].config.layer, design.layers[-1].config.layer
        self.raster = np.zeros((1, 1, last.neurons), np.uint8)
        self.window_clocks, self.step_clocks = np.zeros(1, np.int64), np.zeros((1, 1), np.int64)
        self.digests = np.zeros((len(design.layers), 1, 1), np.int64)
        self.records = (Record * max(1, len(design.probes)))()
        self._pointers = np.zeros(2, np.int64)
        self._addresses = np.zeros(first.inputs, np.int32)
        self.job = Job(
            windows=1, steps=1, pointers=self._pointers.ctypes.data,
            addresses=self._addresses.ctypes.data, raster=self.raster.ctypes.data,
            step_clocks=self.step_clocks.ctypes.data, window_clocks=self.window_clocks.ctypes.data,
            step_digests=self.digests.ctypes.data, records=ctypes.addressof(self.records),
        )  # fmt: skip

    def prepare(
        self, addresses: NDArray[np.int32], targets: Words | None, learn: bool, clocks: int
    ) -> Job:
        """Return the job for a step that may take `clocks` clock cycles; it records nothing yet."""
        job = self.job
        self._addresses[: len(addresses)] = addresses
        self._pointers[1] = len(addresses)
        self.raster[:] = 0
        job.targets = None if targets is None else targets.ctypes.data
        job.target_words = 0 if targets is None else targets.shape[1]
        job.learn, job.max_step_clocks, job.windows_done = int(learn), clocks, NOT_BEGUN
        for record in self.records:
            record.rows = None
        return job


def load_library(path: Path) -> Any:
    """Return the library with its functions' types declared."""
    handle, number, array = ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p
    large = ctypes.c_int64
    try:
        calls = ctypes.CDLL(str(path))
        for name, result, arguments in (
            ("open", handle, [large]),
            ("close", None, [handle]),
            ("reset", number, [handle, large]),
            ("run", number, [handle, ctypes.c_void_p]),
            ("step", number, [handle, ctypes.c_void_p]),
            ("write", number, [handle, number, large, array, number, array]),
            ("read", number, [handle, number, large, array, array]),
            ("port", number, [handle, number, array]),
            ("counters", None, [handle, ctypes.c_void_p]),
        ):
            function = getattr(calls, f"bitlif_{name}")
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise BitlifError(
            f"the compiled core '{path}' cannot be loaded ({error}): remove its folder, so that it "
            "is built again"
        ) from error
    return calls
