"""Own data are identified by content, kept in the study's folder, and sent to workers once."""

from __future__ import annotations

import json
import pickle
import shutil
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import bitlif
from bitlif import tasks
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.scripts.main import main
from bitlif.study.search import own_data, pool
from bitlif.study.search.evaluate import Job, evaluate
from bitlif.study.search.own_data import OwnData, keep, task_of, to_npz
from bitlif.study.search.plan import Plan, load_plan
from bitlif.study.search.pool import Pool
from bitlif.study.search.results import METADATA, read_results
from bitlif.study.search.run import jobs_of, run_study
from bitlif.study.search.search import make_search
from bitlif.study.search.space import apply_edits
from bitlif.study.search.store import open_store
from bitlif.tasks.arrays import ArrayTask
from bitlif.tasks.data_file import Data, load_data
from bitlif.tasks.training import train

from study_data import FLASKS, flasks, write_csv, write_study
from study_plans import Here


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process have no data, like a new worker."""
    monkeypatch.setattr(own_data, "_KEPT", OrderedDict())


def plan_in(folder: Path, text: str = FLASKS, data: Data | None = None) -> Plan:
    return load_plan(write_study(folder, text, data))[0]


def jobs(plan: Plan) -> list[Job]:
    return [job for point in next(make_search(plan).batches()) for job in jobs_of(plan, point)]


def test_digest_is_of_the_content_and_the_options() -> None:
    data = flasks()
    first = OwnData.of(ArrayTask(data), "here.csv")
    assert first.digest == OwnData.of(ArrayTask(flasks(), encoder="rate"), "there.csv").digest
    others = [
        ArrayTask(flasks(1)), ArrayTask(data, test=0.5), ArrayTask(data, test=flasks(1)),
        ArrayTask(data, encoder="population"), ArrayTask(data, true_target=0.25),
        ArrayTask(data, encoder_options={"max_rate": 0.5}),
    ]  # fmt: skip
    digests = [first.digest, *(OwnData.of(task, "x").digest for task in others)]
    assert len(set(digests)) == len(digests)


@pytest.mark.usefixtures("forgotten")
def test_worker_finds_what_it_received_by_name() -> None:
    own: OwnData = pickle.loads(pickle.dumps(OwnData.of(ArrayTask(flasks()), "x")))
    with pytest.raises(BitlifError, match="has not received the data"):
        task_of(own.name)
    task = task_of(keep(own))
    assert isinstance(task, ArrayTask)
    assert task.data.digest == flasks().digest
    assert task_of(keep(own)) is task
    assert task_of("digits").name == "digits"
    with pytest.raises(BitlifError, match="other content"):
        keep(replace(own, digest="0" * 64))


@pytest.mark.usefixtures("forgotten")
def test_process_keeps_a_limited_number_of_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_data, "MOST_KEPT", 2)
    owns = [OwnData.of(ArrayTask(flasks(seed)), "x") for seed in range(3)]
    names = [keep(own) for own in owns]
    with pytest.raises(BitlifError):
        task_of(names[0])
    task_of(names[1])


@pytest.mark.parametrize(
    "data",
    [
        flasks(),
        Data.of(np.arange(24.0).reshape(2, 3, 4), [1, 5]),
        Data.of(Events.from_raster(np.eye(6, dtype=bool).reshape(2, 3, 6)), ["a", "b"]),
    ],
    ids=["table", "series", "spikes"],
)
def test_copy_has_the_same_content(data: Data, tmp_path: Path) -> None:
    (tmp_path / "copy.npz").write_bytes(to_npz(data))
    assert load_data(tmp_path / "copy.npz").digest == data.digest


def test_run_does_not_depend_on_the_path(tmp_path: Path) -> None:
    first, second = (plan_in(tmp_path / name) for name in ("one", "two"))
    shutil.move(tmp_path / "two" / "flasks.csv", tmp_path / "two" / "other.csv")
    (tmp_path / "two" / "flasks.toml").write_text(FLASKS.replace("flasks.csv", "other.csv"))
    second = load_plan(tmp_path / "two" / "flasks.toml")[0]
    assert [job.key for job in jobs(first)] == [job.key for job in jobs(second)]
    changed = plan_in(tmp_path / "three", data=flasks(1))
    assert not {job.key for job in jobs(first)} & {job.key for job in jobs(changed)}


def test_run_equals_training_by_hand(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    job = jobs(plan)[0]
    outcome = evaluate(job)
    assert outcome.error == ""
    assert set(outcome.values) == {metric.name for metric in plan.metrics}
    config = apply_edits(plan.config, job.edits).seeded(job.seed)
    with bitlif.open(config, signature=False) as core:
        history = train(core, plan.learned, epochs=2, seed=job.seed)
        by_hand = tasks.evaluate(core, plan.learned, history, seed=job.seed)
    assert outcome.values | by_hand == outcome.values
    assert (outcome.values["chance"], outcome.values["test_windows"]) == (1 / 3, 9)


def test_description_has_the_data_but_not_the_path(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    with open_store(tmp_path / "s", FLASKS, own=plan.own) as store:
        path, _ = run_study(plan, store, Here())
    told = json.loads(pq.read_schema(path).metadata[METADATA])
    assert told["task"] == "data"
    assert told["data"]["source"] == "flasks.csv"
    assert told["data"]["classes"] == ["ale", "bock", "kriek"]
    assert str(tmp_path) not in json.dumps(told)
    results = read_results(path)
    assert results.values["chance"].tolist() == [[1 / 3] * 2] * 4
    assert results.config(3).layer.inputs == 7


def test_folder_keeps_a_copy_and_refuses_other_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_study(tmp_path)
    out = tmp_path / "s"
    words = ["study", str(file), "--out", str(out), "--workers", "1", "--json"]
    assert main(words) == 0
    assert load_data(out / "data.npz").digest == flasks().digest
    first = (out / "results.parquet").read_bytes()
    assert main(words) == 0
    assert (out / "results.parquet").read_bytes() == first
    write_csv(tmp_path / "flasks.csv", flasks(1))
    capsys.readouterr()
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    for part in ("other data", "data.npz", "--force"):
        assert part in said
    assert (out / "results.parquet").read_bytes() == first
    assert load_data(out / "data.npz").digest == flasks().digest
    # Another option is another study of the same data.
    write_csv(tmp_path / "flasks.csv", flasks())
    file.write_text(FLASKS.replace("test = 0.25", "test = 0.5"))
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["computed"] == 8
    write_csv(tmp_path / "flasks.csv", flasks(1))
    assert main([*words, "--force"]) == 0
    assert load_data(out / "data.npz").digest == flasks(1).digest


def test_damaged_digests_are_named(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    with open_store(tmp_path / "s", FLASKS, own=plan.own):
        pass
    (tmp_path / "s" / "data.json").write_text("[")
    with (
        pytest.raises(BitlifError, match=r"data\.json' is damaged: give --force"),
        open_store(tmp_path / "s", FLASKS, own=plan.own),
    ):
        pass


def test_separate_test_data_are_kept_too(tmp_path: Path) -> None:
    write_csv(tmp_path / "unseen.csv", flasks(1))
    plan = plan_in(tmp_path, FLASKS.replace("test = 0.25", 'test = "unseen.csv"'))
    with open_store(tmp_path / "s", FLASKS, own=plan.own):
        pass
    assert load_data(tmp_path / "s" / "test.npz").digest == flasks(1).digest
    write_csv(tmp_path / "unseen.csv", flasks(2))
    changed = load_plan(tmp_path / "flasks.toml")[0]
    with (
        pytest.raises(BitlifError, match="other test data"),
        open_store(tmp_path / "s", FLASKS, own=changed.own),
    ):
        pass


def test_worker_processes_receive_the_data_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_in(tmp_path)
    sent: list[Any] = []
    connect = pool.Pipe

    def pipe() -> Any:
        ours, theirs = connect()
        send = ours.send

        class Watched:
            """One end of a pipe, whose messages are noted."""

            def __getattr__(self, name: str) -> Any:
                return getattr(ours, name)

            def send(self, message: Any) -> None:
                sent.append(message)
                send(message)

        return Watched(), theirs

    monkeypatch.setattr(pool, "Pipe", pipe)
    own = Pool(1)
    # As many jobs as make several tasks.
    many = [replace(job, key=f"{job.key}-{n}") for n in range(6) for job in jobs(plan)]
    try:
        came = [one for outcomes in own.run(many) for one in outcomes]
    finally:
        own.close()
    assert [one.error for one in came] == [""] * len(many)
    assert sum(isinstance(message, OwnData) for message in sent) == 1
    tasks = [message for message in sent if isinstance(message, list)]
    assert len(tasks) > 1
    assert all(job.own is None for task in tasks for job in task)
    values = {one.key.partition("-")[0]: one.values for one in came}
    assert values == {job.key: evaluate(job).values for job in jobs(plan)}
