"""Data and store on S3: s3fs against an S3 server."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from servers.s3 import S3Server

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.deletions import delete_version
from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.errors import StorageDeniedError, StorageError
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.folders import publish_folder, remove_folder
from retrainer.components.lib.registry.promotions import roll_back
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.runs.reuse import Result, Work, reuse_or_make
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.spans.span_discovery import find_spans
from retrainer.components.lib.statistics.statistics_artifact import read_statistics
from retrainer.components.lib.uris import (
    create_exclusive,
    exists,
    read_bytes,
    read_range,
    read_text,
    write_atomic,
)
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.validate import validate
from retrainer.pipelines.project.starting import init_project

pytestmark = pytest.mark.integration("go")
SPANS = ("2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05")


@pytest.fixture
def s3(tmp_path):
    with S3Server(tmp_path / "s3") as server:
        yield server


@pytest.fixture
def project(tmp_path, s3):
    """The starter project, with its data on S3."""
    folder = tmp_path / "project"
    init_project(folder)
    shutil.copytree(folder / "data", s3.bucket / "data")
    return folder


def test_of_many_who_create_one_succeeds(s3):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: create_exclusive("s3://acme/claims/a", str(i)), range(16)))
    assert made.count(True) == 1
    assert read_text("s3://acme/claims/a") == str(made.index(True))


def test_a_file_is_written_over_read_in_part_and_removed_with_its_folder(s3, tmp_path):
    write_atomic("s3://acme/a", "one")
    write_atomic("s3://acme/a", "another")
    assert read_text("s3://acme/a") == "another"
    assert read_range("s3://acme/a", 2, 100) == b"other"
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "span.json").write_text("{}")
    (tmp_path / "new" / "rows").write_text("1")
    assert publish_folder(tmp_path / "new", "s3://acme/span", "span.json")
    assert not publish_folder(tmp_path / "new", "s3://acme/span", "span.json")
    remove_folder("s3://acme/span", "span.json")
    assert not exists("s3://acme/span/rows")


def test_who_may_not_and_what_is_not_there_are_named(s3, monkeypatch):
    with pytest.raises(StorageError, match=r"'s3://nobody/a' can't be written .*bucket"):
        write_atomic("s3://nobody/a", "one")
    with pytest.raises(FileNotFoundError):
        read_text("s3://acme/none")
    with S3Server.as_somebody_else(), pytest.raises(StorageDeniedError, match="'s3://acme/a'"):
        write_atomic("s3://acme/a", "one")


def test_a_window_on_s3_is_that_of_local_files(project, s3, tmp_path):
    def chain(pattern: str, store: str, name: str) -> tuple[str, Examples]:
        folder = tmp_path / name
        settings = IngestSettings("returned", key=("order_id",))
        done = ingest(pattern, store, settings, str(folder / "examples"), window=4)
        compute(str(folder / "examples"), str(folder / "statistics"), str(folder / "report.html"))
        validate(
            str(folder / "statistics"),
            store,
            parse_settings(),
            str(folder / "anomalies"),
            str(folder / "schema"),
            str(folder / "validation.html"),
            "",
        )
        return done.verdict, Examples.read(folder / "examples")

    name = "orders-{span:%Y-%m-%d}.csv"
    _, local = chain(f"{project}/data/{name}", str(tmp_path / "store"), "local")
    _, first = chain(f"s3://acme/data/{name}", "s3://acme/store", "first")
    assert first.versions == local.versions
    for part in ("Split-train", "Split-eval", f"Before-{first.newest_span}"):
        assert read_statistics(tmp_path / "first" / "statistics", part) == read_statistics(
            tmp_path / "local" / "statistics", part
        )
    verdict, again = chain(f"s3://acme/data/{name}", "s3://acme/store", "again")
    assert verdict.startswith("nothing new")
    assert again == first

    newest = f"s3://acme/data/orders-{first.newest_span}.csv"
    write_atomic(newest, read_text(newest).rsplit("\n", 2)[0] + "\n")
    verdict, changed = chain(f"s3://acme/data/{name}", "s3://acme/store", "changed")
    assert f"{first.newest_span} changed, now version" in verdict
    assert changed.replaced == {first.newest_span: first.versions[first.newest_span]}
    assert changed.rows("eval") == first.rows("eval") - 1


def test_only_spans_with_their_marker_are_whole(s3):
    for day in (1, 2):
        write_atomic(f"s3://acme/in/day={day}/part-0.csv", "a,late\n1,0\n")
    write_atomic("s3://acme/in/day=1/_SUCCESS", "")
    spans = find_spans("s3://acme/in/day={span}/*.csv", "_SUCCESS")
    assert [(span.name, span.whole) for span in spans] == [("1", True), ("2", False)]


def test_the_registry_on_s3_is_that_of_a_folder(s3, tmp_path):
    model = tmp_path / "model"
    (model / "variables").mkdir(parents=True)
    (model / "variables" / "variables.index").write_text("weights")
    registry = Registry("s3://acme/store/models")
    digests = []
    for number in (1, 2, 3):
        (model / "saved_model.pb").write_text(f"graph {number}")
        digests.append(digest_folder(model))
        seen: list[str] = []
        registry.add(str(model), digests[-1], {}, check=seen.append)
        assert seen == digests[-1:]
        registry.move_alias("champion", number, number - 1 or None, {})
    assert [one.digest for one in registry.versions()] == digests
    assert registry.add(str(model), digests[-1], {}).version == 3
    assert roll_back(registry, {"by": "ann", "why": "too many refunds"}).version == 2
    assert registry.alias("champion").newest().holding(digests[2]).version == 3
    # A file is lost.
    (lost,) = (s3.bucket / "store/models/versions/000001").rglob("variables.index")
    lost.unlink()
    assert [(one.version, "1 files of" in one.reason) for one in registry.survey()[1]] == [
        (1, True)
    ]
    delete_version("s3://acme/store", 3, {"by": "ann"})
    assert registry.find(3) is None
    assert registry.numbers() == [1, 2, 3]
    assert not exists(f"{registry.version_uri(3)}/model/saved_model.pb")


@pytest.mark.slow
def test_the_pipeline_runs_on_s3_and_its_store_is_looked_at(project, s3):
    def retrainer(*arguments: str) -> str:
        command = [sys.executable, "-m", "retrainer.pipelines.cli.main", *arguments]
        done = subprocess.run(
            command,
            cwd=project,
            env={**os.environ, **s3.environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    file = project / "retrain.yaml"
    text = file.read_text().replace("pattern: data/", "pattern: s3://acme/data/")
    file.write_text(text + "store: s3://acme/store\npipeline_root: root\n")
    assert "pushed as version 1" in retrainer("run")
    assert "version 1" in retrainer("run"), "the champion is read again"
    assert "code digest" in retrainer("models", "show", "champion")
    listed = retrainer("spans", "list")
    assert [span for span in SPANS if span not in listed] == []


def test_a_task_finds_its_earlier_result_and_makes_a_damaged_one_again(s3, tmp_path):
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "manifest.json").write_text("rows")
    made = []

    def run(name):
        output = tmp_path / name
        work = Work("learn", {}, {"rows": str(tmp_path / "rows")}, {"model": str(output)})

        def make():
            made.append(name)
            (output / "variables").mkdir(parents=True)
            (output / "graph").write_text("graph")
            (output / "variables" / "values").write_text("1 2 3")
            return Result("learned")

        verdict = reuse_or_make("s3://acme/store", work, make).verdict
        assert (output / "variables" / "values").read_text() == "1 2 3"
        return verdict

    assert run("first") == "learned"
    assert run("second").startswith("learned; reused")
    (graph,) = (s3.bucket / "store" / "reused").rglob("graph")
    graph.write_text("scribble")
    assert run("third") == "learned"
    assert run("fourth").startswith("learned; reused")
    assert made == ["first", "third"]
    # The damaged files are gone.
    assert len(list((s3.bucket / "store" / "reused").rglob("graph"))) == 1


@pytest.mark.slow
def test_workers_in_processes_of_their_own_score_what_lies_on_s3(s3, tmp_path, monkeypatch):
    """The files of a span side by side on Beam: model, rows and predictions are reached by their URIs alone."""
    import tensorflow as tf

    from retrainer.components.predict_batch import on_beam
    from retrainer.components.predict_batch.predict import predict
    from retrainer.components.predict_batch.settings import PredictSettings

    module = tf.Module()
    module.double = tf.function(lambda x: {"predictions": 2 * x})
    serve = module.double.get_concrete_function(tf.TensorSpec([None], tf.float32, name="x"))
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"serving_default": serve})
    registry = Registry("s3://acme/store/models")
    registry.add(str(tmp_path / "model"), digest_folder(tmp_path / "model"), {})
    registry.move_alias("champion", 1, None, {})
    for number in range(4):
        rows = "".join(f"{number}-{row},{row}\n" for row in range(1_000))
        write_atomic(f"s3://acme/in/1-{number}.csv", f"id,x\n{rows}")
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    # The workers of a cluster, on this machine.
    monkeypatch.setattr(on_beam, "runs_here", lambda _: False)
    beam_args = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]

    def scored(output: str, beam_args: list[str]) -> dict[str, bytes]:
        settings = PredictSettings(IngestSettings("", key=("id",)))
        (found,) = predict(
            "s3://acme/in/{span}-*.csv",
            "s3://acme/store",
            settings,
            output=output,
            beam_args=beam_args,
        ).sets
        return {name: read_bytes(f"{found.uri}/{name}") for name in found.files}

    here = scored(str(tmp_path / "here"), [])
    assert len(here) == 4
    assert scored("", beam_args) == here
    (span,) = (s3.bucket / "store" / "predictions").iterdir()
    assert len(list(span.iterdir())) == 1
