"""State variables: one declaration each, from which all lists of them are derived."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.floating.snapshot import FloatSnapshot
from bitlif.model.floating.step import FloatArrays, FloatRecords
from bitlif.model.result import RECORDS, LayerState, Result
from bitlif.model.state import (
    StateVariable,
    add_state_variable,
    require_fields,
    state_variables,
)
from bitlif.model.window import Records, State

PLUG_IN = """
import json
from bitlif.model.state import StateVariable, add_state_variable

add_state_variable(
    StateVariable(
        name="adaptation", title="threshold adaptation", per="neuron",
        format=lambda config: config.synapse.current, memory=14,
        meaning="threshold adaptations", record="adaptation",
    )
)

from bitlif.hdl.bus.elements import element_ports
from bitlif.hdl.bus.register_files import markdown
from bitlif.hdl.bus.registers import MEMORIES, elements
from bitlif.hdl.host_port import HostSignature, state_layout
from bitlif.model.config.config import Config
from bitlif.model.result import RECORDS
from bitlif.sim.probes import observables, state_layouts
from bitlif.study.search.metrics import stored_bits
from amaranth.back import rtlil

config = Config.load("tiny")
place = state_layouts(config, learning=False)["adaptation"]
rtlil.convert(element_ports(config)[0])
print(json.dumps({
    "memory": MEMORIES["adaptation"].number,
    "elements": elements(config, learning=False)["adaptation"].count,
    "document": "threshold adaptations" in markdown(),
    "port": list(state_layout(config).elem_shape.members),
    "width": HostSignature(config, learning=False).members["state"].shape.size,
    "offset": place.offset,
    "stride": place.stride,
    "probe": [own.path for own in observables(config, learning=True, learn=True)
              if own.name == "threshold adaptation"],
    "records": RECORDS,
    "bits": stored_bits(config),
}))
"""
"""A package that adds a state variable: what it declares is all that it says."""


def test_added_variable_appears_in_all_interfaces() -> None:
    from bitlif.study.search.metrics import stored_bits

    done = subprocess.run(
        [sys.executable, "-c", PLUG_IN], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    config = Config.load("tiny")
    current, membrane = config.synapse.current.bits, config.membrane.format.bits
    assert json.loads(done.stdout) == {
        "memory": 14,
        "elements": config.layer.neurons,
        "document": True,
        "port": ["current", "membrane", "adaptation"],
        "width": config.layer.lanes * (2 * current + membrane),
        "offset": current + membrane,
        "stride": 2 * current + membrane,
        "probe": ["forward.adaptations"],
        "records": ["current", "membrane", "adaptation", "draws", "errors", "traces", "gradient"],
        "bits": stored_bits(config) + config.layer.neurons * current,
    }


def test_layer_state_has_every_variable_per_neuron_and_input() -> None:
    names = tuple(own.name for own in state_variables("neuron", "input"))
    assert State._fields == names
    assert set(names) <= set(FloatSnapshot._fields) & set(FloatArrays._fields)
    recorded = {own.record for own in state_variables("neuron", "input")} - {None}
    for fields in (Records._fields, FloatRecords._fields, Result.__dataclass_fields__):
        assert recorded < set(fields)
    assert tuple(LayerState.__dataclass_fields__)[: len(names)] == names
    assert RECORDS == ("current", "membrane", "draws", "errors", "traces", "gradient")


@pytest.mark.parametrize("kind", [State, Records, FloatSnapshot, FloatArrays, FloatRecords])
def test_missing_field_of_a_declared_variable_is_named(kind: Any) -> None:
    require_fields(kind, kind._fields)
    with pytest.raises(BitlifError, match=rf"{kind.__name__} must have a field slow"):
        require_fields(kind, (*kind._fields, "slow"))


def test_variables_without_learning_hardware_have_no_traces() -> None:
    names = [own.name for own in state_variables(learning=False)]
    assert names == ["weights", "current", "membrane"]


def test_shapes_follow_the_layer() -> None:
    config = Config.load("tiny")
    shapes = {own.name: own.shape(config) for own in state_variables()}
    assert shapes["weights"] == (6, 4)
    assert shapes["membrane"] == (4,)
    assert shapes["trace"] == (6,)
    assert [own.count(config) for own in state_variables("synapse")] == [24]


def variable(**changes: object) -> StateVariable:
    given: dict[str, object] = {
        "name": "adaptation", "title": "adaptation", "per": "neuron",
        "format": lambda config: config.synapse.current, "memory": 14, "meaning": "adaptations",
    }  # fmt: skip
    return StateVariable(**(given | changes))  # type: ignore[arg-type]


def test_late_declaration_is_refused() -> None:
    state_variables()
    with pytest.raises(BitlifError, match=r"adaptation.* must be added before"):
        add_state_variable(variable())


@pytest.mark.parametrize(
    ("changes", "facts"), [({"name": "trace"}, "'trace' exists"), ({"memory": 4}, "14 .*63, not 4")]
)
def test_taken_names_and_numbers_are_refused(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], facts: str
) -> None:
    monkeypatch.setattr("bitlif.model.state._complete", False)
    with pytest.raises(BitlifError, match=facts):
        add_state_variable(variable(**changes))
