"""Every component states its latency, throughput, handshake and reset."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
from amaranth.lib import wiring

import bitlif.hdl

COMPONENTS = {
    f"{module.__name__}.{name}": kind
    for found in pkgutil.walk_packages(bitlif.hdl.__path__, "bitlif.hdl.")
    for module in [importlib.import_module(found.name)]
    for name, kind in vars(module).items()
    if inspect.isclass(kind)
    and issubclass(kind, wiring.Component)
    and kind.__module__ == module.__name__
}


def test_components_are_found() -> None:
    names = {name.rpartition(".")[2] for name in COMPONENTS}
    assert {"LayerCore", "NeuronPipe", "AxiTop", "UartTop", "Bridge"} <= names


@pytest.mark.parametrize("name", COMPONENTS)
def test_docstring_states_timing_and_reset(name: str) -> None:
    text = inspect.getdoc(COMPONENTS[name]) or ""
    for word in ("Latency", "Throughput", "Handshake", "Reset"):
        assert word in text, f"{name} does not state its {word.lower()}"
