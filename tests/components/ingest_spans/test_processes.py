"""Ingestion by several processes at once, and by one that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gcsfs
import pytest
from servers.storage import StorageServer

from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.spans.stored_spans import list_stored, list_versions

ROWS = 200_000
INGEST = """
import sys, time
from pathlib import Path
from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.source_rows.settings import IngestSettings
pattern, store, output, start = sys.argv[1:]
Path(output).mkdir()
while not Path(start).exists():
    time.sleep(0.001)
ingest(pattern, store, IngestSettings("label"), output)
"""


@pytest.fixture
def start(tmp_path):
    """Gives a function that starts a process which ingests spans 1 and 2 once the file `go` is there."""
    (tmp_path / "in").mkdir()
    for span in "12":
        rows = "".join(f"{row},{span}.5,{row % 2}\n" for row in range(ROWS))
        (tmp_path / "in" / f"{span}.csv").write_text("id,amount,label\n" + rows)
    processes = []

    def ingest_in_a_process(name, store):
        arguments = [str(tmp_path / "in" / "{span}.csv"), store, str(tmp_path / name)]
        process = subprocess.Popen(
            [sys.executable, "-c", INGEST, *arguments, str(tmp_path / "go")],
            # As in a task: the faces, and kfp with them, are not loaded.
            env={**os.environ, "_KFP_RUNTIME": "true"},
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield ingest_in_a_process
    for process in processes:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path, monkeypatch):
    if request.param == "folder":
        yield str(tmp_path / "store")
        return
    with StorageServer() as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        gcsfs.GCSFileSystem.clear_instance_cache()
        yield "gs://acme/store"
        gcsfs.GCSFileSystem.clear_instance_cache()


def wait_for(folder: Path, pattern: str) -> None:
    deadline = time.monotonic() + 60
    while not any(folder.glob(pattern)):
        assert time.monotonic() < deadline, f"no {pattern} in {folder}"
        time.sleep(0.0005)


def test_processes_that_ingest_the_same_spans_at_once_leave_one_copy(start, store, tmp_path):
    processes = [start(f"examples-{number}", store) for number in range(3)]
    for number in range(3):
        wait_for(tmp_path, f"examples-{number}")
    (tmp_path / "go").touch()
    for process in processes:
        assert process.wait(60) == 0, process.stderr.read()
    manifests = [
        json.loads((tmp_path / f"examples-{number}" / "manifest.json").read_text())
        for number in range(3)
    ]
    assert manifests[0] == manifests[1] == manifests[2]
    stored = list_stored(store)
    assert [len(versions) for versions in stored.values()] == [1, 1]
    assert len(Examples.read(tmp_path / "examples-0").read_table("train")) == ROWS
    if Path(store).is_dir():
        left = {path.name for path in (Path(store) / "spans" / "1").iterdir()}
        assert left == {"seen", stored["1"][0].version}


@pytest.mark.parametrize("seen", [".writing-*", ".writing-*/*.parquet", "*/span.json"])
def test_a_process_that_is_killed_leaves_nothing_that_a_later_one_reads(start, seen, tmp_path):
    store = str(tmp_path / "store")
    process = start("killed", store)
    (tmp_path / "go").touch()
    wait_for(tmp_path / "store" / "spans" / "1", seen)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    assert not (tmp_path / "killed" / "manifest.json").exists()
    # What is listed is whole, and what is left of the rest is not listed.
    for versions in list_stored(store).values():
        assert versions[-1].rows == ROWS

    output = str(tmp_path / "examples")
    ingest(str(tmp_path / "in" / "{span}.csv"), store, IngestSettings("label"), output)
    examples = Examples.read(output)
    for split in ("train", "eval"):
        assert len(examples.read_table(split)) == ROWS
    assert [len(list_versions(store, span)) for span in "12"] == [1, 1]
