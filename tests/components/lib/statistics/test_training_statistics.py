"""Statistics of what a model was trained on."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from servers.served_predictions import make_columns, push_version
from servers.training_spans import trained_on, write_training_span

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.lib.statistics.sketch_store import SketchStore
from retrainer.components.lib.statistics.training_statistics import (
    training_parts,
    training_statistics,
)
from retrainer.components.lib.store import Store

SPANS = ["2026-09", "2026-10"]


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")


@pytest.fixture
def model(store, tmp_path):
    for number, span in enumerate(SPANS):
        write_training_span(store, span, make_columns(400, number), ("train", "eval"))
    number = push_version(store, tmp_path, since=datetime.now(UTC), info=trained_on(SPANS))
    return Registry(Store(store).models_uri).get(number)


def test_each_span_that_it_was_trained_on_has_its_own(store, model, monkeypatch):
    found = training_statistics(store, model)
    assert list(found) == SPANS
    assert Dataset(found["2026-09"]).rows == 400
    assert len(Dataset(found["2026-09"]).columns["distance"].quantiles[0]) == 201
    monkeypatch.setattr(SketchStore, "accumulators", None)
    assert training_statistics(store, model) == found


def test_of_a_hash_split_it_is_the_training_part(store, model):
    assert [part.part for part in training_parts(store, model)] == ["train", "train"]


def test_a_model_whose_spans_are_not_known_is_an_error_that_names_the_fix(store, model):
    with pytest.raises(RetrainerError, match=r"version 1 does not say which spans.*push it again"):
        training_parts(store, replace(model, info={}))


def test_a_span_that_is_gone_is_an_error_that_names_it(store, model):
    shutil.rmtree(Store(store).span_uri("2026-10"))
    with pytest.raises(
        RetrainerError, match=r"span 2026-10, whose version 'a+' is not in the store"
    ):
        training_parts(store, model)
