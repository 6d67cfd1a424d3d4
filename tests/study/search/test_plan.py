"""Study files: reading and validation."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitlif.model.config.network import NetworkConfig, parse_any_config
from bitlif.model.errors import BitlifError
from bitlif.study.search.plan import load_plan, parse_plan, ready_studies

from study_plans import GUIDED, NETWORK_STUDY, SMALL, network_study, small

AXIS = '[[axis]]\nfield = "schedule.sigma"\nlow = 0.0\nhigh = 1.0\nstep = 1e-6\n'


def test_plan_holds_the_contents_of_its_file() -> None:
    plan = small()
    assert (plan.name, plan.title) == ("small", "small")
    assert (plan.task, plan.length, plan.seeds) == ("teacher", 2, (1, 3))
    assert (plan.search, plan.size) == ("grid", 9)
    assert (plan.config.layer.inputs, plan.config.window.steps) == (8, 40)
    assert [axis.name for axis in plan.axes] == ["synapse.weight.bits", "noise.words"]
    assert small(GUIDED).size == 20


@pytest.mark.parametrize("name", ready_studies())
def test_ready_made_studies_have_valid_points(name: str) -> None:
    from bitlif.study.search.search import make_search
    from bitlif.study.search.space import apply_edits

    plan, text = load_plan(name)
    assert plan.name == name
    assert text.startswith("# ")
    for point in next(make_search(plan).batches()):
        apply_edits(plan.config, point.edits)


def test_configuration_is_found_beside_the_study(tmp_path: Path) -> None:
    from bitlif.model.config.config import Config
    from bitlif.model.config.toml import dump_config

    (tmp_path / "own.toml").write_text(dump_config(Config.load("teacher").replace(name="own")))
    study = tmp_path / "study.toml"
    study.write_text(SMALL.replace('config = "teacher"', 'config = "own.toml"'))
    assert load_plan(study)[0].config.name == "own"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "small"', 'name = "a/b"', "name must be of letters, digits, - and _, not 'a/b'"),
        ("seeds = [3, 1]", "seeds = [3, 3]", "seeds must differ"),
        ("seeds = [3, 1]", "seeds = 3", "seeds must be a list of integers"),
        ("seeds = [3, 1]", "seeds = [-1]", "seeds must be in 0"),
        ("windows = 2", "epochs = 2", "epochs is not a field of a study"),
        ("windows = 2", "windows = 0", "windows must be in 1"),
        ('task = "teacher"', 'task = "mnist"', "task must be .*digits, teacher.*'mnist'"),
        ('task = "teacher"\nwindows = 2', "", "the digits need a layer of 65 inputs"),
        ('"correlation"', '"accuracy"', "objectives must be 'correlation'"),
        ('["correlation", "bits"]', "[]", "objectives must be a list of metrics"),
        ("windows = 2", "windows = 2\npoints = 3", "points must be given for a random or guided"),
        ("windows = 2", "windows = 2\nbatch = 3", "batch must be left out"),
        ("windows = 2", "windows = 2\nseed = 3", "seed must be left out"),
        ("windows = 2", 'windows = 2\nsearch = "random"', "points must be given for a random"),
        ("windows = 2", 'windows = 2\nsearch = "walk"', "search must be 'grid' or"),
        ("windows = 2", 'windows = 2\nmeasure = ["area"]', "measure must be 'float' or"),
        ("windows = 2", 'windows = 2\nmeasure = ["estimate"]', "board must be given with"),
        (
            "windows = 2",
            'windows = 2\nboard = "icebreaker"\nmeasure = ["estimate", "synthesis"]',
            "measure must be one of 'estimate' and 'synthesis', not both",
        ),
        ("windows = 2", 'windows = 2\nboard = "icebreaker"', "board must be left out"),
        ("windows = 2", 'windows = 2\nboard = "x"\nmeasure = ["estimate"]', "board must be 'ice"),
        (
            'field = "noise.words"',
            'field = "synapse.weight.bits"',
            "'synapse.weight.bits' occurs",
        ),
        (
            'field = "noise.words"',
            'field = "noise.words"\nname = "bits"',
            "must not be named 'bits'",
        ),
        ('field = "noise.words"', 'field = "noise.lfsr.seed"', "follows from the seed of the run"),
        ('config = "teacher"', 'config = "techer"', "did you mean 'teacher'"),
        ("windows = 2", "windows = ", "not valid TOML"),
        ("seeds = [3, 1]", f"seeds = {list(range(4097))}", "seeds must be at most 4096, not 4097"),
        ("seeds = [3, 1]", "seeds = [nan]", "seeds must be an integer"),
        ("windows = 2", "windows = inf", "windows must be an integer"),
        ("values = [2, 4, 12]", "values = [2, inf]", "values must be finite, not inf"),
        ("values = [2, 4, 12]", "low = 1\nhigh = 1000000000000", r"have 1 \.\.= 262144 runs"),
        ("values = [2, 4, 12]", f"low = 1\nhigh = 10\n{AXIS * 80}", "must have at most 64 axes"),
        (
            "values = [2, 4, 12]",
            f"values = [4]\n{AXIS}{AXIS.replace('schedule.sigma', 'learning.rate')}",
            r"runs \(points times seeds\), not 6000012000006$",
        ),
        ('"window.steps" = 40', '"window.steps" = nan', "set.window.steps must be finite, not nan"),
        ('"window.steps" = 40', f'"{"x" * 10**6}" = 40', r"set: 'x{30,40}\.\.\.x{30,40}' is not a"),
        ('task = "teacher"', f'task = "teacher"\ntitle = "{"x" * 201}"', "title must be printable"),
    ],
)
def test_invalid_study_raises_with_the_field(old: str, new: str, message: str) -> None:
    assert old in SMALL
    with pytest.raises(BitlifError, match=f"small: .*{message}"):
        parse_plan(SMALL.replace(old, new), "small")


def test_study_without_axes_raises() -> None:
    with pytest.raises(BitlifError, match="must have at least one"):
        parse_plan(SMALL.partition("[[axis]]")[0], "small")


def test_unknown_study_lists_the_ready_made_ones() -> None:
    with pytest.raises(
        BitlifError, match=r"TOML file or one of .*quickstart.*, not 'quickstrt'.*'quickstart'"
    ):
        load_plan("quickstrt")


def test_impossible_file_name_raises() -> None:
    with pytest.raises(BitlifError, match=r"^study 'a\\x00\.toml' cannot be read: "):
        load_plan("a\0.toml")


def test_random_search_covers_a_wide_range() -> None:
    from bitlif.study.search.search import make_search

    wide = SMALL.replace("values = [2, 4, 12]", "low = 1\nhigh = 1000000000000")
    plan = small(wide.replace("windows = 2", 'windows = 2\nsearch = "random"\npoints = 5'))
    drawn = [point.choices[1] for point in next(make_search(plan).batches())]
    assert len(set(drawn)) == 5
    assert all(isinstance(own, int) and 1 <= own <= 10**12 for own in drawn)


def test_base_of_a_study_can_be_a_network(tmp_path: Path) -> None:
    plan = network_study(tmp_path)
    assert isinstance(plan.config, NetworkConfig)
    assert [str(own.sweep.current) for own in plan.config.layers] == ["s8.2", "s8.2"]
    assert [axis.fields for axis in plan.axes] == [
        ("layer.0.sweep.update",), ("layer.1.synapse.weight.bits",),
    ]  # fmt: skip
    assert "hidden_spikes" in [metric.name for metric in plan.metrics]
    described = plan.describe([{}], complete=True)
    assert parse_any_config(described["config"], "base") == plan.config


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[set]", 'measure = ["synthesis"]\nboard = "icebreaker"\n\n[set]',
            "measure must not have 'synthesis' in a study of a network: use 'estimate'",
        ),
        ("[set]", 'board = "icebreaker"\n\n[set]', "board must be left out"),
        ("layer.1.synapse", "layer.2.synapse", r"'layer\.2\.synapse.* not a field of a network"),
        ("layer.0.sweep.update", "layer.0.initial.seed", "must not vary: it follows from the seed"),
        ("layer.0.sweep.update", "layer.*.noise.lfsr.seed", "must not vary"),
        ('task = "patterns"', 'task = "digits"', "the digits need a layer of 65 inputs"),
    ],
)  # fmt: skip
def test_invalid_study_of_a_network_raises_with_the_field(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in NETWORK_STUDY
    with pytest.raises(BitlifError, match=f"networks: .*{message}"):
        network_study(tmp_path, NETWORK_STUDY.replace(old, new))
