"""One version of the registry: what it was trained on, and what older records leave open."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.model_versions import (
    Incomplete,
    ModelVersion,
    examine,
    read_version,
    training_digest,
)
from retrainer.components.lib.uris import join, write_atomic, write_json

INFO = {
    "data_digest": "rows",
    "code_digest": "code",
    "hyperparameters": {"units": 8},
    "training": {"epochs": 3},
}


def test_a_training_is_known_by_data_code_hyperparameters_and_settings():
    digest = training_digest(INFO)
    assert digest == training_digest({**INFO, "run": "other", "rows": {"train": 7}})
    for name in INFO:
        assert training_digest({**INFO, name: "other"}) != digest
    for name in ("data_digest", "code_digest"):
        assert training_digest({**INFO, name: ""}) == ""
        assert training_digest({key: one for key, one in INFO.items() if key != name}) == ""


@pytest.mark.parametrize(
    ("info", "newest"),
    [
        ({"span": "9", "eval_spans": ["3"]}, "9"),
        ({"span": "", "eval_spans": ["2", "3"], "train_spans": ["1", "4"]}, "3"),
        ({"eval_spans": [], "train_spans": ["1", "2"]}, "2"),
        ({"span": 20260131}, "20260131"),
        ({}, ""),
    ],
)
def test_the_newest_span_is_that_of_the_push_then_of_its_judgement_then_of_its_training(
    info, newest
):
    assert ModelVersion(1, "m", "d", info).newest_span == newest


@pytest.fixture(params=["local", "memory"])
def folder(request, tmp_path):
    """A version's folder with a model of two files of five bytes each."""
    made = str(tmp_path / "v") if request.param == "local" else f"memory://{tmp_path.name}/v"
    for name in ("saved_model.pb", "variables/data"):
        write_atomic(join(made, "model", name), "12345")
    return made


@pytest.mark.parametrize(
    ("sizes", "is_whole"),
    [
        ({"files": 2, "bytes": 10}, True),
        # Records of older releases do not say all of it.
        ({}, True),
        ({"files": 2}, True),
        ({"bytes": 9}, True),
        ({"files": 3, "bytes": 10}, False),
        ({"files": 2, "bytes": 9}, False),
    ],
)
def test_a_models_files_are_held_against_what_was_pushed(folder, sizes, is_whole):
    write_json(join(folder, "version.json"), {"version": 1, "digest": "d", **sizes})
    found = examine(1, folder)
    assert isinstance(found, ModelVersion) is is_whole
    if isinstance(found, ModelVersion):
        assert (found.info, found.files) == ({}, sizes.get("files"))
    else:
        assert "has 2 files of 10 bytes, and " in found.reason


def test_a_folder_without_a_record_is_no_version_and_says_why(folder):
    assert read_version(folder) is None
    assert examine(1, folder) == Incomplete(
        1, "it has no version.json: its push goes on, or was killed"
    )
    write_json(join(folder, "deleted.json"), {"by": "ann"})
    assert examine(1, folder) == Incomplete(1, "it was deleted", {"by": "ann"})
    write_json(join(folder, "version.json"), {"version": 1, "format": 1})
    with pytest.raises(RetrainerError, match=r"lacks 'digest'\. Restore it from a copy, or delete"):
        read_version(folder)
    assert not examine(1, folder).reason.endswith(".")
