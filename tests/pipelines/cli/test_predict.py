"""`retrainer predict`, and the pipeline `predict_batch` on this machine and on services."""

import csv
import json

import pytest
from click.testing import CliRunner

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.project.starting import init_project


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project with a champion that doubles `amount`."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("project")
    init_project(folder)
    module = tf.Module()
    module.function = tf.function(lambda amount: {"predictions": amount * 2})
    spec = tf.TensorSpec([None], tf.float32, name="amount")
    signature = module.function.get_concrete_function(amount=spec)
    tf.saved_model.save(module, str(folder / "model"), signatures={"serving_default": signature})
    file = folder / "retrain.yaml"
    file.write_text(
        file.read_text()
        + "\npredict: {key: [id], max_errors: 0.5, pattern: 'new/{span}.csv', schedule: {cron: '@daily'}}\n"
    )
    registry = Registry(str(folder / "store" / "models"))
    registry.add(str(folder / "model"), digest_folder(folder / "model"), {})
    registry.move_alias(CHAMPION, 1, None, {})
    (folder / "new").mkdir()
    (folder / "new" / "1.csv").write_text("id,amount\nä,1.5\nb,\nc,2\n")
    return folder


def run(*arguments):
    return CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_is_scored_into_a_file(folder, tmp_path, ending):
    output = tmp_path / f"out.{ending}"
    shown = run("predict", folder / "new/1.csv", "--file", folder, "-o", output, "--model", "1")
    assert f"wrote {output}" in shown.output
    if ending == "csv":
        rows = list(csv.DictReader(output.open(encoding="utf-8")))
    else:
        import pyarrow.parquet as pq

        rows = pq.read_table(output).to_pylist()
    assert [row["id"] for row in rows] == ["ä", "b", "c"]
    assert [float(row["prediction"]) for row in (rows[0], rows[2])] == [3.0, 4.0]
    assert rows[1]["status"] == "error"
    assert [path.name for path in tmp_path.iterdir()] == [output.name]
    # Monitoring takes what is there for traffic.
    assert not (folder / "store" / "predictions").exists()


def test_a_file_that_is_scored_into_a_file_is_described_as_such(folder, tmp_path):
    output = str(tmp_path / "out.csv")
    shown = run("predict", folder / "new/1.csv", "--file", folder, "-o", output, "--json")
    written = json.loads(shown.stdout)
    assert (written["rows"], written["uri"], written["output"]) == (3, output, output)


def test_without_an_output_the_store_has_the_predictions(folder):
    shown = run("predict", folder / "new/1.csv", "--file", folder, "--json")
    written = json.loads(shown.stdout)
    assert (written["rows"], written["errors"], written["model_version"]) == (3, 1, 1)
    assert written["uri"].startswith(str(folder / "store" / "predictions" / "1"))


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("scored.json", "neither a .csv nor a .parquet"),
        ("missing/scored.csv", "folder '.*missing' is missing"),
        ("gs://bucket/scored.csv", "Name a folder there, such as 'gs://bucket'"),
    ],
)
def test_an_output_that_cannot_be_written_is_an_error_before_anything_is_scored(
    folder, tmp_path, monkeypatch, output, reason
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RetrainerError, match=reason):
        run("predict", folder / "new/1.csv", "--file", folder, "-o", output)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_there_is_named(folder):
    with pytest.raises(RetrainerError, match=r"no file '.*2.csv'"):
        run("predict", folder / "new/2.csv", "--file", folder)
