"""Signatures read without TensorFlow, beside what TensorFlow's own loader says."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.saved_models.model_signature import read_signature
from retrainer.components.lib.saved_models.saved_model import load_model


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> str:
    module = tf.Module()

    def score(amount: Any, count: Any, word: Any, flag: Any) -> dict[str, Any]:
        rows = amount[:, None] + tf.cast(count, tf.float32)[:, None]
        return {"predictions": tf.repeat(rows, 3, 1), "first": rows, "word": word, "flag": flag}

    module.function = tf.function(score)
    kinds = {"amount": tf.float32, "count": tf.int64, "word": tf.string, "flag": tf.bool}
    specs = {name: tf.TensorSpec([None], kind, name=name) for name, kind in kinds.items()}
    path = str(tmp_path_factory.mktemp("exported") / "model")
    signature = module.function.get_concrete_function(**specs)
    tf.saved_model.save(module, path, signatures={"serving_default": signature})
    return path


def test_it_says_what_tensorflows_own_loader_says(exported: str) -> None:
    found = read_signature(exported)
    model = load_model(exported, "model")
    assert dict(found.inputs) == model.kinds
    assert list(found.inputs) == model.columns
    assert dict(found.outputs) == {"predictions": 3, "first": 1, "word": 1, "flag": 1}
    assert found.outputs["predictions"] == model.outputs


def test_the_columns_of_a_log_are_known_without_tensorflow() -> None:
    code = (
        "import sys, retrainer.components.ingest_predictions.ingest;"
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)


def test_what_has_no_such_signature_is_named(exported: str, tmp_path: Path) -> None:
    with pytest.raises(RetrainerError, match=r"no signature 'other', only \['__saved_model"):
        read_signature(exported, "other")
    with pytest.raises(RetrainerError, match="there is no SavedModel"):
        read_signature(str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff no message")
    with pytest.raises(RetrainerError, match="there is no SavedModel"):
        read_signature(str(tmp_path))


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables.data-00000-of-00001", "variables.index"]
)
def test_a_model_of_which_a_file_is_cut_off_is_named(
    exported: str, tmp_path: Path, name: str
) -> None:
    copy = shutil.copytree(exported, tmp_path / "model")
    [file] = copy.rglob(name)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(RetrainerError, match=r"champion at .* is not a SavedModel that loads here"):
        load_model(str(copy), "champion")
