"""`retrainer config migrate` writes today's spelling, and keeps what a person wrote."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.cli.main import cli
from retrainer.pipelines.project.config import read_config
from retrainer.pipelines.project.migration import migrate

OLD = """\
# Which orders come back?
name: orders
caching: false  # while we try things out

data:
  pattern: data/{span}.csv
  # A day is judged by the day after.
  window: 4
  eval_spans: 1  # one day
  key: [order_id]

  # Customers stay on one side.
  split_by:
    - customer   # by hash
    # the last one

  split: hash
  hash: [email,
         phone]
  hash_key_file: "key.txt"
  label: returned
  marker: ''
model:
  steps: 0   # by epochs
evaluation:
  metrics_specs: []
tasks:
  # For all of them.
  all: &all
    retries: 2
    node_selector: {pool: small}
  train_model: {cpu: "8", timeout_seconds: 900, secrets: {A: s/k}}
  ingest_spans:
    # An hour.
    timeout_seconds: 3600
    kubernetes:
      image_pull_policy: Always
    secret_volumes: {/keys: hashing}
trigger_service:
  service_account: push@acme-ml.iam.gserviceaccount.com
"""
NEW = """\
# Which orders come back?
version: 1
name: orders

data:
  pattern: data/{span}.csv
  # A day is judged by the day after.
  window: 4
  key: [order_id]

  split:
    by: hash
    eval_spans: 1  # one day
    # Customers stay on one side.
    columns:
      - customer   # by hash
      # the last one
  hash:
    columns: [email,
           phone]
    key_file: "key.txt"
  label: returned
  marker: null
model:
  steps: null   # by epochs
evaluation:
  metrics_specs: []
tasks:
  # For all of them.
  all: &all
    retries: 2
    kubernetes:
      node_selector: {pool: small}
    caching: false  # while we try things out
  train_model: {cpu: "8", kubernetes: {timeout_seconds: 900, secrets: {A: s/k}}}
  ingest_spans:
    kubernetes:
      image_pull_policy: Always
      # An hour.
      timeout_seconds: 3600
      secret_volumes: {/keys: hashing}
trigger_service:
  push_account: push@acme-ml.iam.gserviceaccount.com
"""


def test_what_is_old_moves_with_its_comments_and_the_rest_stays():
    new, changes = migrate(OLD, "y")
    assert new == NEW
    assert "y:9: 'data.eval_spans' becomes 'data.split.eval_spans'" in changes
    assert len(changes) == 15


def test_a_current_file_is_left_as_it_is():
    assert migrate(NEW, "y") == (NEW, [])


def test_the_new_file_means_the_same():
    assert read_config(NEW, "y").config == read_config(OLD, "y").config
    assert read_config(NEW, "y").old == []


SMALL = "{name: a, data: {pattern: 'x{span}', label: y%s}, evaluation: {metrics_specs: []}%s}\n"


@pytest.mark.parametrize(
    ("data", "more", "new_data", "new_more"),
    [
        (", split: hash, split_by: [a]", "", ", split: {by: hash, columns: [a]}", ""),
        (", hash_key_env: K", "", ", hash: {key_env: K}", ""),
        ("", ", caching: false", "", ", tasks: {all: {caching: false}}"),
        ("", ", tasks: {}, caching: false", "", ", tasks: {all: {caching: false}}"),
        ("", ",\n # why\n caching: off,\n tasks: {all: {cpu: '4'}}", "",
         ",\n # why\n \n tasks: {all: {cpu: '4', caching: off}}"),
        (", marker: ''", ", model: {steps: 0}", ", marker: null", ", model: {steps: null}"),
    ],
)  # fmt: skip
def test_files_in_flow_style(data, more, new_data, new_more):
    new, _ = migrate(SMALL % (data, more), "y")
    assert new == (SMALL % (new_data, new_more)).replace("{name", "{version: 1, name", 1)


BLOCK = (
    "version: 1\nname: a\ndata: {pattern: 'x{span}', label: y}\nevaluation: {metrics_specs: []}\n"
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # An anchor and its alias.
        (
            "tasks:\n  all: &a\n    timeout_seconds: 9\n  push_model: *a\n",
            "tasks:\n  all: &a\n    kubernetes:\n      timeout_seconds: 9\n  push_model: *a\n",
        ),
        (
            "tasks:\n  all:\n    node_selector: &n {a: b}\n    secrets: {A: s/k}\n"
            "  push_model: {node_selector: *n, cpu: '4'}\n",
            "tasks:\n  all:\n    kubernetes:\n      node_selector: &n {a: b}\n      secrets: {A: s/k}\n"
            "  push_model: {kubernetes: {node_selector: *n}, cpu: '4'}\n",
        ),
        # Into a section in flow style.
        (
            "caching: false\ntasks: {all: {cpu: '4'}}\n",
            "tasks: {all: {cpu: '4', caching: false}}\n",
        ),
        (
            "tasks:\n  all:\n    kubernetes: {timeout_seconds: 9}\n    secrets:\n      A: s/k\n      B: s/l\n",
            "tasks:\n  all:\n    kubernetes: {timeout_seconds: 9, secrets: {A: s/k, B: s/l}}\n",
        ),
        # The last line has no end.
        ("caching: false", "tasks:\n  all:\n    caching: false\n"),
        (
            'tasks:\n  all:\n    "timeout_seconds": 9',
            "tasks:\n  all:\n    kubernetes:\n      timeout_seconds: 9\n",
        ),
    ],
)
def test_anchors_flow_style_and_ends_of_files(old, new):
    assert migrate(BLOCK + old, "y")[0] == BLOCK + new


def test_what_can_not_be_rewritten_is_named_and_the_file_stays(tmp_path):
    file = tmp_path / "retrain.yaml"
    file.write_text(
        BLOCK
        + "tasks:\n  all: &a {timeout_seconds: 9}\n  push_model:\n    <<: *a\n    secrets: {A: s/k}\n"
    )
    before = file.read_bytes()
    result = CliRunner().invoke(cli, ["config", "migrate", str(file)])
    assert isinstance(result.exception, RetrainerError)
    assert "by hand" in str(result.exception)
    assert "'tasks.push_model.secrets' becomes 'tasks.push_model.kubernetes.secrets'" in str(
        result.exception
    )
    assert file.read_bytes() == before


def test_a_setting_in_both_spellings_is_not_rewritten():
    with pytest.raises(
        RetrainerError, match=r"old spelling of 'tasks\.all\.caching', which stands"
    ):
        migrate(BLOCK + "caching: false\ntasks: {all: {caching: true}}\n", "y")


def test_the_command_writes_checks_and_prints(tmp_path):
    file, link = tmp_path / "real.yaml", tmp_path / "retrain.yaml"
    file.write_bytes(OLD.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    link.symlink_to(file)

    def run(*args):
        return CliRunner().invoke(cli, ["config", "migrate", str(link), *args])

    checked = run("--check")
    assert (checked.exit_code, "becomes 'data.split.by'" in checked.output) == (1, True)
    assert run("--stdout").stdout_bytes == NEW.replace("\n", "\r\n").encode()
    assert file.read_bytes() == OLD.replace("\n", "\r\n").encode()
    assert run().exit_code == 0
    assert link.is_symlink()
    assert file.read_bytes() == NEW.replace("\n", "\r\n").encode()
    assert file.stat().st_mode & 0o777 == 0o640
    assert (run("--check").exit_code, "current spelling" in run().output) == (0, True)


@pytest.mark.parametrize(
    "file",
    [
        *Path(__file__).parents[3].glob("pipelines/examples/*/retrain.yaml"),
        *Path(__file__).parents[3].glob("docs/deploy/**/retrain.yaml"),
    ],
    ids=lambda file: file.parent.name,
)
def test_examples_are_in_the_current_spelling(file):
    assert migrate(file.read_text(), file.name)[1] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "beam_args: [--runner=FlinkRunner, --flink_master=flink:8081, --label=a=b]  # ours\nname: a\n",
            "engine:\n  runner: flink\n  options:\n    flink_master: flink:8081\n    label: [a=b]\n"
            "  components: [compute_statistics, transform_features, evaluate_model, predict_batch]  # ours\nname: a\n",
        ),
        (
            "name: a\nbeam_args:\n  - --direct_num_workers\n  - '2'\n\n# Next.\nimage: a/b:1\n",
            "name: a\nengine:\n  runner: direct\n  options: {direct_num_workers: 2}\n"
            "  components: [compute_statistics, transform_features, evaluate_model, predict_batch]\n\n# Next.\n"
            "image: a/b:1\n",
        ),
        ("name: a\nbeam_args: []\n", "name: a\nengine: {}\n"),
        ("name: a\nbeam_args:\n", "name: a\nengine: {}\n"),
        (
            "{name: a, beam_args: [--streaming], store: b}",
            "{name: a, engine: {runner: direct, options: {streaming: true}, components: "
            "[compute_statistics, transform_features, evaluate_model, predict_batch]}, store: b}",
        ),
    ],
)
def test_arguments_of_beam_become_the_section_engine(old, new):
    assert (
        migrate(f"{old}", "retrain.yaml")[0].replace("version: 1\n", "").replace("version: 1, ", "")
        == new
    )


def test_comments_within_the_arguments_of_beam_are_kept_by_not_rewriting_them():
    text = "name: a\nbeam_args:\n  - --streaming\n  # Later more.\n  - --direct_num_workers=2\n"
    with pytest.raises(RetrainerError, match=r"retrain.yaml:2.*has comments"):
        migrate(text, "retrain.yaml")
