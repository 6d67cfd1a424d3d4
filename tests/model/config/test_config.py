"""The configuration: immutable, whole, and refused by the name of the field that is wrong."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.toml import config_diff, config_hash
from bitlif.model.errors import BitlifError
from bitlif.model.fixed import Format, Rounding
from bitlif.model.lfsr import LfsrConfig
from bitlif.model.noise import NoiseConfig
from bitlif.model.sections import (
    DecayConfig,
    LayerConfig,
    LearningConfig,
    MembraneConfig,
    PhaseConfig,
    SynapseConfig,
    TraceConfig,
    WindowConfig,
)
from bitlif.model.table import ErrorConfig

TINY = Config.load("tiny")
COLUMN = [0.5] * 64
TABLE = TINY.replace(error__rule="table", error__a=COLUMN, error__b=COLUMN)
TAU = TINY.replace(synapse__decay={"tau": 4.0})
SHIFT = TINY.replace(membrane__decay={"shift": 3})

CHANGES: dict[str, tuple[Config, dict[str, Any]]] = {
    "layer.inputs": (TINY, {"layer__inputs": 7}),
    "layer.neurons": (TINY, {"layer__neurons": 5}),
    "layer.lanes": (TINY, {"layer__lanes": 1}),
    "window.steps": (TINY, {"window__steps": 17}),
    "window.state": (TINY, {"window__state": "carry"}),
    "window.trace": (TINY, {"window__trace": "carry"}),
    "window.lfsr": (TINY, {"window__lfsr": "clear"}),
    "synapse.weight": (TINY, {"synapse__weight": "s7.4"}),
    "synapse.decay.tau": (TAU, {"synapse__decay": {"tau": 4.5}}),
    "synapse.decay.bits": (TAU, {"synapse__decay__bits": 9}),
    "synapse.decay.shift": (TINY, {"synapse__decay__shift": 3}),
    "synapse.current": (TINY, {"synapse__current": "s11.6"}),
    "synapse.rounding": (TINY, {"synapse__rounding": "floor"}),
    "synapse.overflow": (
        TINY.replace(synapse__current="s20.6"), {"synapse__overflow": "refuse"},
    ),
    "membrane.decay.tau": (TINY, {"membrane__decay__tau": 7.0}),
    "membrane.decay.bits": (TINY, {"membrane__decay__bits": 7}),
    "membrane.decay.shift": (SHIFT, {"membrane__decay__shift": 4}),
    "membrane.gain": (TINY, {"membrane__gain": 0.5}),
    "membrane.gain_bits": (TINY, {"membrane__gain_bits": 3}),
    "membrane.format": (TINY, {"membrane__format": "s12.6"}),
    "membrane.threshold": (TINY, {"membrane__threshold": 0.5}),
    "membrane.reset": (TINY, {"membrane__reset": "teacher"}),
    "membrane.injection": (TINY, {"membrane__injection": "membrane"}),
    "membrane.rounding": (TINY, {"membrane__rounding": "floor"}),
    "membrane.overflow": (
        TINY.replace(membrane__format="s20.6"), {"membrane__overflow": "refuse"},
    ),
    "trace.current": (TINY, {"trace__current": "u9.6"}),
    "trace.format": (TINY, {"trace__format": "u9.6"}),
    "trace.rounding": (TINY, {"trace__rounding": "floor"}),
    "trace.overflow": (
        TINY.replace(trace__current="u12.6", trace__format="u14.6"), {"trace__overflow": "refuse"},
    ),
    "noise.kind": (TINY, {"noise__kind": "popcount"}),
    "noise.words": (TINY, {"noise__words": 1}),
    "noise.word_bits": (TINY, {"noise__word_bits": 7}),
    "noise.level_bits": (TINY, {"noise__level_bits": 9}),
    "noise.scale_bits": (TINY, {"noise__scale_bits": 11}),
    "noise.overlap": (TINY, {"noise__overlap": True}),
    "noise.lfsr.width": (TINY, {"noise__lfsr__width": 20}),
    "noise.lfsr.taps": (TINY, {"noise__lfsr__taps": (16, 14, 13, 11)}),
    "noise.lfsr.seed": (TINY, {"noise__lfsr__seed": 1}),
    "noise.lfsr.leap": (TINY, {"noise__lfsr__leap": 17}),
    "noise.lfsr.sharing": (TINY, {"noise__lfsr__sharing": "shared"}),
    "error.rule": (TINY, {"error__rule": "clipped"}),
    "error.index_bits": (TINY, {"error__index_bits": 5}),
    "error.span": (TINY, {"error__span": 1}),
    "error.entry": (TINY, {"error__entry": "u8.5"}),
    "error.limit": (TINY, {"error__limit": 2.5}),
    "error.guard": (TINY, {"error__guard": 0.01}),
    "error.a": (TABLE, {"error__a": [0.25, *COLUMN[1:]]}),
    "error.b": (TABLE, {"error__b": [*COLUMN[1:], 0.25]}),
    "error.reciprocal_bits": (TINY, {"error__reciprocal_bits": 9}),
    "error.target_bits": (TINY, {"error__target_bits": 5}),
    "error.format": (TINY, {"error__format": "s8.4"}),
    "error.rounding": (TINY, {"error__rounding": "floor"}),
    "error.overflow": (TINY.replace(error__format="s10.4"), {"error__overflow": "refuse"}),
    "learning.rate": (TINY, {"learning__rate": 0.25}),
    "learning.rate_bits": (TINY, {"learning__rate_bits": 4}),
    "learning.random_bits": (TINY, {"learning__random_bits": 5}),
    "learning.lfsr.width": (TINY, {"learning__lfsr__width": 18}),
    "learning.lfsr.taps": (TINY, {"learning__lfsr__taps": [17, 14]}),
    "learning.lfsr.seed": (TINY, {"learning__lfsr__seed": 2}),
    "learning.lfsr.leap": (TINY, {"learning__lfsr__leap": 6}),
    "learning.lfsr.sharing": (TINY, {"learning__lfsr__sharing": "polynomial"}),
    "gates.synapses": (TINY, {"gates__synapses": 2}),
    "gates.products": (TINY, {"gates__products": 2}),
    "gates.single_port": (TINY, {"gates__single_port": "all"}),
    "schedule[0].windows": (
        TINY, {"schedule": [{"windows": 9, "sigma": 0.3}, {"sigma": 0.15}]},
    ),
    "schedule[0].sigma": (
        TINY, {"schedule": [{"windows": 8, "sigma": 0.31}, {"sigma": 0.15}]},
    ),
    "schedule[0].rate": (
        TINY, {"schedule": [{"windows": 8, "sigma": 0.3, "rate": 0.1}, {"sigma": 0.15}]},
    ),
    "schedule[1].windows": (
        TINY, {"schedule": [{"windows": 8, "sigma": 0.3}, {"windows": 3, "sigma": 0.15}]},
    ),
    "schedule[1].sigma": (
        TINY, {"schedule": [{"windows": 8, "sigma": 0.3}, {"sigma": 0.16}]},
    ),
    "schedule[1].rate": (
        TINY, {"schedule": [{"windows": 8, "sigma": 0.3}, {"sigma": 0.15, "rate": 0.1}]},
    ),
}  # fmt: skip
"""For every field: a configuration, and a change of that field alone."""


# -- identity --------------------------------------------------------------------------------


def test_changes_cover_every_field_but_the_name() -> None:
    assert set(CHANGES) == set(TINY.flat()) - {"name"}


@pytest.mark.parametrize("path", CHANGES)
def test_every_field_changes_the_hash_and_nothing_else_differs(path: str) -> None:
    base, change = CHANGES[path]
    other = base.replace(**change)
    assert [found for found, _, _ in config_diff(base, other)] == [path]
    (_, old, new) = config_diff(base, other)[0]
    assert (base.flat()[path], other.flat()[path]) == (old, new)
    # Results do not depend on the gates, and so the hash does not.
    assert (config_hash(base) == config_hash(other)) == path.startswith("gates.")
    assert base != other


def test_name_is_no_part_of_the_hash() -> None:
    other = TINY.replace(name="another")
    assert config_hash(other) == config_hash(TINY)
    assert config_diff(TINY, other) == [("name", "tiny", "another")]


def test_equal_configurations_have_equal_hashes() -> None:
    again = TINY.replace(window__steps=99).replace(window__steps=16)
    assert again == TINY
    assert hash(again) == hash(TINY)
    assert config_hash(again) == config_hash(TINY)
    # Whole numbers given for real ones are the same numbers.
    assert config_hash(TINY.replace(membrane__threshold=1)) == config_hash(TINY)


def test_hashes_of_the_ready_made_configurations_differ() -> None:
    names = ("tiny", "digits", "digits-4bit", "teacher")
    hashes = {config_hash(Config.load(name)) for name in names}
    assert len(hashes) == len(names)
    assert all(len(digits) == 16 and int(digits, 16) >= 0 for digits in hashes)


def test_difference_names_phases_that_one_has_not() -> None:
    shorter = TINY.replace(schedule=[{"windows": 8, "sigma": 0.3}])
    assert config_diff(TINY, shorter) == [
        ("schedule[1].windows", 0, None),
        ("schedule[1].sigma", 0.15, None),
        ("schedule[1].rate", 0.0, None),
    ]
    assert config_diff(shorter, TINY)[0] == ("schedule[1].windows", None, 0)
    assert config_diff(TINY, TINY) == []


@pytest.mark.parametrize("section", [field.name for field in dataclasses.fields(Config)])
def test_nothing_can_be_set(section: str) -> None:
    with pytest.raises(AttributeError):
        setattr(TINY, section, None)
    node = getattr(TINY, section)
    nodes = node if isinstance(node, tuple) else [node]
    for part in nodes:
        if dataclasses.is_dataclass(part):
            for field in dataclasses.fields(part):
                with pytest.raises(AttributeError):
                    setattr(part, field.name, None)
            with pytest.raises((AttributeError, TypeError)):
                part.brand_new = 1  # type: ignore[union-attr]


# -- replace and flat ------------------------------------------------------------------------


def test_replace_leaves_the_original_alone() -> None:
    before = TINY.flat()
    TINY.replace(layer__inputs=3, noise__lfsr__seed=9, name="x")
    assert TINY.flat() == before


def test_replace_takes_sections_words_formats_and_objects() -> None:
    config = TINY.replace(
        membrane__format=Format(12, 6),
        synapse__rounding=Rounding.FLOOR,
        synapse__decay=DecayConfig(tau=3.0, bits=7),
        noise__lfsr=LfsrConfig(width=24, seed=3),
        schedule=(PhaseConfig(sigma=0.2),),
        layer=LayerConfig(inputs=2, neurons=3),
    )
    assert config.membrane.format == Format(12, 6)
    assert config.synapse.rounding is Rounding.FLOOR
    assert config.synapse.decay == DecayConfig(tau=3.0, bits=7)
    assert config.noise.lfsr == LfsrConfig(width=24, seed=3)
    assert config.schedule == (PhaseConfig(sigma=0.2),)
    assert config.layer == LayerConfig(inputs=2, neurons=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer__input": 3}, r"^layer\.input is not a field, did you mean 'inputs'\?$"),
        ({"laier__inputs": 3}, r"^laier is not a field, did you mean 'layer'\?$"),
        ({"layer__inputs__x": 3}, r"^layer\.inputs\.x is not a field$"),
        ({"schedule__sigma": 3}, r"^schedule\.sigma is not a field$"),
        ({"zzz": 3}, r"^zzz is not a field; known are name, layer, window, synapse, .*schedule$"),
        ({"layer": 5}, r"^layer must be a table of fields, not 5$"),
        (
            {"synapse__decay__tau": 3.0},
            r"^synapse\.decay\.tau must be .*, not 3 with shift = 2$",
        ),
        ({"layer__lanes": 5}, r"^layer\.lanes must be at most neurons = 4, not 5$"),
        ({"noise__lfsr__seed": 0}, r"^noise\.lfsr\.seed must be in 1 \.\.= 65535, not 0$"),
        ({"schedule": []}, r"^schedule must have 1 \.\.= 4096 phases, not 0$"),
        ({"schedule": {}}, r"^schedule must be a list of phases, not \{\}$"),
        ({"schedule": [{"sigma": -1.0}]}, r"^schedule\[0\]\.sigma must be above 0 .*, not -1\.0$"),
    ],
)
def test_replace_refuses_by_the_path_of_the_field(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        TINY.replace(**changes)


def test_flat_lists_every_leaf_in_order() -> None:
    flat = TINY.flat()
    assert list(flat)[:4] == ["name", "layer.inputs", "layer.neurons", "layer.lanes"]
    assert list(flat)[-1] == "schedule[1].rate"
    assert flat["synapse.weight"] == Format(6, 4)
    assert flat["membrane.decay.tau"] == 6.0


def test_slots_are_the_turns_that_a_lane_takes() -> None:
    for neurons in range(1, 20):
        for lanes in range(1, neurons + 1):
            slots = LayerConfig(neurons=neurons, lanes=lanes).slots
            assert (slots - 1) * lanes < neurons <= slots * lanes


# -- fields ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (LayerConfig, {"inputs": 0}, r"^inputs must be in 1 \.\.= 65536, not 0$"),
        (LayerConfig, {"inputs": 65537}, r"^inputs must be in 1 \.\.= 65536, not 65537$"),
        (LayerConfig, {"neurons": 2.0}, r"^neurons must be an integer in 1 \.\.= 65536, not 2\.0$"),
        (LayerConfig, {"lanes": 257}, r"^lanes must be in 1 \.\.= 256, not 257$"),
        (LayerConfig, {"lanes": True}, r"^lanes must be an integer in 1 \.\.= 256, not True$"),
        (LayerConfig, {"lanes": 11}, r"^lanes must be at most neurons = 10, not 11$"),
        (WindowConfig, {"steps": 0}, r"^steps must be in 1 \.\.= 1048576, not 0$"),
        (WindowConfig, {"state": "carr"}, r"^state .*, not 'carr', did you mean 'carry'\?$"),
        (WindowConfig, {"trace": None}, r"^trace must be 'clear' or 'carry', not None$"),
        (WindowConfig, {"lfsr": "x"}, r"^lfsr must be 'clear' or 'carry', not 'x'$"),
        (DecayConfig, {}, r"^tau must be .*, not 0 with shift = 0$"),
        (DecayConfig, {"tau": 5.0, "bits": 0}, r"^bits must be in 1 \.\.= 16, not 0$"),
        (MembraneConfig, {"decay": DecayConfig(bits=0)}, r"^decay must not be 'none': only syn"),
        (DecayConfig, {"tau": 999999.0, "bits": 0}, r"^bits must be in 1 \.\.= 16, not 0$"),
        (DecayConfig, {"tau": 1e6, "bits": 0, "shift": 2}, r"^bits must be in 1 \.\.= 16, not 0$"),
        (SynapseConfig, {"decay": DecayConfig(tau=1e6, bits=0)}, r"^decay must not be 'integrate'"),
        (DecayConfig, {"tau": 5.0, "shift": 2}, r"^tau must be .*, not 5 with shift = 2$"),
        (DecayConfig, {"tau": -1.0}, r"^tau must be in 0 \.\.= 1e\+06, not -1\.0$"),
        (DecayConfig, {"tau": math.nan}, r"^tau must be in 0 \.\.= 1e\+06, not nan$"),
        (DecayConfig, {"tau": math.inf}, r"^tau must be in 0 \.\.= 1e\+06, not inf$"),
        (DecayConfig, {"tau": "5"}, r"^tau must be a number in 0 \.\.= 1e\+06, not '5'$"),
        (DecayConfig, {"tau": 5.0, "bits": 17}, r"^bits must be in 1 \.\.= 16, not 17$"),
        (DecayConfig, {"shift": 17}, r"^shift must be in 0 \.\.= 16, not 17$"),
        (SynapseConfig, {"weight": Format(8, 6, False)}, r"^weight must be a signed .* 'u8\.6'$"),
        (SynapseConfig, {"current": Format(8, 6, False)}, r"^current must be a signed .* 'u8\.6'$"),
        (SynapseConfig, {"weight": "s8.6"}, r"^weight must be of type Format, not 's8\.6'$"),
        (SynapseConfig, {"decay": 5.0}, r"^decay must be of type DecayConfig, not 5\.0$"),
        (SynapseConfig, {"rounding": "nearest"}, r"^rounding must be of type Rounding, not 'near"),
        (SynapseConfig, {"overflow": None}, r"^overflow must be of type Overflow, not None$"),
        (MembraneConfig, {"gain": 0.0}, r"^gain must be above 0 and at most 1024, not 0\.0$"),
        (MembraneConfig, {"gain": 1025}, r"^gain must be above 0 and at most 1024, not 1025$"),
        (MembraneConfig, {"gain": math.nan}, r"^gain must be above 0 .*, not nan$"),
        (MembraneConfig, {"gain": 10**400}, r"^gain must be above 0 .*, not an integer of 1329"),
        (MembraneConfig, {"gain_bits": 17}, r"^gain_bits must be in 0 \.\.= 16, not 17$"),
        (MembraneConfig, {"format": Format(16, 10, False)}, r"^format must be .*'u16\.10'$"),
        (MembraneConfig, {"format": "s16.10"}, r"^format must be of type Format, not 's16\.10'$"),
        (MembraneConfig, {"threshold": 0.0}, r"^threshold must be in 0\.0009\d* \.\.= 31\.999,"),
        (MembraneConfig, {"threshold": 32.0}, r"^threshold must be in .* 31\.999, not 32\.0$"),
        (MembraneConfig, {"reset": "own"}, r"^reset must be 'free' or 'teacher' or 'subtract', "),
        (MembraneConfig, {"injection": 1}, r"^injection must be 'threshold' or 'membrane', not 1$"),
        (MembraneConfig, {"decay": None}, r"^decay must be of type DecayConfig, not None$"),
        (MembraneConfig, {"rounding": "up"}, r"^rounding must be of type Rounding, not 'up'$"),
        (TraceConfig, {"current": Format(12, 8)}, r"^current must be an unsigned .* 's12\.8'$"),
        (TraceConfig, {"format": Format(12, 8)}, r"^format must be an unsigned .* 's12\.8'$"),
        (TraceConfig, {"format": 12}, r"^format must be of type Format, not 12$"),
        (TraceConfig, {"format": Format(17, 8, False)}, r"^format must have at most .*'u17\.8'$"),
        (TraceConfig, {"current": Format(8, 8, False)}, r"^current must be able to .*'u8\.8'$"),
        (TraceConfig, {"current": Format(8, -1, False)}, r"^current must be able .* 'u8\.-1'$"),
        (TraceConfig, {"overflow": "saturate"}, r"^overflow must be of type Overflow, not 'sat"),
        (LearningConfig, {"rate": 0.0}, r"^rate must be above 0 and at most 1e\+06, not 0\.0$"),
        (LearningConfig, {"rate": math.nan}, r"^rate must be above 0 and at most 1e\+06, not nan$"),
        (LearningConfig, {"rate_bits": 0}, r"^rate_bits must be in 1 \.\.= 16, not 0$"),
        (LearningConfig, {"random_bits": 25}, r"^random_bits must be in 0 \.\.= 24, not 25$"),
        (LearningConfig, {"lfsr": 31}, r"^lfsr must be of type LfsrConfig, not 31$"),
        (LearningConfig, {"random_bits": 12, "lfsr": LfsrConfig(width=11)},
         r"^random_bits must be at most lfsr\.width = 11, not 12$"),
        (LearningConfig, {"lfsr": LfsrConfig(leap=7)},
         r"^lfsr\.leap must be 0 or at least random_bits = 8, not 7$"),
        (NoiseConfig, {"lfsr": {}}, r"^lfsr must be of type LfsrConfig, not \{\}$"),
        (ErrorConfig, {"entry": "u8.5"}, r"^entry must be of type Format, not 'u8\.5'$"),
        (ErrorConfig, {"format": None}, r"^format must be of type Format, not None$"),
        (ErrorConfig, {"rounding": "floor"}, r"^rounding must be of type Rounding, not 'floor'$"),
        (ErrorConfig, {"overflow": 0}, r"^overflow must be of type Overflow, not 0$"),
        (PhaseConfig, {"windows": -1}, r"^windows must be in 0 \.\.= \d+, not -1$"),
        (PhaseConfig, {"sigma": 0}, r"^sigma must be above 0 and at most 1e\+06, not 0$"),
        (PhaseConfig, {"sigma": math.nan}, r"^sigma must be above 0 and at most 1e\+06, not nan$"),
        (PhaseConfig, {"rate": -0.1}, r"^rate must be in 0 \.\.= 1e\+06, not -0\.1$"),
        (Config, {"name": ""}, r"^name must be printable and not empty, not ''$"),
        (Config, {"name": "a\nb"}, r"^name must be printable and not empty, not 'a\\nb'$"),
        (Config, {"name": 5}, r"^name must be text, not 5$"),
        (Config, {"layer": 5}, r"^layer must be of type LayerConfig, not 5$"),
        (Config, {"noise": {"words": 4}}, r"^noise must be of type NoiseConfig, not \{'words"),
        (Config, {"error": None}, r"^error must be of type ErrorConfig, not None$"),
        (Config, {"schedule": ()}, r"^schedule must have 1 \.\.= 4096 phases, not 0$"),
        (Config, {"schedule": [PhaseConfig()]}, r"^schedule must be a list of phases, not \["),
        (Config, {"schedule": (5,)}, r"^schedule\[0\] must be of type PhaseConfig, not 5$"),
        (Config, {"schedule": (PhaseConfig(), PhaseConfig())},
         r"^schedule\[0\]\.windows must be at least 1 in all phases but the last, not 0$"),
    ],
)  # fmt: skip
def test_bad_field_is_refused_by_name(kind: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        kind(**fields)


def test_wrong_types_are_type_errors_and_wrong_values_are_not() -> None:
    with pytest.raises(TypeError):
        LayerConfig(inputs="6")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^inputs must be in") as caught:
        LayerConfig(inputs=0)
    assert not isinstance(caught.value, TypeError)


def test_real_numbers_may_be_given_as_integers() -> None:
    config = MembraneConfig(gain=1, threshold=2)
    assert (type(config.gain), type(config.threshold)) == (float, float)
    assert type(PhaseConfig(sigma=1).sigma) is float
    assert type(DecayConfig(tau=5).tau) is float


def test_update_draw_leaps_what_it_reads_unless_told() -> None:
    assert LearningConfig().leap == 8
    assert LearningConfig(lfsr=LfsrConfig(leap=31)).leap == 31
    assert LearningConfig(random_bits=0).leap == 0
