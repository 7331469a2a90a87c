"""A run whose artifacts lie where gcsfuse's rules hold, as they do on Vertex AI."""

import errno
import json

import pytest
from servers import gcsfuse


@pytest.fixture
def rules(tmp_path):
    (tmp_path / "rules").mkdir()
    return gcsfuse.Rules(tmp_path / "rules")


@pytest.mark.slow
def test_every_task_writes_its_artifacts_below_a_mount_that_can_not_rename_folders(tmp_path, rules):
    done = gcsfuse.run_pipeline(tmp_path / "project", rules.folder, **rules.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    tasks = json.loads(done.stdout)["tasks"]
    assert len(tasks) == 9
    artifacts = [one["uri"] for task in tasks.values() for one in task["output_artifacts"].values()]
    assert len(artifacts) > 9
    assert [uri for uri in artifacts if not uri.startswith(str(rules.folder))] == []
    # Not even tried: what a library does after a refusal is its own affair.
    assert rules.refused() == []


def test_the_rules_refuse_what_gcsfuse_refuses(rules):
    found = gcsfuse.outcomes(rules.folder, **rules.environment)
    refused = {name: code for name, code in found.items() if code}
    assert refused == {
        "rename a folder": errno.EMFILE,
        "link": errno.EPERM,
        "make a pipe": errno.ENOTSUP,
        "create what is there": errno.EEXIST,
    }
    assert len(rules.refused()) == 3


_STORE = """
import sys
from retrainer.components.lib.folders import publish_folder, scratch_folder
from retrainer.components.lib.uris import create_exclusive
from retrainer.components.lib.errors import RetrainerError
mount = sys.argv[1]
with scratch_folder(f"{mount}/spans/1") as folder:
    (folder / "span.json").write_text("{}")
    for call in (
        lambda: create_exclusive(f"{mount}/claims/1", "one"),
        lambda: publish_folder(folder, f"{mount}/spans/1", "span.json"),
    ):
        try:
            call()
        except RetrainerError as error:
            print(error)
"""


def test_a_store_on_a_mount_is_refused_with_what_to_set(rules):
    said = gcsfuse.python(_STORE, rules.folder, **rules.environment)
    claim, span = said.stdout.splitlines()
    assert claim.startswith(
        f"'{rules.folder}/claims' can't be in the store: its file system has no hard links"
    )
    assert span.startswith(
        f"'{rules.folder}/spans' can't be in the store: its file system can't rename a folder"
    )
    assert "Set store to the bucket's own URI (gs://... or s3://...)" in span


_REUSE = """
import os, sys
from retrainer.components.lib.runs.reuse import Result, Work, reuse_or_make
mount = sys.argv[1]

def work(attempt):
    return Work("train_model", {}, {}, {"model": f"{mount}/{attempt}/model"})

def make():
    os.makedirs(f"{mount}/first/model/variables")
    for name in ("saved_model.pb", "variables/index"):
        with open(f"{mount}/first/model/{name}", "w") as file:
            file.write(name)
    return Result("trained")

for attempt in ("first", "second"):
    print(reuse_or_make(f"{mount}-store", work(attempt), make).verdict)
print(*sorted(os.listdir(f"{mount}/second/model")))
"""


def test_a_reused_result_is_copied_to_a_mount_file_by_file(rules):
    said = gcsfuse.python(_REUSE, rules.folder, **rules.environment)
    made, reused, files = said.stdout.splitlines()
    assert made == "trained"
    assert reused.startswith("trained; reused")
    assert files == "saved_model.pb variables"
    assert rules.refused() == []
