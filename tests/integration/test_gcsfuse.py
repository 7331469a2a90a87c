"""A run whose artifacts lie on a mount of the real gcsfuse, over a server that stands for Cloud Storage.

Needs Go, root and /dev/fuse. Building gcsfuse takes about a minute where Go has not built it before.
"""

import json
import subprocess
import sys
import time

import pytest
import requests
from servers import gcsfuse

pytestmark = [pytest.mark.integration("go", "umount"), pytest.mark.slow]


@pytest.fixture(scope="module")
def mount(tmp_path_factory):
    with gcsfuse.mounted(tmp_path_factory.mktemp("gcsfuse")) as mounted:
        yield mounted


def test_the_preloaded_rules_are_those_of_gcsfuse(mount, tmp_path):
    folder, _ = mount
    rules = gcsfuse.Rules(tmp_path)
    (folder / "calls").mkdir()
    assert gcsfuse.outcomes(folder / "calls") == gcsfuse.outcomes(rules.folder, **rules.environment)


_WRITER = """
import os, sys, time
with open(f"{sys.argv[1]}/half", "wb") as file:
    file.write(b"x" * 100_000)
    file.flush()
    os.fsync(file.fileno())
    print("synced", flush=True)
    time.sleep(600)
"""


def test_a_file_is_an_object_when_it_is_closed_and_so_is_half_of_one_whose_writer_is_killed(mount):
    folder, objects = mount

    def sizes():
        answer = requests.get(objects, params={"prefix": "half"}, timeout=30).json()
        return [int(one["size"]) for one in answer.get("items", [])]

    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, folder], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "synced\n"
        assert sizes() == []
        writer.kill()
    for _ in range(600):
        if sizes():
            break
        time.sleep(0.1)
    assert sizes() == [100_000]


def test_the_pipeline_runs_and_its_artifacts_are_objects(mount, tmp_path):
    folder, objects = mount
    done = gcsfuse.run_pipeline(tmp_path / "project", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    tasks = json.loads(done.stdout)["tasks"]
    assert {task["state"] for task in tasks.values()} == {"succeeded"}
    names = [one["name"] for one in requests.get(objects, timeout=30).json()["items"]]
    for task in tasks.values():
        for kind, artifact in task["output_artifacts"].items():
            path = artifact["uri"].removeprefix(f"{folder}/")
            # The values of `metrics` are in its metadata; it may have no file.
            assert kind == "metrics" or [name for name in names if name.startswith(path)], path
    assert [name for name in names if name.endswith(".tmp")] == []
