"""The real libraries, loaded once and used in forked tasks."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

import pytest
from kfp import dsl

from retrainer.pipelines.local.preload import LIBRARIES, load_libraries
from retrainer.pipelines.local.runner import LocalRunner
from retrainer.pipelines.runs.records import RunState
from retrainer.pipelines.runs.run_words import describe_failure

OPTIONS = {"base_image": "toy:1", "install_kfp_package": False}


@dsl.component(**OPTIONS)
def look() -> NamedTuple("Outputs", [("loaded", list), ("verdict", str)]):
    import sys

    wanted = ("pyarrow", "pandas", "tensorflow", "tensorflow_model_analysis")
    return ([name for name in wanted if name in sys.modules], "")


@dsl.component(**OPTIONS)
def compute(after: str, folder: str) -> NamedTuple("Outputs", [("seen", dict)]):
    import os
    import sys

    loaded = "tensorflow_model_analysis" in sys.modules
    import apache_beam as beam
    import keras
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    import tensorflow as tf
    import tensorflow_data_validation
    import tensorflow_model_analysis
    import tensorflow_transform

    matrix = np.random.random((600, 600))
    product = tf.linalg.matmul(matrix, matrix).numpy()
    path = os.path.join(folder, str(os.getpid()))
    pq.write_table(pa.table({"x": matrix.ravel()}), path)
    table = pq.read_table(path, use_threads=True)
    model = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    rows = tf.data.Dataset.from_tensor_slices((matrix, matrix[:, 0])).batch(64)
    history = model.fit(rows, epochs=2, verbose=0)
    model.export(os.path.join(folder, f"model-{os.getpid()}"), verbose=False)
    options = beam.options.pipeline_options.PipelineOptions(["--direct_running_mode=in_memory"])
    with beam.Pipeline("DirectRunner", options=options) as pipeline:
        pipeline | beam.Create(range(10)) | beam.Map(lambda number: number + 1)
    seen = {
        "loaded": loaded,
        "draw": float(matrix[0, 0]),
        "blas": bool(np.allclose(matrix @ matrix, product)),
        "arrow": table.num_rows,
        "keras": keras.__version__,
        "loss": float(history.history["loss"][-1]),
        "legacy": os.environ.get("TF_USE_LEGACY_KERAS", ""),
        "libraries": [
            tensorflow_data_validation.__version__,
            tensorflow_model_analysis.__version__,
            tensorflow_transform.__version__,
        ],
    }
    return (seen,)


# The commands' tests run the pipeline in such tasks, with the libraries loaded once for all of them.
@pytest.mark.slow
def test_libraries_work_in_tasks_forked_after_loading_them(
    tmp_path, compile_pipeline, listener, capfd
):
    @dsl.pipeline(name="heavy")
    def heavy(folder: str):
        looked = look()
        compute(after=looked.outputs["verdict"], folder=folder)
        compute(after=looked.outputs["verdict"], folder=folder)

    spec = compile_pipeline(heavy)
    where = {"store": str(tmp_path / "store"), "pipeline_root": str(tmp_path / "root")}
    warming: list[float] = []
    listener.warming_up = lambda progress: warming.append(progress.done)
    with LocalRunner(workers=2) as runner:
        first = runner.run(
            spec, run_id="a", parameters={"folder": str(tmp_path)}, observer=listener, **where
        )
        again = runner.run(
            spec, run_id="b", parameters={"folder": str(tmp_path)}, caching=False, **where
        )

    for record in (first, again):
        assert record.state == RunState.SUCCEEDED, describe_failure(record)
        one, two = (record.tasks[name].outputs["seen"] for name in ("compute", "compute-2"))
        for seen in (one, two):
            assert seen["loaded"]
            assert (seen["blas"], seen["arrow"]) == (True, 360_000)
            assert seen["keras"].startswith("3.")
            assert seen["loss"] >= 0
            assert seen["legacy"] == ""
        # Forked tasks would otherwise share the state of the one generator that was loaded.
        assert one["draw"] != two["draw"]
    # A first task does not wait for what it does not need; nobody else waits for anything twice.
    assert "tensorflow_model_analysis" not in first.tasks["look"].outputs["loaded"]
    assert "tensorflow_model_analysis" in again.tasks["look"].outputs["loaded"]
    assert warming == sorted(warming)
    assert warming[-1] == len(LIBRARIES)
    # Whatever TensorFlow, absl, Beam and Google's clients have to say, they say to a log.
    assert capfd.readouterr() == ("", "")


def test_a_library_that_is_missing_or_broken_does_not_stop_the_others(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "broken_library.py").write_text("raise RuntimeError('bad wheel')")
    (tmp_path / "sound_library.py").write_text("value = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen: list[tuple[int, str]] = []
    names = ("not_installed_at_all", "broken_library", "sound_library")
    load_libraries(names, lambda done, name: seen.append((done, name)))
    assert seen == list(enumerate(names))
    assert sys.modules.pop("sound_library").value == 1
    printed = capsys.readouterr().err
    assert "RuntimeError: bad wheel" in printed
    assert "not_installed_at_all" not in printed


@pytest.mark.parametrize(("before", "after"), [(None, None), ("0", "1")])
def test_the_legacy_keras_switch_is_left_as_the_user_has_it(tmp_path, monkeypatch, before, after):
    (tmp_path / "switches.py").write_text("import os\nos.environ['TF_USE_LEGACY_KERAS'] = '1'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
    if before:
        monkeypatch.setenv("TF_USE_LEGACY_KERAS", before)
    load_libraries(["switches"], lambda done, name: None)
    sys.modules.pop("switches")
    assert os.environ.get("TF_USE_LEGACY_KERAS") == after


def test_the_runner_itself_loads_none_of_them():
    heavy = sorted({name.partition(".")[0] for name in LIBRARIES} - {"kfp", "retrainer"})
    code = (
        "import json, sys; import retrainer.pipelines.local.runner, "
        "retrainer.pipelines.cli.progress; print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(heavy) & set(json.loads(done.stdout)), heavy
