"""`retrainer schedule`, against both services."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from servers.image_registry import ImageRegistry

from retrainer.components.lib.errors import RetrainerError

CREATE = ("--cron", "0 3 * * *", "--time-zone", "Europe/Berlin")


def test_a_schedule_on_vertex_is_made_changed_paused_resumed_and_deleted(
    retrainer, project, vertex
):
    on = (project, "--to", "vertex")
    assert retrainer("schedule", "create", *on, *CREATE).startswith("created orders: active")
    assert retrainer("schedule", "create", *on, "--cron", "0 4 * * *").startswith("updated orders")
    listed = retrainer("schedule", "list", *on)
    assert listed.count("\n") == 1
    assert "'0 4 * * *' UTC" in listed
    assert "orders: paused" in retrainer("schedule", "pause", *on)
    assert "orders: active" in retrainer("schedule", "resume", *on)
    assert retrainer("schedule", "delete", *on) == "deleted orders\n"
    assert retrainer("schedule", "list", *on) == ""


@pytest.mark.parametrize("kind", ["vertex", "kubeflow"])
def test_a_schedule_that_was_made_with_an_image_is_listed_and_deleted_without(
    retrainer, project, vertex, kubeflow, kind
):
    on = (project, "--to", kind)
    file = project / "retrain.yaml"
    lines = file.read_text().splitlines()
    image = next(line for line in lines if line.startswith("image: "))
    file.write_text("\n".join(line for line in lines if line != image))
    create = ("schedule", "create", *on, "--cron", "0 3 * * *")
    retrainer(*create, "--image", image.removeprefix("image: "))
    assert "retrain.yaml has changed since" in retrainer("schedule", "list", *on)
    with_image = retrainer("schedule", "list", *on, "--image", image.removeprefix("image: "))
    assert "orders: active" in with_image
    assert "has changed since" not in with_image
    assert retrainer("schedule", "delete", *on) == "deleted orders\n"


def test_a_schedule_on_kubeflow_is_made_changed_and_deleted(retrainer, project, kubeflow):
    on = (project, "--to", "kubeflow")
    assert retrainer("schedule", "create", *on, "--cron", "0 3 * * *").startswith("created orders")
    assert retrainer("schedule", "create", *on, "--cron", "0 4 * * *").startswith("updated orders")
    assert len(kubeflow.recurring_runs) == 1
    assert "orders: paused" in retrainer("schedule", "pause", *on)
    assert retrainer("schedule", "delete", *on) == "deleted orders\n"


def test_a_scheduled_run_finds_its_newest_span_when_it_starts(retrainer, project, vertex, sent):
    retrainer("schedule", "create", project, "--to", "vertex", *CREATE)
    job = sent(vertex)[0]["createPipelineJobRequest"]["pipelineJob"]
    assert "span" not in job["runtimeConfig"].get("parameterValues", {})
    parameter = job["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]["span"]
    assert parameter["defaultValue"] == "latest"


def test_a_dry_run_prints_the_schedule_and_sends_nothing(retrainer, project, vertex, sent):
    shown = json.loads(
        retrainer("schedule", "create", project, "--to", "vertex", *CREATE, "--dry-run")
    )
    assert vertex.requests == []
    retrainer("schedule", "create", project, "--to", "vertex", *CREATE)
    assert shown["body"] == sent(vertex)[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--cron", "0 3 * *"], "cron"), (["--cron", "0 3 * * *", "--time-zone", "Berlin"], "Berlin")],
)
def test_a_clock_that_no_service_knows_is_refused_before_anything_is_sent(
    retrainer, project, vertex, arguments, says
):
    with pytest.raises(RetrainerError, match=says):
        retrainer("schedule", "create", project, "--to", "vertex", *arguments)
    assert vertex.requests == []


@pytest.mark.parametrize("command", ["pause", "resume", "delete"])
def test_a_missing_schedule_is_named(retrainer, project, vertex, command):
    with pytest.raises(RetrainerError, match="nightly"):
        retrainer("schedule", command, project, "--to", "vertex", "--name", "nightly")


def write_schedule(project, text):
    """Replace the section `schedule`."""
    file = project / "retrain.yaml"
    kept = file.read_text().partition("\nschedule:")[0]
    file.write_text(f"{kept}\nschedule: {text}\n" if text else kept)


@pytest.mark.parametrize("kind", ["vertex", "kubeflow"])
def test_the_files_schedule_is_made_kept_changed_and_deleted(
    retrainer, project, vertex, kubeflow, kind
):
    apply = ("schedule", "apply", project, "--to", kind)
    write_schedule(project, '{cron: "@daily"}')
    assert "would create orders; nothing was sent" in retrainer(*apply, "--dry-run")
    assert retrainer(*apply).startswith("created orders: active, '0 0 * * *' UTC")
    assert retrainer(*apply).startswith("unchanged orders")
    write_schedule(project, '{cron: "0 4 * * *"}')
    changed = retrainer(*apply, "--dry-run").splitlines()
    assert changed == ["  cron: 0 0 * * * -> 0 4 * * *", "would update orders; nothing was sent"]
    assert "updated orders: active, '0 4 * * *' UTC" in retrainer(*apply)
    assert "has changed since" not in retrainer("schedule", "list", project, "--to", kind)
    write_schedule(project, "")
    assert "would delete orders" in retrainer(*apply, "--dry-run")
    assert retrainer(*apply).startswith("deleted orders")
    assert retrainer(*apply).startswith("nothing to do")


def test_a_file_that_changed_since_is_marked_and_applied(retrainer, project, vertex):
    on = (project, "--to", "vertex")
    write_schedule(project, "{cron: 0 4 * * *}")
    retrainer("schedule", "apply", *on)
    file = project / "retrain.yaml"
    file.write_text(file.read_text().replace("gs://acme-ml/data/", "gs://acme-ml/other/"))
    assert "retrain.yaml has changed since" in retrainer("schedule", "list", *on)
    assert "pipeline: differs from retrain.yaml" in retrainer("schedule", "apply", *on)
    assert "retrain.yaml has changed since" not in retrainer("schedule", "list", *on)


def test_reading_needs_no_folder_of_artifacts(retrainer, project, vertex, tmp_path, capfd):
    on = (project, "--to", "vertex")
    retrainer("schedule", "create", *on, *CREATE)
    retrainer("submit", *on, "--run-id", "orders-1")
    file = project / "retrain.yaml"
    text = file.read_text().replace("pipeline_root: gs://acme-ml/root\n", "")
    file.write_text(text.replace("gs://acme-ml/store", str(tmp_path / "store")))
    assert "orders: active" in retrainer("schedule", "list", *on)
    assert "orders: paused" in retrainer("schedule", "pause", *on)
    assert "orders-1" in retrainer("runs", "list", "--file", file, "--to", "vertex")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ["vertex", "kubeflow"])
@pytest.mark.parametrize("now", ['{cron: "0 5 * * *"}', ""])
def test_a_section_that_changed_since_is_marked(retrainer, project, vertex, kubeflow, kind, now):
    on = (project, "--to", kind)
    write_schedule(project, '{cron: "0 4 * * *"}')
    retrainer("schedule", "apply", *on)
    assert "has changed since" not in retrainer("schedule", "list", *on)
    write_schedule(project, now)
    assert "retrain.yaml has changed since" in retrainer("schedule", "list", *on)


def test_a_tag_that_moved_is_a_change(retrainer, project, kubeflow, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    write_schedule(project, "{cron: 0 4 * * *}")
    with ImageRegistry() as registry:
        registry.push("team/retrainer", "1", "first")
        on = (project, "--to", "kubeflow")
        apply = ("schedule", "apply", *on, "--image", f"{registry.host}/team/retrainer:1")
        assert "created" in retrainer(*apply)
        assert "unchanged" in retrainer(*apply)
        registry.push("team/retrainer", "1", "second")
        assert "image: its tag points to another image now" in retrainer(*apply)
        assert "unchanged" in retrainer(*apply)
        # A registry that is silent for an hour must not take the pinned image away.
        registry.down = True
        assert "unchanged" in retrainer(*apply)


def test_a_task_that_gets_another_machine_is_a_change(retrainer, project, vertex):
    apply = ("schedule", "apply", project, "--to", "vertex")
    write_schedule(project, '{cron: "@daily"}')
    assert retrainer(*apply).startswith("created orders")
    file = project / "retrain.yaml"
    file.write_text(
        file.read_text() + "\ntasks: {train_model: {vertex: {machine_type: n1-highmem-8}}}\n"
    )
    assert "pipeline: differs from retrain.yaml" in retrainer(*apply)
    assert retrainer(*apply).startswith("unchanged orders")


def test_a_schedule_that_a_person_made_is_never_deleted_by_the_file(retrainer, project, vertex):
    on = (project, "--to", "vertex")
    retrainer("schedule", "create", *on, *CREATE)
    assert retrainer("schedule", "apply", *on).startswith("kept orders")
    assert len(vertex.schedules) == 1
    write_schedule(project, "{cron: 0 3 * * *, time_zone: Europe/Berlin}")
    assert "made by: retrainer schedule create -> retrain.yaml" in retrainer(
        "schedule", "apply", *on
    )
    assert retrainer("schedule", "apply", *on).startswith("unchanged")


def test_limits_are_listed_in_utc(retrainer, project, vertex):
    on = (project, "--to", "vertex")
    year = datetime.now(UTC).year + 1
    write_schedule(
        project,
        f"{{cron: '@daily', time_zone: Europe/Berlin, start: {year}-07-01, "
        f"end: {year}-07-31T00:00:00, max_runs: 20}}",
    )
    retrainer("schedule", "apply", *on)
    listed = retrainer("schedule", "list", *on)
    assert (
        f"from {year}-06-30 22:00:00 UTC, until {year}-07-30 22:00:00 UTC, 0 of 20 runs" in listed
    )
    assert retrainer("schedule", "apply", *on).startswith("unchanged")


def test_flags_have_the_limits_too(retrainer, project, vertex, sent):
    end = (datetime.now(UTC) + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%S+02:00")
    retrainer(
        "schedule", "create", project, "--to", "vertex", "--cron", "@weekly", "--end", end,
        "--max-runs", "3",
    )  # fmt: skip
    (body,) = sent(vertex)
    assert body["cron"] == "TZ=UTC 0 0 * * 0"
    assert body["maxRunCount"] == "3"
    assert body["endTime"].endswith("Z")
    with pytest.raises(RetrainerError, match="--end: "):
        retrainer("schedule", "create", project, "--to", "vertex", *CREATE, "--end", "tomorrow")


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ('{cron: "0 3 * *"}', "has 4 fields"),
        ('{cron: "@every 1h"}', "is not known"),
        ("{cron: 0 3 * * *, time_zone: Berlin}", "there is no time zone 'Berlin'"),
        ("{cron: 0 3 * * *, max_runs: 0}", "max_runs"),
        ("{cron: 0 3 * * *, start: 2027-02-01, end: 2027-01-01}", "ends before"),
        (
            "{cron: 0 3 * * *, time_zone: America/New_York, end: 9999-12-31T23:00:00}",
            "within the years 1 to 9999",
        ),
        ("{time_zone: UTC}", "cron"),
    ],
)
def test_a_section_that_is_wrong_is_an_error_of_the_file(retrainer, project, vertex, section, says):
    write_schedule(project, section)
    with pytest.raises(RetrainerError, match=says):
        retrainer("schedule", "apply", project, "--to", "vertex")
    assert vertex.requests == []


def test_utc_by_its_other_name_is_no_change(retrainer, project, kubeflow):
    write_schedule(project, "{cron: 0 3 * * *, time_zone: Etc/UTC}")
    retrainer("schedule", "apply", project, "--to", "kubeflow")
    assert retrainer("schedule", "apply", project, "--to", "kubeflow").startswith("unchanged")


def test_a_schedule_that_somebody_paused_stays_paused(retrainer, project, vertex):
    on = (project, "--to", "vertex")
    write_schedule(project, "{cron: 0 3 * * *}")
    retrainer("schedule", "apply", *on)
    retrainer("schedule", "pause", *on)
    assert retrainer("schedule", "apply", *on).startswith("unchanged orders: paused")
    write_schedule(project, "{cron: 0 4 * * *}")
    assert "updated orders: paused, '0 4 * * *'" in retrainer("schedule", "apply", *on)


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_limit_that_vertex_keeps_is_refused_by_a_dry_run_too(retrainer, project, vertex, more):
    write_schedule(project, "{cron: 0 3 * * *, max_runs: 5}")
    retrainer("schedule", "apply", project, "--to", "vertex")
    write_schedule(project, "{cron: 0 3 * * *}")
    with pytest.raises(RetrainerError, match="has 'max_runs', which Vertex AI can't remove"):
        retrainer("schedule", "apply", project, "--to", "vertex", *more)


@pytest.mark.parametrize("kind", ["vertex", "kubeflow"])
def test_schedules_of_two_pipelines_stand_side_by_side(retrainer, project, vertex, kubeflow, kind):
    on = (project, "--to", kind)
    file = project / "retrain.yaml"
    usual = file.read_text()
    file.write_text(
        f"{usual}\nschedule: {{cron: 0 4 * * *}}\npredict: {{schedule: {{cron: 0 7 * * *}}}}\n"
    )
    made = retrainer("schedule", "apply", *on).splitlines()
    assert [line.partition(":")[0] for line in made] == [
        "created orders", "created orders-predict-batch",
    ]  # fmt: skip
    assert retrainer("schedule", "apply", *on).count("unchanged") == 2
    listed = retrainer("schedule", "list", *on)
    assert "orders: active, '0 4 * * *'" in listed
    assert "orders-predict-batch: active, '0 7 * * *'" in listed
    assert "has changed since" not in listed
    paused = retrainer("schedule", "pause", *on, "--pipeline", "predict_batch")
    assert paused.startswith("orders-predict-batch: paused")
    file.write_text(f"{usual}\nschedule: {{cron: 0 4 * * *}}\n")
    assert (
        retrainer("schedule", "apply", *on)
        .splitlines()[1]
        .startswith("deleted orders-predict-batch")
    )
    assert "predict" not in retrainer("schedule", "list", *on)


@pytest.mark.parametrize("kind", ["vertex", "kubeflow"])
def test_runs_of_two_pipelines_never_meet(retrainer, project, vertex, kubeflow, kind):
    file = project / "retrain.yaml"
    file.write_text(file.read_text() + "\npredict: {}\n")
    run = retrainer("submit", project, "--to", kind, "--pipeline", "predict_batch")
    assert run.startswith("run orders-predict-batch-")
    retrainer("submit", project, "--to", kind, "--run-id", "orders-1")
    listed = retrainer("runs", "list", "--file", project, "--to", kind)
    assert listed.count("orders-1") == 1
    assert listed.count("orders-predict-batch-") == 1
    with pytest.raises(RetrainerError, match="predict_batch has no 'allow_older'"):
        retrainer("submit", project, "--to", kind, "--pipeline", "predict_batch", "--allow-older")
