"""The command line as a user meets it, in a project that init wrote.

Most commands run in this process, over one warm runner; what is about processes starts its own.
"""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HEAVY = [
    "tensorflow",
    "tensorflow_data_validation",
    "tensorflow_transform",
    "tensorflow_model_analysis",
    "apache_beam",
]
LIBRARY_CHATTER = ["WARNING", "FutureWarning", "cuda", "absl", "apache_beam", "Traceback"]


PROGRAM = [sys.executable, "-m", "retrainer.pipelines.cli.main"]


def started(*arguments, cwd=None):
    """Run the command in a process of its own."""
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.fixture(scope="module")
def retrainer(warm_retrainer):
    return warm_retrainer


@pytest.fixture(scope="module")
def starter(tmp_path_factory, warm_retrainer):
    """A project that init wrote, run once."""
    folder = tmp_path_factory.mktemp("starter") / "project"
    assert warm_retrainer("init", folder).returncode == 0
    done = warm_retrainer("run", folder / "retrain.yaml", "--run-id", "first")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "first.out").write_text(done.stdout)
    (folder / "first.err").write_text(done.stderr)
    return folder


@pytest.fixture
def project(starter, tmp_path):
    """A copy of the project that a test may break, champion included."""
    folder = tmp_path / "project"
    shutil.copytree(starter, folder)
    return folder


def edit(project, **changes):
    file = project / "retrain.yaml"
    content = yaml.safe_load(file.read_text())
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            content.setdefault(section, {})[name] = value
        else:
            content[section] = value
    file.write_text(yaml.safe_dump(content))


def champion(project):
    aliases = sorted((project / "store" / "models" / "aliases" / "champion").glob("*.json"))
    return json.loads(aliases[-1].read_text())["version"]


@pytest.fixture
def fails(retrainer, project):
    """Run, expect an error of a few lines that says these things, and the champion where it was."""

    def run(*says):
        done = retrainer("run", "--run-id", "broken", cwd=project)
        shown = done.stdout + done.stderr
        assert done.returncode == 1, shown
        for text in says:
            assert text in shown
        assert "Traceback" not in shown
        assert champion(project) == 1
        return shown

    return run


def test_a_starter_project_runs_as_it_is(starter):
    shown = (starter / "first.out").read_text()
    assert "pushed as version 1" in shown
    assert champion(starter) == 1


def test_a_run_shows_steps_and_reports_and_none_of_the_libraries_chatter(starter):
    shown = (starter / "first.out").read_text()
    for task in ("ingest_spans", "validate_examples", "evaluate_model", "push_model"):
        assert task in shown
    reports = [line.split("report:")[1].strip() for line in shown.splitlines() if "report:" in line]
    assert len(reports) == 3
    assert all(Path(report).exists() for report in reports)
    both = shown + (starter / "first.err").read_text()
    assert [word for word in LIBRARY_CHATTER if word in both] == []
    assert "\x1b[" not in both


def test_reports_need_no_network(starter):
    for report in (starter / "store" / "runs" / "first" / "reports").glob("*.html"):
        text = report.read_text()
        assert "<script src" not in text
        assert "<link" not in text
        assert "url(http" not in text


def test_the_same_data_again_is_taken_from_the_cache_until_the_model_changes(retrainer, starter):
    record = json.loads(retrainer("run", "--json", cwd=starter).stdout)
    states = {name: task["state"] for name, task in record["tasks"].items()}
    assert states["train-model"] == states["transform-features"] == "cached"
    assert states["ingest-spans"] == states["push-model"] == "succeeded"
    assert record["tasks"]["push-model"]["outputs"]["verdict"].startswith(
        "unchanged, already the champion"
    )
    assert champion(starter) == 1

    file = starter / "model.py"
    source = file.read_text()
    file.write_text(source.replace('get("learning_rate", 0.01)', 'get("learning_rate", 0.0)'))
    record = json.loads(retrainer("run", "--json", cwd=starter).stdout)
    file.write_text(source)
    states = {name: task["state"] for name, task in record["tasks"].items()}
    assert states["compute-statistics"] == "cached"
    assert states["train-model"] == "succeeded"
    assert record["tasks"]["push-model"]["outputs"]["verdict"].startswith("refused, version 1")
    assert champion(starter) == 1


def test_runs_are_listed_and_shown(retrainer, starter):
    listed = retrainer("runs", "list", cwd=starter)
    assert "first" in listed.stdout
    assert "pushed as version 1" in listed.stdout
    shown = retrainer("runs", "show", "first", cwd=starter).stdout
    for word in ("parameters", "train_model", "succeeded", "metrics", "auc", "champion", "log:"):
        assert word in shown
    record = json.loads(retrainer("runs", "show", "first", "--json", cwd=starter).stdout)
    model = record["tasks"]["train-model"]["output_artifacts"]["model"]
    assert len(model["digest"]) == 64
    unknown = retrainer("runs", "show", "nosuch", cwd=starter)
    assert unknown.returncode == 1
    assert "no run 'nosuch'" in unknown.stderr


def test_a_run_of_an_older_span_stops_before_it_trains(retrainer, project):
    done = retrainer("run", "--span", "2026-01-04", "--json", cwd=project)
    record = json.loads(done.stdout)
    assert done.returncode == 1
    failed = record["tasks"]["resolve-champion"]
    assert "span 2026-01-04 is older than 2026-01-05" in failed["error"]
    assert "--allow-older" in failed["error"]
    assert record["tasks"]["transform-features"]["state"] == "skipped"
    assert champion(project) == 1


def test_no_data_behind_the_pattern(fails, project):
    edit(project, data__pattern="data/nothing-{span}.csv")
    fails("no file matches", "nothing-{span}.csv")


def test_one_span_only(fails, project):
    for file in sorted((project / "data").iterdir())[:-1]:
        file.unlink()
    fails("only 1 span", "nothing is left to train on")


def test_an_empty_file(fails, project):
    sorted((project / "data").iterdir())[-1].write_text("")
    fails("is empty (0 bytes)")


def test_a_label_that_is_all_one_value(fails, project):
    for file in (project / "data").iterdir():
        lines = file.read_text().splitlines()
        file.write_text("\n".join([lines[0], *(line[:-1] + "1" for line in lines[1:])]) + "\n")
    fails("returned")


def test_a_slice_by_a_column_that_does_not_exist(fails, project):
    edit(project, evaluation__slicing_specs=[{}, {"feature_keys": ["contry"]}])
    fails("contry", "country")


def test_a_domain_of_a_column_that_does_not_exist(fails, project):
    edit(project, validation__domains={"basket_valu": {"min": 0}})
    fails("basket_valu")


def test_a_label_that_does_not_exist(fails, project):
    edit(project, data__label="retuned")
    fails("the column 'retuned'", "returned")


def test_a_model_that_raises_names_its_line_and_the_next_run_starts(fails, retrainer, project):
    file = project / "model.py"
    good = file.read_text()
    file.write_text(
        good.replace(
            "    model = keras.Model",
            "    raise ValueError('too few hens')\n    model = keras.Model",
        )
    )
    fails("build_model in model.py raised, line", "too few hens")
    file.write_text(good)
    done = retrainer("run", "--resume", "broken", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_metric_that_tfma_does_not_have(fails, project):
    edit(project, evaluation__metrics_specs=[{"metrics": [{"class_name": "AUCC"}]}])
    fails("AUCC", "AUC")


@pytest.mark.slow
def test_a_run_in_a_process_of_its_own_shows_none_of_the_libraries_chatter(project):
    done = started("run", "--no-cache", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    both = done.stdout + done.stderr
    assert [word for word in LIBRARY_CHATTER if word in both] == []
    assert "\x1b[" not in both


@pytest.mark.slow
def test_two_runs_on_the_same_directory_at_the_same_moment(retrainer, project):
    command = [*PROGRAM, "run", "--no-cache", "--run-id"]
    first, second = (
        subprocess.Popen(
            [*command, name],
            cwd=project,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in ("one", "two")
    )
    shown = [process.communicate()[0] for process in (first, second)]
    codes = sorted([first.returncode, second.returncode])
    assert codes == [0, 1], shown
    refused = shown[0] if first.returncode else shown[1]
    assert "error: " in refused
    assert "Traceback" not in refused
    assert len(refused.splitlines()) <= 4
    assert retrainer("run", cwd=project).returncode == 0


def test_a_run_name_that_is_taken_is_refused(retrainer, starter):
    done = retrainer("run", "--run-id", "first", cwd=starter)
    assert done.returncode == 1
    assert "'first' exists already" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "nowhere.yaml"], 1, "there is no 'nowhere.yaml'"),
        (["compile", "nowhere.yaml"], 1, "retrainer init"),
        (["nosuch"], 2, "No such command 'nosuch'"),
        (
            ["run", "--resume", "last", "--span", "3"],
            2,
            "leave out --span, --allow-older and --run-id",
        ),
        (["runs", "list", "--file", "nowhere.yaml"], 1, "there is no"),
    ],
)
def test_wrong_usage_says_what_is_wrong(retrainer, tmp_path, arguments, code, says):
    done = retrainer(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_init_overwrites_nothing(retrainer, starter):
    done = retrainer("init", starter)
    assert done.returncode == 1
    assert "exists already" in done.stderr


def test_the_schema_of_the_configuration_is_json_schema(retrainer, tmp_path):
    schema = json.loads(retrainer("config", "json-schema").stdout)
    assert set(schema["required"]) == {"name", "data", "evaluation"}


def test_what_reads_or_changes_the_world_is_never_cached(retrainer, starter, tmp_path):
    file = tmp_path / "pipeline.yaml"
    retrainer("compile", "-o", file, cwd=starter)
    tasks = yaml.safe_load(file.read_text())["root"]["dag"]["tasks"]
    cached = {name for name, task in tasks.items() if task["cachingOptions"].get("enableCache")}
    assert cached == {
        "compute-statistics",
        "transform-features",
        "train-model",
        "evaluate-model",
        "check-serving",
    }
    assert len(tasks) == 9


def test_compiling_loads_no_heavy_library(starter, tmp_path):
    program = f"""
import sys
sys.argv = ["retrainer", "compile", "-o", {str(tmp_path / "p.yaml")!r}]
from retrainer.pipelines.cli.main import main
try:
    main()
finally:
    print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=starter, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "p.yaml").exists()


@pytest.mark.slow
def test_ctrl_c_leaves_no_process_and_the_run_can_be_resumed(retrainer, project):
    command = [*PROGRAM, "run", "--no-cache", "--run-id", "cut"]
    process = subprocess.Popen(
        command,
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if "transform_features ..." in line:
            break
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run 'cut' was interrupted" in shown
    assert "Traceback" not in shown
    left = [path for path in Path("/proc").glob("[0-9]*/cwd") if _points_into(path, project)]
    assert left == []
    assert champion(project) == 1
    record = json.loads(retrainer("run", "--resume", "cut", "--json", cwd=project).stdout)
    assert record["state"] == "succeeded"
    assert record["tasks"]["compute-statistics"]["reused_from"] == "cut"


def _points_into(link, folder):
    try:
        return str(link.readlink()).startswith(str(folder))
    except OSError:
        # The process is gone, or another user's.
        return False


@pytest.mark.slow
@pytest.mark.integration("mount")
def test_a_full_disk_is_reported_and_the_champion_stays(fails, retrainer, project, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    try:
        edit(project, pipeline_root=str(disk))
        shown = fails("No space left on device")
        assert "Traceback" not in shown
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    edit(project, pipeline_root="")
    assert retrainer("run", cwd=project).returncode == 0


@pytest.mark.slow
def test_a_schema_that_fits_is_said_to_without_the_libraries_chatter(starter):
    done = started("schema", "diff", "--run", "first", "--file", starter / "retrain.yaml")
    assert done.stdout.startswith("no changes: run first fits")
    assert "crcmod" not in done.stderr
