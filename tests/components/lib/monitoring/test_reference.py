"""Reference rows: which they are, what the model says of them, and what is missing."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from servers.reference_rows import calibrated_rows, export_model, push_champion

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring import reference, reference_table
from retrainer.components.lib.monitoring.reference import find_or_make_reference
from retrainer.components.lib.registry.model_versions import ModelVersion
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import write_json


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("exported") / "model"
    return export_model(path, lambda x: tf.sigmoid(x)[:, None], x=tf.float32)


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store")


def push(store: str, model: str, **parts: dict[str, pa.Table]) -> ModelVersion:
    return push_champion(store, model, {span.replace("_", "-"): one for span, one in parts.items()})


def test_every_row_of_the_evaluation_split_with_prediction_label_and_weight(
    store: str, model: str
) -> None:
    july, august = calibrated_rows(2_500), calibrated_rows(700, 2)
    version = push(store, model, s2026_07={"all": july}, s2026_08={"all": august})
    found = find_or_make_reference(store, version, "late", "weight")
    assert (found.spans, found.rows, found.of_rows) == (("s2026-07", "s2026-08"), 3_200, 3_200)
    x = np.concatenate([july["x"].to_numpy(), august["x"].to_numpy()])
    assert found.predictions == pytest.approx(1 / (1 + np.exp(-x)), abs=1e-6)
    assert found.labels.tolist() == july["late"].to_pylist() + august["late"].to_pylist()
    assert found.weights.tolist() == july["weight"].to_pylist() + august["weight"].to_pylist()
    assert found.features == {"x": "x"}
    assert found.read(["request_id", "row"]).slice(2_500, 1).to_pylist() == [
        {"request_id": "s2026-08", "row": 0}
    ]


def test_of_several_outputs_it_has_the_one_that_is_judged(store: str, tmp_path: Path) -> None:
    rows = calibrated_rows(300)
    model = export_model(
        tmp_path / "model",
        lambda x: {"late": tf.sigmoid(x), "over": tf.stack([x, -x], 1)},
        x=tf.float32,
    )
    version = push(store, model, a={"all": rows})
    late = find_or_make_reference(store, version, "late", output="late")
    assert late.predictions == pytest.approx(1 / (1 + np.exp(-rows["x"].to_numpy())), abs=1e-6)
    over = find_or_make_reference(store, version, "late", output="over")
    assert over.predictions.shape == (300, 2)
    with pytest.raises(RetrainerError, match="no output 'lat', only late, over"):
        find_or_make_reference(store, version, "late", output="lat")


def test_it_is_made_once(store: str, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    version = push(store, model, a={"all": calibrated_rows(50)})
    first = find_or_make_reference(store, version, "late")
    shutil.rmtree(version.uri)
    assert find_or_make_reference(store, version, "late") == first
    assert first.weights.tolist() == [1.0] * 50


def test_a_hash_split_has_its_own_rows_and_spans_of_other_types_go_together(
    store: str, model: str
) -> None:
    first, second = calibrated_rows(40), calibrated_rows(30, 2)
    other = second.set_column(0, "x", second["x"].cast(pa.float64())).drop(["weight"])
    version = push(
        store,
        model,
        a={"train": calibrated_rows(9, 3), "eval": first},
        b={"train": other, "eval": other},
    )
    found = find_or_make_reference(store, version, "late")
    assert found.labels.tolist() == first["late"].to_pylist() + second["late"].to_pylist()


def test_of_many_rows_it_takes_as_many_from_every_span_evenly(store: str, model: str) -> None:
    parts = {
        name: {"all": calibrated_rows(rows, rows)}
        for name, rows in (("a", 5_000), ("b", 100), ("c", 3_000))
    }
    found = find_or_make_reference(store, push(store, model, **parts), "late", most_rows=1_000)
    table = found.read(["request_id", "row"])
    rows = {
        span: table.filter(pa.compute.equal(table["request_id"], span))["row"].to_numpy()
        for span in "abc"
    }
    assert [len(one) for one in rows.values()] == [450, 100, 450]
    assert found.of_rows == 8_100
    assert np.diff(rows["a"]).min() >= 11
    assert np.diff(rows["a"]).max() <= 12
    assert rows["a"][-1] > 4_980
    chosen = parts["a"]["all"]["late"].to_numpy()[rows["a"]]
    assert found.labels[:450].tolist() == chosen.tolist()


def test_of_wide_tables_it_takes_fewer(
    store: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_table, "MOST_CELLS", 400)
    monkeypatch.setattr(reference_table, "LEAST_ROWS", 10)
    version = push(store, model, a={"all": calibrated_rows(900)})
    assert find_or_make_reference(store, version, "late").rows == 133


def test_killed_half_way_it_is_made_again(
    store: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = push(store, model, a={"all": calibrated_rows(60)})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(reference, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            find_or_make_reference(store, version, "late")
    assert find_or_make_reference(store, version, "late").rows == 60


def test_of_two_that_make_it_at_once_one_stays(
    store: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = push(store, model, a={"all": calibrated_rows(60)})
    found = []

    def write(uri: str, value: object) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(reference, "write_json", write_json)
            found.append(find_or_make_reference(store, version, "late"))
        write_json(uri, value)

    with monkeypatch.context() as patched:
        patched.setattr(reference, "write_json", write)
        found.append(find_or_make_reference(store, version, "late"))
    assert found[0] == found[1]
    assert len(list(Path(Store(store).reference_uri(version.version)).iterdir())) == 1


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({}, "names no spans that it was evaluated on"),
        ({"eval_spans": ["a", "b"], "span_versions": {"a": "0" * 16}}, "the version of span b"),
        ({"eval_spans": ["a"], "span_versions": {"a": "0" * 16}}, "Ingest the span again"),
    ],
)
def test_a_missing_baseline_is_an_error_that_names_the_fix(
    store: str, model: str, info: dict[str, object], expected: str
) -> None:
    version = push(store, model, a={"all": calibrated_rows(10)})
    other = ModelVersion(version.version, version.uri, version.digest, dict(info))
    with pytest.raises(RetrainerError, match=expected):
        find_or_make_reference(store, other, "late")


@pytest.mark.parametrize(
    ("table", "label", "expected"),
    [
        (calibrated_rows(10), "delay", r"no column 'delay', which is the label \(data.label\)"),
        (pa.table({"x": [1.0], "late": ["yes"]}), "late", "'late' of span a is string"),
        (calibrated_rows(10), "x", "takes 'x', the label, as a feature"),
        (calibrated_rows(0), "late", "have no rows"),
    ],
)
def test_what_no_reference_can_be_made_of(
    store: str, model: str, table: pa.Table, label: str, expected: str
) -> None:
    version = push(store, model, a={"all": table})
    with pytest.raises(RetrainerError, match=expected):
        find_or_make_reference(store, version, label)
    assert Registry(Store(store).models_uri).version_of("champion") == version.version
