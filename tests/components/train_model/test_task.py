"""The task of train_model: what it takes in place of a training."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.examples import Examples, SpanPart
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.verdicts import Champion
from retrainer.components.train_model import task
from retrainer.components.train_model.task import train_or_reuse

CODE = "def build_model(transform, hyperparameters): ...\n"
SETTINGS = {"epochs": 2, "seed": 1, "steps": 0, "hyperparameters": {"units": 8}}


class TrainedError(Exception):
    """A training began."""


@pytest.fixture
def warm(tmp_path, monkeypatch):
    """A function that starts a training from a champion that is recorded as trained by `trained`."""

    def begin(*_):
        raise TrainedError

    # The real one loads TensorFlow.
    fake = SimpleNamespace(train=begin, TrainSettings=dict)
    monkeypatch.setitem(sys.modules, "retrainer.components.train_model.train", fake)
    part = SpanPart("2026-01", "x", "all", 3, ("a",))
    store = str(tmp_path / "store")

    def record(rows="v1", settings=SETTINGS, schema="s", **more):
        training = task._describe(settings, {"module": "", "module_source": CODE})
        examples = examples_of(rows)
        info = {"data_digest": examples.digest, "schema": {"digest": schema}, **training, **more}
        # As push_model notes it, after kfp made floats of integers.
        info["training"] = info.pop("settings")
        info["hyperparameters"] = {"units": 8.0}
        model = tmp_path / "served"
        model.mkdir()
        (model / "saved_model.pb").write_text("graph")
        made = Registry(f"{store}/models").add(str(model), digest_folder(model), info)
        Champion.of(made).write(str(tmp_path / "champion"))

    def examples_of(rows):
        splits = {"train": (part,), "eval": (part,)}
        return Examples("late", splits, ("2026-01",), versions={"2026-01": rows})

    def train(store=store, salt=""):
        examples_of("v1").write(tmp_path / "examples")
        (tmp_path / "graph").mkdir(exist_ok=True)
        names = ("examples", "graph", "model", "metrics", "champion")
        paths = [str(tmp_path / name) for name in names]
        return train_or_reuse(*paths, "", CODE, SETTINGS, store, salt, "s")

    return record, train


def test_a_champion_of_the_same_training_is_taken_as_it_is(warm, tmp_path):
    record, train = warm
    record()
    done = train()
    assert done.verdict.startswith(
        "version 1 was trained on these rows by the same code and settings"
    )
    assert (done.values["metrics"], "seconds" in done.values["training"]) == ({}, False)
    assert (Path(tmp_path) / "model" / "saved_model.pb").read_text() == "graph"


@pytest.mark.parametrize(
    "changed",
    [
        {"rows": "v2"},
        {"settings": SETTINGS | {"epochs": 3}},
        {"schema": "t"},
        {"code_digest": "other"},
        {"made_with": {"retrainer": "0.0.1"}},
    ],
)
def test_a_champion_of_another_training_is_where_this_one_starts(warm, changed):
    record, train = warm
    record(**changed)
    with pytest.raises(TrainedError):
        train()


def test_where_nothing_is_reused_or_the_environment_counts_a_warm_start_goes_on(warm, monkeypatch):
    record, train = warm
    record()
    for more in ({"store": ""}, {"salt": "env"}):
        with pytest.raises(TrainedError):
            train(**more)
    monkeypatch.setenv("RETRAINER_REUSE", "off")
    with pytest.raises(TrainedError):
        train()
